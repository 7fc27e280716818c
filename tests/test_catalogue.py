"""A team's own content over the built-in: what would be wrong at night is a finding at its line in the morning."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sre import content
from sre.catalogue.amounts import COUNTED, MEASURES
from sre.catalogue.bindings import Binding
from sre.catalogue.dashboard_model import Dashboard
from sre.catalogue.faults import Fault
from sre.catalogue.load import load
from sre.catalogue.model import Alert, Record, Signal, Threshold
from sre.catalogue.runbooks import Runbook
from sre.compile import panels, text
from sre.explain import written
from sre.findings import Finding, Refused

ALERT = """\
alerts:
  LLMTimeToFirstTokenHigh:
    level: pool
    unit: seconds
    threshold: ttft_p95
    for: 3m
    within: 10m
    shows: pool:ttft:p95
    rules:
      - severity: page
        expr: pool:ttft:p95 > $threshold
    summary: Users wait
    description: "Pool {pool}: {value}, median {pool:ttft:p50}; the objective is {threshold}."
    fault: slow_prefill
    why: The wait is what a user feels first.
"""
"""Sound: it takes the place of the built-in alert of that name."""

Said = Callable[..., list[Finding]]


@pytest.fixture
def said(tmp_path: Path) -> Said:
    """What is said about one file of a folder of one's own."""

    def check(text: str, file: str = "rules/own.yaml") -> list[Finding]:
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        try:
            return list(load(content.root(), tmp_path).warnings)
        except Refused as refused:
            return list(refused.findings)

    return check


def changed(old: str, new: str) -> tuple[str, int]:
    """The alert with a change, and the line of the change."""
    assert ALERT.count(old) == 1, old
    return ALERT.replace(old, new), ALERT[: ALERT.index(old)].count("\n") + 1


def test_a_sound_alert_of_ones_own_is_taken(said: Said) -> None:
    """What the other tests break is whole."""
    assert said(ALERT) == []


def test_a_series_that_nothing_reads_is_told(said: Said) -> None:
    """Each costs an evaluation every half minute, so a record without a reader is a warning at its line."""
    record = "records:\n  pool:idle:sum: {unit: requests, expr: 'sum by (pool) (replica:running:sum)'}\n"
    (found,) = said(record, "exporters/signals/own.yaml")
    assert (found.severity, found.what) == ("warning", "`pool:idle:sum` is recorded, and nothing reads it")
    assert found.where.endswith("exporters/signals/own.yaml:2")


def test_everything_that_is_shipped_is_read() -> None:
    """The built-in content records nothing in vain."""
    assert load(content.root()).warnings == ()


