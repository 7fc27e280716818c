"""A frozen baseline: written from a live server, read by the rules, and what it changes after a week."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from math import cos, pi
from pathlib import Path
from random import Random

import pytest
import yaml
from click.testing import CliRunner

from sre import content
from sre.answers import Series
from sre.catalogue.load import load
from sre.checks.backtest.samples import packed, request, series
from sre.checks.backtest.scratch import scratch
from sre.cli import main
from sre.compile.frozen import Freezer, render, replies_needed
from sre.compile.planning import make_plan
from sre.compile.prometheus import render as render_rules
from sre.fleet import Fleet
from sre.lab.pages import Page, serve
from sre.lab.programs import find
from sre.prometheus import own_server

TOOLS = Path(__file__).parents[1] / "tools" / "shift"
VLLM = {"kind": "vllm", "version": "0.32.0"}
HOUR, DAY = 3600, 86400
BOUNDS = ("20.0", "100.0", "500.0", "2000.0", "+Inf")
CALM, LONG = (0.2, 0.5, 0.8, 0.98, 1.0), (0.1, 0.2, 0.5, 0.9, 1.0)
"""Shares of replies up to each bound: the usual, and as many are longer that the distributions are 0.3 apart."""


@pytest.fixture(scope="module", autouse=True)
def tools() -> Iterator[None]:
    """The tools import each other by name, as scripts of one folder do."""
    sys.path.insert(0, str(TOOLS))
    yield
    sys.path.remove(str(TOOLS))


@cache
def catalogue():
    return load(content.root())


def fleet(*pools, **more):
    return {"version": 1, "name": "known", "pools": [{"name": one, "engine": VLLM} for one in pools], **more}


def plan(*pools, **more):
    return make_plan(Fleet.model_validate(fleet(*pools, **more)), catalogue())


def recorded(pool, hours, shares, replies=300.0):
    """What the rules record of a pool, ``shares`` and ``replies`` by hour: an hour's end, name -> series."""
    ends = [HOUR * (hour + 1) for hour in hours]
    own = {"pool": pool}

    def one(name, number, **labels):
        return Series({"__name__": name, **own, **labels}, tuple((float(at), number(at)) for at in ends))

    count = replies if callable(replies) else lambda _: replies
    return {
        "pool_le:output_tokens:cdf1h": [
            one("pool_le:output_tokens:cdf1h", lambda at, i=i: shares(at)[i], le=le)
            for i, le in enumerate(BOUNDS)
        ],
        "pool:output_tokens:count1h": [one("pool:output_tokens:count1h", count)],
        "pool:output_tokens:mean1h": [one("pool:output_tokens:mean1h", lambda at: 100 + 10 * shares(at)[0])],
    }


def rules_of(frozen):
    return {(rule.record, rule.labels.get("le", "")): rule.expr for rule in frozen.rules}