@pytest.mark.parametrize(
    ("old", "new", "what", "fix"),
    [
        ("pool:ttft:p95 > $threshold", "pool:ttft:p95 > (", "does not parse: unclosed left parenthesis", "PromQL"),
        ("pool:ttft:p95 > $threshold", "pool:ttft:p95[5m]", "gives no series", "an instant vector"),
        ("> $threshold", "> $treshold", "asks for `$treshold`, which stands for nothing", "did you mean `threshold`"),
        ("pool:ttft:p95 > ", "pool:tttft:p95 > ", "reads the series `pool:tttft:p95`", "did you mean `pool:ttft:p95`"),
        ("pool:ttft:p95 > $threshold", "vllm:e2e_request_latency_seconds_sum > 7", "reads the raw metric", "bind it"),
        ("pool:ttft:p95 > $threshold", "rate(@steps[2m]) > 0", "reads raw signals", "record a series"),
        ("pool:ttft:p95 > $threshold", "pool:queue_wait:mean30m > 9", "recorded every two minutes", "`seldom`"),
        ("shows: pool:ttft:p95", "shows: pool:tttft:p95", "shows 'pool:tttft:p95', which nothing records", "ttft:p95`"),
        ("shows: pool:ttft:p95", "shows: gpu:temperature:celsius", "of which each uuid has one", "the level pool"),
        ("median {pool:ttft:p50}", "{bogus}", "says `{bogus}`, which its alerts do not carry", "`pool`"),
        ("{pool:ttft:p50}", "{pool:ttft:p51}", "says `{pool:ttft:p51}`, which nothing records", "`pool:ttft:p"),
        ("{pool:ttft:p50}", "{gpu:power:watts}", "of which each uuid has one", "a sum or maximum"),
        ("median {pool", "{{ $value }} {pool", "says `{{`, which means nothing here", "{value}"),
        ("summary: Users wait", "summary: Users of {pool} wait", "has `{pool}` in its summary", "leave it out"),
        ("for: 3m", "for: 10s", "waits 10s, less than two evaluations of 30 s", "write `for: 1m` or more"),
        ("within: 10m", "within: 2m", "promises to fire within 2m and waits 3m", "write `within: 4m` or more"),
        ("unit: seconds", "unit: parsecs", "'parsecs' is no unit", "`celsius`"),
        ("unit: seconds", "unit: second", "'second' is no unit", "did you mean `seconds`?"),
        ("within: 10m", "within: 10", "10 is not a duration", "did you mean 10s or 10m?"),
        ("within: 10m", "within: 99w", "'99w' is no time to wait for", "a week at most"),
        ("threshold: ttft_p95", "threshold: ttft_95", "uses the threshold `ttft_95`", "did you mean `ttft_p95`?"),
        ("fault: slow_prefill", "fault: slow_prefil", "names the fault `slow_prefil`", "did you mean `slow_prefill`?"),
        ("for: 3m", "histogram: queue_depth", "rests on `queue_depth`, which is no histogram", "`queue_wait`"),
        ("for: 3m", "inhibits_on_card: [GPUXid]", "silences `GPUXid`, which is no alert", "`GPUXidError`"),
        ("for: 3m", "against: pool:ttft:usual", "compares with `pool:ttft:usual`", "pool:ttft:"),
        ("      - severity: page\n", "      - severity: page\n        set: {team: x}\n", "sets the label `team`", ""),
    ],
)  # fmt: skip
def test_what_an_alert_cannot_mean_is_refused(said: Said, old: str, new: str, what: str, fix: str) -> None:
    """An alert that could not load, fire or be understood names what is wrong and what to write instead."""
    text, _ = changed(old, new)
    found = [one for one in said(text) if what in one.what]
    assert found, said(text)
    assert "LLMTimeToFirstTokenHigh" in found[0].what
    assert fix in found[0].fix
    assert found[0].why


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("shows: pool:ttft:p95", "shows: pool:tttft:p95"),
        ("pool:ttft:p95 > $threshold", "pool:ttft:p95 > ("),
        ("for: 3m", "for: 10s"),
        ('"Pool {pool}: {value}', '"Pool {pol}: {value}'),
    ],
)
def test_a_finding_stands_at_the_line_of_what_is_wrong(
    said: Said, tmp_path: Path, old: str, new: str
) -> None:
    """Not at the head of the entry: an alert is a page long."""
    text, line = changed(old, new)
    assert [one.where for one in said(text)] == [f"{tmp_path}/rules/own.yaml:{line}"]


def test_all_that_is_wrong_with_an_alert_is_said_at_once(said: Said) -> None:
    """Two mistakes are two findings."""
    text, _ = changed("summary: Users wait", "summary: Users {wait}")
    assert len(said(text.replace("for: 3m", "for: 10s"))) == 2


def test_an_unknown_key_is_answered_with_the_keys_that_people_write(said: Said) -> None:
    """`for` is written `for`, and what the loader fills in is no key."""
    text, _ = changed("for: 3m", "after: 3m")
    (found,) = said(text)
    assert found.what == "unknown key `after` in `alerts.LLMTimeToFirstTokenHigh`"
    assert "`for`" in found.fix
    assert "for_" not in found.fix
    assert "`group`" not in found.fix
    assert "`name`" not in found.fix


@pytest.mark.parametrize("key", ["for_: 3m", "group: meta", "name: Other"])
def test_what_only_the_loader_fills_in_is_no_key_of_an_entry(said: Said, key: str) -> None:
    """Accepted in silence, it would be overwritten in silence."""
    text, _ = changed("for: 3m", key)
    (found,) = said(text)
    assert found.what.startswith(f"unknown key `{key.partition(':')[0]}`")


def test_what_is_missing_is_told_with_its_entry_and_its_reason(said: Said) -> None:
    """Among thirty alerts, "`description` is missing" would help nobody."""
    text, _ = changed(
        '    description: "Pool {pool}: {value}, median {pool:ttft:p50}; the objective is {threshold}."\n', ""
    )
    (found,) = said(text)
    assert found.what == "`alerts.LLMTimeToFirstTokenHigh.description` is missing"
    assert found.why == "the sentence that the person on call reads, with the numbers in it"
    assert found.where.endswith("own.yaml:2")


def every(model: Any) -> set[Any]:
    """A model and all models that its fields hold."""
    found, todo = set[Any](), [model]
    while todo:
        one = todo.pop()
        if isinstance(one, type) and hasattr(one, "model_fields") and one not in found:
            found.add(one)
            todo += [field.annotation for field in one.model_fields.values()]
        todo += getattr(one, "__args__", ())
    return found


@pytest.mark.parametrize("model", [Alert, Binding, Dashboard, Fault, Record, Runbook, Signal, Threshold])
def test_every_key_of_content_says_what_it_is_for(model: Any) -> None:
    """A finding about a key gives the key's description as its reason."""
    bare = [
        f"{one.__name__}.{name}"
        for one in every(model)
        for name, field in written(one).items()
        if not field.description and one.__name__ != "Expectation"
    ]
    assert bare == []


def test_every_unit_that_is_shown_in_its_own_way_can_be_written() -> None:
    """Sentences and dashboards know no unit that content may not use."""
    shown = {*text.FORMATS, *(name for name in (*MEASURES, *COUNTED) if panels.unit(name) != "short")}
    assert shown <= {*MEASURES, *COUNTED}


@pytest.mark.parametrize(
    ("threshold", "what", "fix"),
    [
        ("{unit: requests, default: hello, why: x}", "'hello' is not a number", "write it like 50, 0.9, 92% or 500ms"),
        ("{unit: requests, default: -5, why: x}", "is -5", "write at least 0"),
        ("{unit: ratio, default: 500ms, why: x}", "'500ms' is no number of ratio", "write the number alone"),
        ("{unit: ratio, default: 120%, why: x}", "a share of 1.2 is more than all", "`factor`"),
        ("{unit: requests, why: x}", "has no number", "add `default: ...`"),
        ("{unit: requests, default: [], why: x}", "is a list, but a number belongs here", "write it like 50"),
        ("{unit: requests, default: 5, why: ''}", "`thresholds.queue_depth.why` is empty", "..."),
    ],
)  # fmt: skip
def test_a_limit_that_is_no_number_is_refused_in_words(
    said: Said, threshold: str, what: str, fix: str
) -> None:
    """The words are about limits, not about what the reader expected inside."""
    (found,) = said(f"thresholds:\n  queue_depth: {threshold}\n")
    assert "thresholds.queue_depth" in found.what
    assert what in found.what
    assert fix in found.fix


@pytest.mark.parametrize(
    ("text", "what", "fix"),
    [
        ("records: {pool:own:sum: {unit: requests, expr: sum(}}", "does not parse", "correct the PromQL"),
        ("records: {pool:own:sum: {unit: requests, expr: '@runing'}}", "reads the signal `@runing`", "`running`"),
        ("records: {pool:own:sum: {unit: requests, expr: '@ttft'}}", "`ttft` is a histogram", "@ttft_bucket"),
        ("records: {pool:own:sum: {unit: requests, expr: '@running_sum'}}", "`running` is a gauge", "write @running"),
        ("records: {pool:own:sum: {unit: requests, expr: 'sum by ($replika) (@running)'}}", "$replika", "`replica`"),
        ("records: {pool:own:sum: {unit: requests, expr: []}}", "has no expression", "`expr`"),
        ("records: {pool:own:sum: {unit: requests, expr: 'pool:own:sum + 1'}}", "is made from itself", "instead"),
        ("records: {own: {unit: requests, expr: '@running'}}", "`own` is no name here", "level:metric:operation"),
        ("baselines: {pool:nope:sum: pool:nope:baseline}", "which nothing records", "did you mean"),
        ("baselines: {pool:ttft:p95: pool:itl:p95}", "is recorded already", "a name of its own"),
        ("constants: {server_errors: []}", "constants are a list of words each", "like its neighbours"),
    ],
)  # fmt: skip
def test_what_could_never_be_recorded_is_refused(said: Said, text: str, what: str, fix: str) -> None:
    """A record, a baseline or a constant that nothing could read is told before anything is compiled."""
    found = [one for one in said(text, "exporters/signals/own.yaml") if what in one.what]
    assert found, said(text, "exporters/signals/own.yaml")
    assert ":1" in found[0].where
    assert fix in found[0].fix