class TestWhatIsFrozen:
    """Pure: recorded hours in, constants out."""

    def test_an_hour_counts_by_its_replies(self):
        """A quiet hour with other lengths moves the frozen distribution by its few replies only."""
        shares, replies = (lambda at: LONG if at == HOUR else CALM), lambda at: 100.0 if at == HOUR else 900.0
        freezer = Freezer(catalogue(), "pool", recorded("chat", range(2), shares, replies))
        frozen = freezer.freeze((("pool", "chat"),), 0.15)
        found = rules_of(frozen)
        assert found["pool_le:output_tokens:cdf1h_frozen", "100.0"] == "vector(0.47)"
        assert found["pool:output_tokens:count1h_frozen", ""] == "vector(1000)"
        assert found["pool:output_tokens:mean1h_frozen", ""] == "vector(101.9)"
        assert (frozen.replies, frozen.hours, frozen.daily) == (1000, 2, False)

    def test_hours_that_differ_are_kept_apart(self):
        """Where nights have other replies than days, each hour of the day is compared with its own."""
        night = lambda at: LONG if 1 <= at // HOUR % 24 <= 6 else CALM  # noqa: E731
        freezer = Freezer(catalogue(), "pool", recorded("chat", range(7 * 24), night))
        frozen = freezer.freeze((("pool", "chat"),), 0.15)
        assert frozen.daily
        assert rules_of(frozen)["pool_le:output_tokens:cdf1h_frozen", "100.0"] == (
            "(0.5 + -0.3 * minute() / 60 and on () (hour() == 0)) or (vector(0.2) and on () (hour() >= 1 <= 5))"
            " or (0.2 + 0.3 * minute() / 60 and on () (hour() == 6)) or (vector(0.5) and on () (hour() >= 7 <= 23))"
        )
        # A week of 300 replies in each hour of the day.
        assert rules_of(frozen)["pool:output_tokens:count1h_frozen", ""] == "vector(2100)"

    def test_an_hour_of_few_replies_takes_the_whole(self):
        """An hour of the day too quiet to be told from chance is compared with all of them."""
        night = lambda at: LONG if 1 <= at // HOUR % 24 <= 6 else CALM  # noqa: E731
        quiet = lambda at: 5.0 if at // HOUR % 24 == 12 else 300.0  # noqa: E731
        freezer = Freezer(catalogue(), "pool", recorded("chat", range(7 * 24), night, quiet))
        text = rules_of(freezer.freeze((("pool", "chat"),), 0.15))[
            "pool_le:output_tokens:cdf1h_frozen", "100.0"
        ]
        # 17 of 23 hours and five replies are usual, six hours are not.
        assert "(0.4218 + 0.0782 * minute() / 60 and on () (hour() == 12))" in text

    def test_each_team_on_a_model_has_its_own(self):
        """Of a team's replies the series carry team, model and pool, as those that the rules compare with."""
        owner = {"consumer": "search", "model": "llama", "pool": "chat"}
        read = {
            name.replace("pool", "consumer"): [Series({**one.labels, **owner}, one.points) for one in found]
            for name, found in recorded("chat", range(24), lambda _: CALM).items()
        }
        freezer = Freezer(catalogue(), "consumer", read)
        (rule, *_) = freezer.freeze(tuple(sorted(owner.items())), 0.15).rules
        assert rule.record == "consumer_le:output_tokens:cdf1h_frozen"
        assert rule.labels == {**owner, "le": "20.0"}

    def test_how_many_replies_are_enough(self):
        """By chance the frozen distribution is no further off than half of the limit: 676 replies at 15 %."""
        assert replies_needed(0.15) == 676

    @pytest.mark.parametrize("target", ["prometheus", "operator"])
    def test_promtool_takes_the_file(self, target, tmp_path):
        """The file is valid for promtool, its objects hold the same rules, and the same data give the same bytes."""
        night = lambda at: LONG if 1 <= at // HOUR % 24 <= 6 else CALM  # noqa: E731
        read = recorded("chat", range(48), night)
        one, other = (
            render(
                plan("chat"),
                [Freezer(catalogue(), "pool", part).freeze((("pool", "chat"),), 0.15)],
                "x",
                target,
            )
            for part in (read, {name: list(reversed(found)) for name, found in read.items()})
        )
        assert one == other
        (data,) = yaml.safe_load_all(one)
        groups = data if target == "prometheus" else data["spec"]
        (tmp_path / "frozen.yaml").write_text(yaml.safe_dump({"groups": groups["groups"]}))
        command = [
            find("promtool")["promtool"],
            "check",
            "rules",
            "--lint-fatal",
            str(tmp_path / "frozen.yaml"),
        ]
        checked = subprocess.run(command, check=False, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stdout + checked.stderr


# --- a week ------------------------------------------------------------------------------------------------------

STEP = 600
SHIFT = DAY + 2 * HOUR
"""When replies become longer: for good, or for three hours."""
WEEK_ON = SHIFT + 7 * DAY + 90 * 60


def histogram(pool, rate, shares, until):
    """The raw series of one replica; ``rate`` replies an hour and their ``shares``, by the second."""
    labels = f'job="{pool}",instance="{pool}:8000",namespace="llm",pod="{pool}-0",model_name="{pool}"'
    columns = [[0.0] for _ in BOUNDS]
    for at in range(STEP, until + 1, STEP):
        for column, share in zip(columns, shares(at), strict=True):
            column.append(column[-1] + rate(at) * STEP / HOUR * share)
    for le, column in zip(BOUNDS, columns, strict=True):
        yield f'vllm:request_generation_tokens_bucket{{{labels},le="{le}"}}', column
    yield f"vllm:request_generation_tokens_count{{{labels}}}", columns[-1]
    middles = (10, 60, 300, 1250, 4000)
    below = [[0.0] * len(columns[0]), *columns[:-1]]
    own = [[up - down for up, down in zip(*pair, strict=True)] for pair in zip(columns, below, strict=True)]
    sums = [sum(m * n for m, n in zip(middles, counts, strict=True)) for counts in zip(*own, strict=True)]
    yield f"vllm:request_generation_tokens_sum{{{labels}}}", sums


def drawn(seed, until):
    """Replies of a small pool, 110 an hour, with the heavy tail of code assistants: counted one by one."""
    random, found = Random(seed), {}  # noqa: S311
    for at in range(STEP, until + 1, STEP):
        lengths = [
            random.lognormvariate(3, 1.3) for _ in range(round(110 * STEP / HOUR + random.gauss(0, 4)))
        ]
        counts = [sum(length <= float(le) for length in lengths) for le in BOUNDS]
        found[at] = (len(lengths), [count / len(lengths) for count in counts])
    return (lambda at: found[at][0] * HOUR / STEP), (lambda at: found[at][1])


def demand(at):
    """Between 200 replies an hour at night and 2700 by day."""
    return 1450 - 1250 * cos(2 * pi * at / DAY)


STORIES = {
    "day-and-night": (demand, lambda _: CALM),
    "lasting": (lambda _: 1000.0, lambda at: LONG if at > SHIFT else CALM),
    "incident": (lambda _: 1000.0, lambda at: LONG if SHIFT < at <= SHIFT + 3 * HOUR else CALM),
    "nights": (lambda _: 1000.0, lambda at: LONG if at // HOUR % 24 < 6 else CALM),
    "few": (lambda _: 50.0, lambda at: LONG if at > SHIFT else CALM),
    "small": drawn(4, WEEK_ON),
}
KEPT = {
    "lasting": lambda _: CALM,
    "incident": lambda _: CALM,
    "nights": lambda at: LONG if 1 <= at // HOUR % 24 <= 6 else CALM,
}
"""Pools of which a twin has a frozen baseline, and of what."""


@pytest.fixture(scope="module")
def week():
    """Names of pools for which the alert fires, by second; pools with `-kept` have a frozen baseline."""
    from play import FIRING, ask, needed

    twins = {f"{name}-kept": STORIES[name] for name in KEPT}
    stories = {**STORIES, **twins}
    # The steps are wide, to be cheap; what counts samples of an hour is compiled for them.
    made = Fleet.model_validate(fleet(*stories)).model_copy(update={"evaluation_interval": STEP})
    groups = needed(make_plan(made, catalogue()))
    lines = [line for name, story in stories.items() for line in histogram(name, *story, WEEK_ON)]
    calm = {f"{name}-kept": shares for name, shares in KEPT.items()}
    freezers = [
        Freezer(catalogue(), "pool", recorded(name, range(48), shares, 1000.0))
        for name, shares in calm.items()
    ]
    frozen = [one.freeze(one.owners[0], 0.15) for one in freezers]
    moments = [SHIFT + 90 * 60, SHIFT + 5 * DAY, WEEK_ON]
    ever = f"group by (pool) (max_over_time({FIRING}[{WEEK_ON}s]))"
    lately = f"group by (pool) (max_over_time({FIRING}[{WEEK_ON - 7 * DAY - 3 * HOUR}s]))"
    asked = [*((FIRING, at) for at in moments), (ever, WEEK_ON), (lately, WEEK_ON)]
    found = ask(groups, lines, asked, render(plan(*stories), frozen, "x", "prometheus"), STEP)
    return dict(
        zip(
            [*moments, "ever", "second week"],
            [{got.labels["pool"] for got in one} for one in found],
            strict=True,
        )
    )


class TestAWeek:
    """The compiled rules in promtool's virtual time, over more than a week."""

    def test_a_shift_is_seen_at_once(self, week):
        """Longer replies fire within the hour and a half, with a frozen baseline and without."""
        moved = {"lasting", "lasting-kept", "incident", "incident-kept"}
        assert moved <= week[SHIFT + 90 * 60] <= {*moved, "nights"}

    def test_a_frozen_baseline_does_not_forget(self, week):
        """A shift that lasts is still one after a week; last week's same hour has taken it for the usual by then."""
        assert "lasting-kept" in week[WEEK_ON]
        assert "lasting" not in week[WEEK_ON]

    def test_an_incident_is_not_the_usual_a_week_later(self, week):
        """A week after an incident it fires the other way round, but not where the baseline is frozen."""
        assert "incident" in week[WEEK_ON]
        assert "incident-kept" not in week[WEEK_ON]

    def test_demand_alone_never_fires(self, week):
        """Days with thirteen times the requests of nights are no shift, in the first week and after it."""
        assert "day-and-night" not in week["ever"]

    def test_nights_of_other_replies_are_no_shift(self, week):
        """Batch jobs by night are the usual of the night: each hour of the day is compared with its own.

        From the second week on last week's same hour does as much; a mean of the day before that does not.
        """
        assert week["second week"].isdisjoint({"nights-kept", "nights"})
        assert "nights" in week["ever"]

    def test_few_replies_never_fire(self, week):
        """Of fifty replies an hour nothing is concluded, and chance in a hundred and ten fires nothing all week."""
        assert {"few", "small"} & week["ever"] == set()


# --- a live server -----------------------------------------------------------------------------------------------

NOW = int(time.time()) // HOUR * HOUR
CALM_END = NOW - 20 * DAY
HOURS = range((CALM_END - 2 * DAY) // HOUR, CALM_END // HOUR)


def written(found):
    """Recorded series for a server."""
    for many in found.values():
        for one in many:
            yield series(one.labels, [(round(at * 1000), packed(value)) for at, value in one.points])


@pytest.fixture(scope="module")
def server():
    """Two calm days: a busy pool, one with five replies an hour, one that the fleet does not declare."""
    with scratch() as found:
        for pool, replies in (("chat", 300.0), ("seldom", 5.0), ("stranger", 300.0)):
            found.server.write(request(written(recorded(pool, HOURS, lambda _: CALM, replies))))
        alert = {
            "__name__": "ALERTS",
            "alertname": "LLMOutputLengthShift",
            "alertstate": "firing",
            "pool": "chat",
        }
        found.server.write(request([series(alert, [((CALM_END + 3 * HOUR) * 1000, packed(1.0))])]))
        yield found.server.url


@pytest.fixture
def freeze(tmp_path):
    """``freeze(url, pools, *arguments)`` -> (exit code, the file's text or None, all that was said)."""

    def run(url, pools, *arguments, since="2d", at=CALM_END):
        (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(fleet(*pools)))
        end = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(at))
        command = ["baseline", "freeze", str(tmp_path / "fleet.yaml"), "--prometheus", url, "-o",
                   str(tmp_path / "frozen.yaml"), "--since", since, "--at", end, *arguments]  # fmt: skip
        done = CliRunner().invoke(main, command, catch_exceptions=False)
        text = (tmp_path / "frozen.yaml").read_text() if (tmp_path / "frozen.yaml").exists() else None
        return done.exit_code, text, done.output + done.stderr

    return run


class TestTheCommand:
    """`sre baseline freeze` against a real Prometheus."""

    def test_what_is_there_is_frozen(self, freeze, server):
        """Whole hours of a pool become its constants, the same ones each time; others' pools are left out."""
        code, text, said = freeze(server, ["chat"])
        assert code == 0
        assert "chat: 14400 replies in 48 hours" in said
        assert "recorded here that the fleet does not declare: `seldom`, `stranger`" in said
        rules = yaml.safe_load(text)["groups"][0]["rules"]
        assert {rule["labels"]["pool"] for rule in rules} == {"chat"}
        assert {
            "record": "pool:output_tokens:count1h_frozen",
            "expr": "vector(14400)",
            "labels": {"pool": "chat"},
        } in rules
        assert freeze(server, ["chat"])[:2] == (0, text)

    def test_too_few_replies_and_none_are_findings(self, freeze, server):
        """A pool with too few replies and one without series are told, the others are written, and the exit is 1."""
        code, text, said = freeze(server, ["chat", "seldom", "absent"])
        assert code == 1
        assert "seldom has 240 replies in this stretch, 676 are needed" in " ".join(said.split())
        assert "nothing of absent's replies is recorded in this stretch" in said
        assert "fleet.yaml:" in said
        assert "pool: chat" in text
        assert "seldom" not in text

    def test_nothing_to_freeze_writes_nothing(self, freeze, server):
        """Without any pool that can be frozen no file appears, and the exit is 1."""
        code, text, said = freeze(server, ["absent"])
        assert (code, text) == (1, None)
        assert "Nothing could be frozen" in said

    def test_an_incident_in_the_stretch_is_told(self, freeze, server):
        """A stretch in which the alert fired is frozen with a warning."""
        code, _, said = freeze(server, ["chat"], at=CALM_END + 6 * HOUR)
        assert code == 0
        assert "chat: warning: the alert on the lengths of replies fired in this stretch" in " ".join(
            said.split()
        )

    def test_a_file_of_somebody_else_is_kept(self, freeze, server, tmp_path):
        """A file that this command did not write is not overwritten."""
        (tmp_path / "frozen.yaml").write_text("groups: []\n")
        code, text, said = freeze(server, ["chat"])
        assert (code, text) == (2, "groups: []\n")
        assert "not from this command" in said

    def test_a_partial_answer_exits_3(self, freeze):
        """A server that answers in part gives no baseline."""
        body = {
            "status": "success",
            "warnings": ["a store is away"],
            "data": {"resultType": "matrix", "result": []},
        }
        with serve(lambda _: Page(json.dumps(body).encode(), "application/json")) as url:
            code, text, said = freeze(url, ["chat"])
        assert (code, text) == (3, None)
        assert "answered partially" in said


def prometheus_over(rules):
    """Arguments of a Prometheus that takes old samples and evaluates the rule files of a folder."""

    def make(folder, port):
        (folder / "prometheus.yml").write_text(yaml.safe_dump({"rule_files": [f"{rules}/*.yaml"]}))
        return [
            "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.enable-lifecycle",
            "--storage.tsdb.min-block-duration=10y", "--storage.tsdb.max-block-duration=10y",
            "--storage.tsdb.retention.time=100y", "--web.enable-remote-write-receiver",
            f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
        ]  # fmt: skip

    return make


def test_a_real_server_compares_with_what_was_frozen(start_program, fetch, until, freeze, tmp_path):
    """Frozen from backfilled days and loaded, the shift of a week ago is one again: 0.3 apart, not 0."""
    rules = tmp_path / "rules"
    rules.mkdir()
    url = start_program(prometheus_over(rules), "/-/ready").url
    asked, now = own_server(url, 30), int(time.time())
    asked.write(request(written(recorded("chat", HOURS, lambda _: CALM))))
    # A week ago replies were as long as now: last week's same hour finds nothing.
    ago = [now - 168 * HOUR - 35 * 60 + 30 * i for i in range(150)]
    for i, le in enumerate(BOUNDS):
        labels = {"__name__": "pool_le:output_tokens:cdf1h", "pool": "chat", "le": le}
        asked.write(request([series(labels, [(at * 1000, packed(LONG[i])) for at in ago])]))
    since = now - 70 * 60
    for name, (_, grown, *_) in histogram("chat", lambda _: 1000.0, lambda _: LONG, STEP):
        labels = dict(re.findall(r'(\w+)="([^"]*)"', name), __name__=name.partition("{")[0])
        points = [((since + 30 * i) * 1000, packed(grown * 30 * i / STEP)) for i in range(200)]
        asked.write(request([series(labels, points)]))
    for artefact in render_rules(plan("chat")):
        group = Path(artefact.path).name
        if group.startswith(("llm-engine", "llm-seldom", "llm-baseline", "llm-fleet")):
            text = re.sub(r"interval: \w+", "interval: 1s", artefact.text)
            (rules / group).write_text(text)
    fetch(f"{url}/-/reload", b"")

    def apart():
        found = asked.query("pool:output_tokens:ks1h")
        return round(found[0].value, 2) if found else None

    until(lambda: apart() == 0, "the distance to last week's same hour")
    code, text, said = freeze(url, ["chat"])
    assert code == 0, said
    (rules / "llm-frozen.yaml").write_text(re.sub(r"interval: \w+", "interval: 1s", text))
    fetch(f"{url}/-/reload", b"")
    until(lambda: apart() == 0.3, "the distance to what was frozen")
    (count,) = asked.query("pool:output_tokens:count1h_baseline")
    assert count.value == 14400