BINDING = {
    "kind": "own",
    "identify": "own_info",
    "versions": {"oldest": "1.0.0", "newest": "2.0.0"},
    "signals": {"running": [{"metric": "own_running"}]},
}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"identify": "own info"}, "'own info' is no name of a metric"),
        ({"versions": {"oldest": "one", "newest": "2.0.0"}}, "'one' is not a version"),
        ({"signals": {"runing": [{"metric": "own_running"}]}}, "binds `runing`, which is no signal"),
        ({"signals": {"running": []}}, "`signals.running` has no entry"),
        ({"signals": {"running": [{"metric": "x", "matchers": "a=b"}]}}, "'a=b' are no matchers"),
        ({"signals": {"running": [{"metric": "x", "scale": "0"}]}}, "'0' is nothing to multiply with"),
        ({"bounds": {"ttft": [{"since": "0", "le": [1, 0.5]}]}}, "the bounds do not rise from above 0"),
        ({"bounds": {"ttft": [{"since": "0", "le": []}]}}, "has no entry"),
    ],
)
def test_a_binding_that_reads_nothing_is_refused(said: Said, changes: dict[str, Any], what: str) -> None:
    """What no exporter could expose, and what could not be compared, is told at its line."""
    assert said(yaml.safe_dump(BINDING), "exporters/engines/own.yaml") == []
    found = said(yaml.safe_dump(BINDING | changes), "exporters/engines/own.yaml")
    assert any(what in one.what for one in found), found


FAULT = "faults:\n  overload:\n    says: Too much.\n    set: {arrivals: 2 * capacity}\n"


@pytest.mark.parametrize(
    ("old", "new", "what", "fix"),
    [
        ("2 * capacity", "2 * capacitty", "computes with `capacitty`, which nobody knows", "`capacity`"),
        ("2 * capacity", "1 / 0", "'1 / 0' gives no number", "arithmetic"),
        ("2 * capacity", "SERIES_7", "'SERIES_7' is no formula", "arithmetic"),
        ("2 * capacity", "-5", "`arrivals` of -5 is less than nothing", "write 0 or more"),
        ("2 * capacity", "[]", "a list is no formula", "arithmetic"),
        ("    says", "    fires: [LLMQueueDeep]\n    says", "names `LLMQueueDeep`, which is no alert", "DepthHigh"),
        ("    says", "    also: [GPUXidError rebot]\n    says", "GPUXidError has no such rule", "`reboot`"),
        ("    says", "    hide: [runing]\n    says", "hides `runing`, which is no signal", "`running`"),
        ("    says", "    holds: {'sum(': 1}\n    says", "asks what does not parse", "PromQL"),
        ("    says", "    holds: {'pool:runing:sum': 1}\n    says", "asks for `pool:runing:sum`", "`pool:running:sum`"),
        ("    says", "    labels: {LLMQueue: [{}]}\n    says", "labels `LLMQueue`, which is no alert", "LLMQueue"),
        ("    says", "    history: 99999d\n    says", "is no time to wait for", "a week at most"),
    ],
)  # fmt: skip
def test_a_fault_that_would_prove_less_than_it_says_is_refused(
    said: Said, old: str, new: str, what: str, fix: str
) -> None:
    """A name that nobody knows would silently change nothing in the simulated fleet."""
    found = [one for one in said(FAULT.replace(old, new, 1), "rules/faults.yaml") if what in one.what]
    assert found, said(FAULT.replace(old, new, 1), "rules/faults.yaml")
    assert "overload" in found[0].what
    assert fix in found[0].fix


def test_a_choice_that_a_dashboard_does_not_offer_is_refused(said: Said, tmp_path: Path) -> None:
    """With its variable renamed, every query for `$pool` would be sent as it stands."""
    page = (content.root() / "dashboards" / "pool.yaml").read_text()
    found = said(page.replace("  pool: {values", "  model: {values"), "dashboards/pool.yaml")
    assert [one.what for one in found] == ["asks for `$pool`, which is no variable of this dashboard"]
    assert found[0].where == f"{tmp_path}/dashboards/pool.yaml:7"


def test_a_panel_over_something_that_is_no_series_is_refused(said: Said) -> None:
    """A window of values parses, and draws nothing."""
    page = (content.root() / "dashboards" / "pool.yaml").read_text()
    (found,) = said(
        page.replace("[pool:queue_wait:p95]", "['pool:queue_wait:p95[5m]']"), "dashboards/pool.yaml"
    )
    assert found.what == "gives no series"


class TestFolders:
    """A folder that was named to change something changes something, or is told to change nothing."""

    def test_an_empty_folder_is_refused(self, tmp_path: Path) -> None:
        """A path that was mistyped would otherwise compile the built-in content in silence."""
        with pytest.raises(Refused) as refused:
            load(content.root(), tmp_path)
        (found,) = refused.value.findings
        assert found.where == str(tmp_path)
        assert found.what == "the folder holds nothing of a catalogue"
        assert "`rules/`" in found.fix

    @pytest.mark.parametrize(
        ("file", "what", "fix"),
        [
            ("rule/own.yaml", "nothing reads a folder `rule`", "did you mean `rules`?"),
            ("Runbooks/Own.md", "nothing reads a folder `Runbooks`", "did you mean `runbooks`?"),
            ("exporters/engine/own.yaml", "nothing reads a folder `engine`", "did you mean `engines`?"),
            ("rules/own.yml", "nothing reads this file", "what is read: `rules/*.yaml`"),
            ("rules/llm/own.yaml", "nothing reads this file", "what is read: `rules/*.yaml`"),
            ("exporters/own.yaml", "nothing reads this file", "`exporters/signals/*.yaml`"),
        ],
    )
    def test_what_nothing_reads_is_told_with_what_would_be(
        self, said: Said, file: str, what: str, fix: str
    ) -> None:
        """Beside content that is read, too."""
        said(ALERT)
        found = [one for one in said("alerts: {}\n", file) if one.what == what]
        assert found
        assert fix in found[0].fix

    def test_what_a_team_keeps_beside_its_content_is_its_own(self, said: Said) -> None:
        """Tests, notes and hidden files are no content."""
        said("x", "tests/own.yaml")
        said("x", "rules/README.md")
        said("x", "rules/.draft.yaml")
        assert said(ALERT) == []

    def test_a_folder_in_the_place_of_a_page_is_told_in_words(self, said: Said, tmp_path: Path) -> None:
        """Nobody has to know what number the system gives to it."""
        (tmp_path / "runbooks" / "LLMFoo.md").mkdir(parents=True)
        (found,) = said(ALERT)
        assert found.where == f"{tmp_path}/runbooks/LLMFoo.md"
        assert found.what == "cannot be read: Is a directory"
        assert found.fix == "put a file there, or rename the folder"

    def test_a_file_of_ones_own_is_named_by_its_own_path(self, said: Said, tmp_path: Path) -> None:
        """`dashboards/pool.yaml` alone would be the built-in one."""
        files = ("dashboards/pool.yaml", "rules/faults.yaml", "exporters/engines/vllm.yaml")
        for file in files:
            found = said("nope: ]", file)
        assert [one.where for one in found] == sorted(f"{tmp_path}/{file}:1" for file in files)


def test_a_reason_stands_alone_for_whoever_reads_it() -> None:
    """It cites nothing that a stranger does not have: a page of ours, or sources without an address."""
    catalogue = load(content.root())
    reasons = [entry.why for entry in (*catalogue.thresholds.values(), *catalogue.alerts.values())]
    assert [why for why in reasons if re.search(r"\.md\b|\bsources?\b|\bsource documents", why)] == []


def test_a_cause_outlasts_the_pages_that_follow_from_it() -> None:
    """Were the cause over first, its consequences would page as the incident ends: inhibition lifts with it."""
    paging = [
        alert
        for alert in load(content.root()).alerts.values()
        if alert.causes is not None and any(rule.severity == "page" for rule in alert.rules)
    ]
    tiers = {0: 0, 1: 0, 2: 1, 3: 1, 4: 1, 5: 2}
    too_short = [
        (cause.name, consequence.name)
        for cause in paging
        for consequence in paging
        if tiers[cause.causes or 0] < tiers[consequence.causes or 0]
        and cause.keep_firing_for < consequence.keep_firing_for + 300
    ]
    assert too_short == []
