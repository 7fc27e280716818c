"""Runbooks: what the person who was woken reads, and what is refused before anybody has to read it."""

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from markdown_it import MarkdownIt

from sre import content
from sre.catalogue import known
from sre.catalogue.commands import COMMANDS
from sre.catalogue.load import load
from sre.catalogue.model import Catalogue
from sre.catalogue.runbook_review import query_macros, review_runbooks
from sre.catalogue.runbooks import ASKED, Expectation, Question, load_runbooks
from sre.compile import runbooks
from sre.compile.identity import Identity
from sre.compile.limits import of_alert, spell
from sre.compile.planning import make_plan
from sre.fleet import Fleet
from sre.units import format_duration

EXAMPLE = yaml.safe_load((Path(__file__).parent.parent / "examples" / "fleet.yaml").read_text())
IDENTITIES = ("kubernetes", "host")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load(content.root())


def fleet(**changes: Any) -> Fleet:
    """The example fleet with an exporter of usage, so that no alert is blind."""
    return Fleet.model_validate({**EXAMPLE, "usage_exporter": {"job": "sre-exporter"}, **changes})


def pages(catalogue: Catalogue, **changes: Any) -> dict[str, str]:
    """Rendered pages by alert name."""
    rendered = runbooks.render(make_plan(fleet(**changes), catalogue))
    return {Path(artefact.path).stem: artefact.text for artefact in rendered}


def named(*names: str) -> list[dict[str, Any]]:
    """Pools with these names."""
    engine = {"kind": "vllm", "version": "0.32.0"}
    return [
        {"name": name, "engine": engine, "gpus": {"type": "h100", "per_replica": 2, "replicas": 2}}
        for name in names
    ]


def without_rule(page: str) -> str:
    return page.partition("\n## The rule in Prometheus\n")[0].rstrip("\n")


# --- the content --------------------------------------------------------------------------------------------


def test_every_alert_has_one_page_and_every_page_an_alert(catalogue):
    """Nobody is woken without a page, and no page is left over from an alert that is gone."""
    assert catalogue.runbooks.keys() == catalogue.alerts.keys()


def test_nothing_is_wrong_with_the_pages_that_are_shipped(catalogue):
    """No error and no warning: names, links and queries exist, and no number is typed twice."""
    _, alone = load_runbooks(content.root() / "runbooks")
    assert [*alone, *review_runbooks(catalogue)] == []


@pytest.mark.parametrize("identity", IDENTITIES)
def test_a_page_is_between_40_and_70_lines_long(catalogue, identity):
    """Short enough to read at night; every line counts but the rule as Prometheus has it, at the end."""
    lengths = {
        name: len(without_rule(page).split("\n"))
        for name, page in pages(catalogue, identity=identity).items()
    }
    assert {name: length for name, length in lengths.items() if not 40 <= length <= 70} == {}


def test_the_anomaly_goes_through_its_four_causes_in_the_order_of_the_rule(catalogue):
    """The label `cause` leads to the hypothesis of that name."""
    rule = catalogue.alerts["LLMQueueUtilizationAnomaly"].rules[0]
    causes = re.findall(r'"cause", "(\w+)"', " ".join(rule.branches))
    told = [
        re.search(r"`(\w+)`", h.name)[1] for h in catalogue.runbooks["LLMQueueUtilizationAnomaly"].hypotheses
    ]
    assert told == causes == ["kv_cache", "memory_bandwidth", "batching", "unknown"]


def test_the_xid_page_asks_for_the_codes_of_each_action(catalogue):
    """The codes come from the rules, so that page and alert never disagree about what a code needs."""
    page = pages(catalogue)["GPUXidError"]
    by_action = {rule.fixed["action"]: rule.branches[0] for rule in catalogue.alerts["GPUXidError"].rules}
    for action in ("restart_app", "reset_gpu", "reboot", "contact"):
        codes = re.search(r'"([\d|]+)"', by_action[action])[1]
        asked = next(line for line in page.split("\n") if line.startswith("- Ask") and f'"{codes}"' in line)
        assert f"`{action}`" in page.split(asked)[0].rsplit("### ", 1)[1]
    links = re.search(r'xid=~"(74[\d|]+)"', page)[1].split("|")
    assert set(links) <= set(re.search(r'"([\d|]+)"', by_action["reset_gpu"])[1].split("|"))


# Long options that are not vLLM's belong to kubectl, nvidia-smi and their like. Read off vllm/engine/arg_utils.py and
# vllm/entrypoints (0.32.0) and the engine arguments of older releases (docs.vllm.ai).
VLLM_FLAGS = {
    "--api-server-count", "--custom-histogram-buckets", "--disable-log-stats", "--enable-force-include-usage",
    "--generation-config", "--gpu-memory-utilization", "--kv-cache-dtype", "--long-prefill-token-threshold",
    "--max-loras", "--max-model-len", "--max-num-batched-tokens", "--max-num-queued-reqs", "--max-num-seqs",
    "--no-enable-prefix-caching", "--override-generation-config", "--served-model-name", "--tensor-parallel-size",
}  # fmt: skip
OTHER_FLAGS = {
    "--alertmanager", "--config", "--delete-emptydir-data", "--failed", "--field-selector", "--format", "--full",
    "--gpu-reset", "--ignore-daemonsets", "--image", "--no-pager", "--previous", "--profile", "--prometheus",
    "--query-compute-apps", "--raw", "--replicas", "--since", "--sort-by", "--tail", "--version",
}  # fmt: skip


def test_every_flag_on_a_page_exists(catalogue):
    """A flag that the engine refuses costs a restart in the middle of an incident."""
    everything = "\n".join(
        page for identity in IDENTITIES for page in pages(catalogue, identity=identity).values()
    )
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", everything)) <= VLLM_FLAGS | OTHER_FLAGS


# --- the questions ------------------------------------------------------------------------------------------

XIDS = ("13", "48", "57", "64", "74", "79", "94")
BELOW = {
    "pool_le": [{"le": "0.5"}, {"le": "+Inf"}],
    "pool_type": [{"error_type": "invalid_input"}, {"error_type": "oom"}],
    "pool_status": [{"status": "2xx"}],
    "pool_reason": [{"reason": "length"}, {"reason": "repetition"}],
    "pool_signal": [{"signal": "gpu_xid"}, {"signal": "ttft"}],
}


def owners(identity: Identity) -> Iterator[dict[str, str]]:
    """Two pools of two replicas each."""
    for pool in ("chat", "batch"):
        for index in (0, 1):
            labels = {
                "pool": pool,
                "namespace": "llm",
                "pod": f"{pool}-{index}",
                "host": f"{pool}-host-{index}",
            }
            labels["instance"] = f"{labels['host']}:8000"
            yield {name: labels[name] for name in {*identity.replica, *identity.owner}} | {
                "host": labels["host"]
            }


def cards(identity: Identity) -> Iterator[dict[str, str]]:
    """Two cards per replica, one slice among them, and one card that nobody owns."""
    for owner in owners(identity):
        for index in (0, 1):
            mig = {"mig": "3"} if index else {}
            yield {**owner, "uuid": f"GPU-{owner['host']}-{index}", "gpu": f"{index}", **mig}
    yield {"uuid": "GPU-spare", "gpu": "7", "host": "spare"}


def series(identity: Identity, name: str) -> list[dict[str, str]]:
    """The label sets under which a recorded series exists."""
    level, _, rest = name.partition(":")
    match level.split("_")[0]:
        case "pool":
            return [{"pool": pool, **more} for pool in ("chat", "batch") for more in BELOW.get(level, [{}])]
        case "replica":
            return [{label: owner[label] for label in identity.replica} for owner in owners(identity)]
        case "gpu":
            reasons = (
                [{"reason": reason} for reason in ("hw_thermal", "hw_slowdown", "power_brake")]
                if rest.startswith("throttled")
                else [{}]
            )
            more = [{"xid": xid} for xid in XIDS] if level == "gpu_xid" else reasons
            return [{**card, **extra} for card in cards(identity) for extra in more]
        case "host":
            return [{"host": card["host"]} for card in cards(identity) if card["gpu"] != "1"]
        case "model":
            return [{"model": "llama", "pool": "chat"}, {"model": "mistral", "pool": "batch"}]
    return [{}]


def exposition(catalogue: Catalogue, identity: Identity) -> str:
    """Every series that a page may ask for, as if a server had recorded it; all values differ a little."""
    lines = []
    for name in sorted(known.series(catalogue)):
        for number, labels in enumerate(series(identity, name)):
            inside = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
            lines.append(f"{name}{{{inside}}} {1 + number / 100}\n")
    return "".join(lines)


def asked(catalogue: Catalogue, identity: Identity) -> Iterator[tuple[str, Question, str]]:
    """(alert, question, query) with everything filled in."""
    owner = next(iter(owners(identity)))
    values = {
        "pool": "chat", "replica": owner[identity.replica_label], "host": owner["host"], "model": "llama",
        "uuid": f"GPU-{owner['host']}-0",
    }  # fmt: skip
    assert values.keys() == set(ASKED)
    for name, page in catalogue.runbooks.items():
        macros = query_macros(catalogue, catalogue.alerts[name])
        macros |= {"replica": ", ".join(identity.replica), "replica_label": identity.replica_label}
        for question in page.questions:
            query = question.filled(values)
            yield name, question, re.sub(r"\$([a-z_]+)", lambda m, known=macros: known[m[1]], query)


@pytest.mark.parametrize("kind", IDENTITIES)
def test_every_query_runs_and_finds_its_series(catalogue, kind, start_prometheus):
    """In a real server, with several pools, replicas and cards, no query fails, and each sees what it asks for."""
    identity = Identity.of(fleet(identity=kind))
    page = {"job": "recorded", "text": exposition(catalogue, identity), "honor_labels": True}
    server = start_prometheus(page).url
    failed, empty = [], []
    for name, _, query in asked(catalogue, identity):
        # What looks back further than the server is old is asked without looking back.
        near = re.sub(r"\s*offset \w+", "", query)
        answer = requests.post(f"{server}/api/v1/query", {"query": near}, timeout=10).json()
        if answer["status"] != "success":
            failed.append((name, near, answer["error"]))
        elif not answer["data"]["result"] and not re.search(r"absent|unless|== 0|== 1|< 0\.5|:1h\]", near):
            empty.append((name, near))
    assert failed == []
    assert empty == []


@pytest.mark.parametrize(
    ("op", "true", "false"),
    [
        (">", "0.91", "0.9"),
        ("<", "0.89", "0.9"),
        (">=", "0.9", "0.89"),
        ("<=", "0.9", "0.91"),
        ("==", "0.9", "1"),
        ("!=", "1", "0.9"),
    ],
)
def test_an_expected_answer_can_be_judged_by_a_program(op, true, false):
    """What `sre triage` needs: the comparison is data, with a number or with the pool's own limit."""
    fixed = Expectation(op=op, bound=Decimal("0.9"), words="nearly full")
    limited = Expectation(op=op, threshold="kv_cache_usage", words="above the limit")
    assert fixed.holds(Decimal(true))
    assert not fixed.holds(Decimal(false))
    assert limited.holds(Decimal(true), Decimal("0.9"))
    assert not limited.holds(Decimal(false), Decimal("0.9"))


def test_hostile_labels_stay_values_in_a_query():
    """A pool called like a piece of PromQL is asked for, not executed."""
    question = Question.model_validate({"query": 'pool:ttft:p95{pool="{pool}"}', "shows": "> 1: slow"})
    assert (
        question.filled({"pool": 'a"} or vector(1) #\\'}) == 'pool:ttft:p95{pool="a\\"} or vector(1) #\\\\"}'
    )


# --- one fleet's numbers ------------------------------------------------------------------------------------


def test_a_page_shows_the_limits_of_each_pool(catalogue):
    """The table holds the fleet's own numbers, and a dash where a pool has no such promise."""
    page = pages(catalogue)["LLMInterTokenLatencyHigh"]
    assert "| chat-70b | 80ms | 20 |" in page
    assert "| extract-8b | - | 20 |" in page
    assert "| extract-8b | 200 |" in pages(catalogue)["LLMQueueDepthHigh"]


def test_a_sentence_tells_one_number_or_how_far_they_spread(catalogue):
    """Where pools differ, nobody reads another pool's number."""
    assert (
        "get their first token within the pool's limit (500ms to 2s)"
        in pages(catalogue)["LLMTimeToFirstTokenHigh"]
    )
    pools = [{**pool, "objectives": {"ttft_p95": "750ms"}} for pool in EXAMPLE["pools"]]
    page = pages(catalogue, pools=pools)["LLMTimeToFirstTokenHigh"]
    assert "get their first token within 750ms;" in page
    assert "true when **> 0.75**" in page


def test_a_changed_limit_or_duration_changes_its_page(catalogue):
    """No number is typed: with every default and duration changed, none of the old ones is left on its page."""
    thresholds = {
        name: limit.model_copy(update={"default": limit.default * Decimal("1.0625")})
        if limit.default
        else limit
        for name, limit in catalogue.thresholds.items()
    }
    alerts = {
        name: alert.model_copy(update={"for_": alert.for_ + 77, "within": alert.within + 777})
        for name, alert in catalogue.alerts.items()
    }
    pools = named("only")
    before = pages(catalogue, pools=pools)
    after = pages(replace(catalogue, thresholds=thresholds, alerts=alerts), pools=pools)
    assert "It always fires" in after["Watchdog"]
    for name, alert in catalogue.alerts.items():
        assert name == "Watchdog" or f"Fires at most {format_duration(alert.within + 777)}" in after[name]
        for limit in of_alert(alert, catalogue):
            if limit.default and limit.unit in ("seconds", "ratio", "celsius"):
                old = spell(limit.default, limit.unit)
                assert re.search(rf"(?<![\d.]){re.escape(old)}(?!\w)", before[name]), (name, old)
                prose = re.sub(r"`[^`]*`", "", without_rule(after[name]))
                assert not re.search(rf"(?<![\d.]){re.escape(old)}(?!\w)", prose), (name, old)


def test_a_long_table_ends_with_the_number_of_pools_left_out(catalogue):
    """Twenty rows, and how to see the rest."""
    page = pages(catalogue, pools=named(*(f"pool-{n:02d}" for n in range(23))))["LLMQueueDepthHigh"]
    assert "| pool-19 | 50 |" in page
    assert "pool-20" not in page
    assert "| and 3 more: ask `pool:queue_depth:threshold` |" in page


def test_a_page_says_which_rule_pages_and_which_does_not(catalogue):
    """Where one alert has several severities, each stands with its sentence."""
    page = pages(catalogue)["GPUTemperatureHigh"]
    assert '- **ticket**, act within the working day: "GPU {gpu} on {host}' in page
    assert '- **page**, someone was woken; act now: "GPU {gpu} on {host}' in page
    assert "| *no pool* | 83 °C | 2 °C |" in page


def test_a_page_ends_with_the_rule_as_it_was_written_for_prometheus(catalogue):
    """The reader sees the very condition that woke them."""
    plan = make_plan(fleet(), catalogue)
    rendered = pages(catalogue)
    for planned in plan.alerts:
        for rule in planned.rules:
            assert f"\n{rule.expr}\n" in rendered[planned.alert.name]


def test_counters_that_are_off_stand_on_the_page(catalogue):
    """An alert that needs a counter says that it is blind until then."""
    counters = "`DCGM_FI_DEV_CLOCKS_EVENT_REASONS`"
    assert f"It is **blind** until the GPU exporter sends {counters}" in pages(catalogue)["GPUThrottling"]


def test_a_blind_alert_says_why_and_how_to_make_it_see(catalogue):
    """Its page is short, and links to it lead somewhere."""
    page = pages(catalogue, usage_exporter=None)["LLMUsageUnaccounted"]
    assert "**Blind in this fleet**" in page
    assert "- no `usage_exporter` is declared in the fleet file" in page
    assert "`usage_exporter: {job: NAME}`" in page
    assert "## Hypotheses" not in page
    assert "dcgm" in pages(catalogue, gpu_exporter=None)["GPUMissing"]


def test_an_alert_that_no_pool_asks_for_is_off_and_says_so(catalogue):
    """Batch pools have no default objectives; the page tells how to write one down."""
    batch = [{**pool, "interactive": False} for pool in named("nightly")]
    page = pages(catalogue, pools=batch)["LLMRequestLatencyHigh"]
    assert "**Off in this fleet**" in page
    assert "Write the objective" in page


def test_a_question_that_this_fleet_cannot_answer_is_marked(catalogue):
    """Without a GPU exporter, an empty answer about cards is no all-clear."""
    page = pages(catalogue, gpu_exporter=None)["LLMInterTokenLatencyHigh"]
    assert "- Not measured in this fleet: `gpu:throttled:state`. No answer proves nothing here." in page


# --- commands -----------------------------------------------------------------------------------------------


def test_commands_are_those_of_the_fleets_own_kind(catalogue):
    """Nobody with bare machines reads kubectl, and nobody on Kubernetes is sent to systemctl."""
    kubernetes, host = (pages(catalogue, identity=identity) for identity in IDENTITIES)
    assert not re.search(r"\bssh\b|systemctl|\$UNIT", "\n".join(kubernetes.values()))
    assert not re.search(r"kubectl|\$POD|\$NS\b|`pod`|\{pod\}", "\n".join(host.values()))
    for name, (pods, machines) in COMMANDS.items():
        assert pods in "\n".join(kubernetes.values()), name
        assert machines in "\n".join(host.values()), name


@pytest.mark.parametrize("identity", IDENTITIES)
def test_every_shell_variable_is_set_at_the_top_of_its_page(catalogue, identity):
    """What is pasted from the middle of a page works, once its first block was filled in."""
    for name, page in pages(catalogue, identity=identity).items():
        top, _, rest = without_rule(page).partition("## Meaning")
        used = set(re.findall(r"\$([A-Z]{2,})\b", rest))
        assert used <= set(re.findall(r"\b([A-Z]{2,})=", top)), name
        assert ("`node " in rest) == ("node() {" in top), name


@pytest.mark.parametrize("identity", IDENTITIES)
def test_commands_are_sound_shell(catalogue, identity, tmp_path):
    """Quotes are closed and pipes complete, in the first block and in every command of the text."""
    begins = ("kubectl", "ssh", "node", "curl", "amtool", "promtool", "nvidia-smi", "dcgmi", "ping", "df")
    script = []
    for page in pages(catalogue, identity=identity).values():
        told = without_rule(page)
        script += re.findall(r"```sh\n(.*?)\n```", told, re.DOTALL)
        script += [code for code in re.findall(r"`([^`\n]+)`", told) if code.split()[0] in begins]
    assert len(script) > 150
    (tmp_path / "all.sh").write_text("\n".join(script))
    checked = subprocess.run(["bash", "-n", tmp_path / "all.sh"], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


# --- Markdown -----------------------------------------------------------------------------------------------

HOSTILE = (
    "`tick`", "a|b", "<script>alert(1)</script>", "{{threshold}}", "{{#host}}x{{/host}}",
    "[click](http://evil.example)", "*bold*", "_slanted_", "www.evil.example", "https://evil.example", "&amp;",
    "back\\|slash", "# head", "~~gone~~", "$PATH $(id)", "!e[x]",
)  # fmt: skip


def test_hostile_names_stay_names_in_tables(catalogue):
    """Backticks, pipes, HTML, links and template braces print as themselves, whatever reads the Markdown."""
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for name, page in pages(catalogue, pools=named(*HOSTILE)).items():
        tokens = reader.parse(page)
        rows = [
            t.children for i, t in enumerate(tokens) if t.type == "inline" and tokens[i - 1].type == "td_open"
        ]
        told = ["".join(part.content for part in cell) for cell in rows]
        if told:
            assert [pool for pool in HOSTILE if pool not in told] == [], name
            kinds = {part.type for cell in rows for part in cell if "more: ask" not in part.content}
            assert kinds <= {"text", "text_special", "em_open", "em_close"}, name
        assert not any(t.type.startswith("html") for t in tokens)
        assert "{{" not in without_rule(page)
        assert "www.evil" not in page
        assert "https://evil" not in page


def test_a_blind_alert_with_hostile_names_keeps_them_inert(catalogue):
    """Reasons quote the fleet file; they are text as well."""
    pools = [{**pool, "engine": {"kind": "vllm", "version": "0.6.0"}} for pool in named(*HOSTILE)]
    for page in pages(catalogue, pools=pools, usage_exporter=None).values():
        assert "<script>" not in without_rule(page)


@pytest.mark.parametrize(
    "changes", [{}, {"identity": "host"}, {"gpu_exporter": None, "usage_exporter": None}]
)
def test_every_link_leads_to_a_page_that_was_written(catalogue, changes):
    """Also to alerts that are blind in this fleet."""
    rendered = pages(catalogue, **changes)
    links = {target for page in rendered.values() for target in re.findall(r"\]\(([^)<>]+)\)", page)}
    assert links
    assert links <= {f"{name}.md" for name in rendered}


def test_the_same_fleet_gives_the_same_pages(catalogue):
    """Byte for byte, also from content that was loaded anew."""
    assert pages(catalogue) == pages(load(content.root()))


# --- what is refused ----------------------------------------------------------------------------------------

SOUND = (content.root() / "runbooks" / "LLMQueueDepthHigh.md").read_text()


@pytest.fixture
def said(catalogue, tmp_path) -> Callable[..., str]:
    """What is said about LLMQueueDepthHigh's page after a change, with its file and line."""

    def check(old: str, new: str) -> str:
        assert old in SOUND
        folder = tmp_path / "runbooks"
        folder.mkdir()
        (folder / "LLMQueueDepthHigh.md").write_text(SOUND.replace(old, new, 1))
        loaded, findings = load_runbooks(folder)
        whole = replace(catalogue, runbooks={**catalogue.runbooks, **loaded})
        both = [*findings, *review_runbooks(whole)]
        return "\n".join(
            f"{f.where.removeprefix(str(tmp_path))} {f.severity}: {f.what} | {f.why} | {f.fix}" for f in both
        )

    return check


def line_of(text: str) -> int:
    return SOUND[: SOUND.index(text)].count("\n") + 1


def test_a_series_that_nothing_records_is_refused_at_its_line(said):
    """A typo in a query is found before the night in which it would be asked."""
    line = line_of("'pool:kv_cache_usage:max")
    text = said("'pool:kv_cache_usage:max", "'pool:kv_cache_usage:maximum")
    assert f"/runbooks/LLMQueueDepthHigh.md:{line} error" in text
    assert "reads `pool:kv_cache_usage:maximum`, which nothing records" in text
    assert "did you mean `pool:kv_cache_usage:max`?" in text


@pytest.mark.parametrize(
    ("old", "new", "what", "fix"),
    [
        ("sum{pool=\"{pool}\"}'", "sum{'", "does not parse", "correct the PromQL"),
        ('{pool="{pool}"}\'', '{pool="{uuid}"}\'', "asks for {uuid}, which no alert of level pool carries", "`pool`"),
        ("< $replicas", "< $replica", "compares with `$replica`, which is no threshold", "did you mean `replicas`?"),
        ("> $queue_depth: r", "above fifty: r", "is no expectation", "write an operator"),
        ("](LLMEngineDown.md)", "](LLMEngineDwn.md)", "links to `LLMEngineDwn.md`", "`LLMEngineDown`"),
        ("{{threshold}}", "{{treshold}}", "`{{treshold}}`, which means nothing here", "{{threshold}}"),
        ("{{threshold}}", "{{threshold:queue_dept}}", "asks for the threshold `queue_dept`", "`queue_depth`"),
        ("{{confirm}}", "", "`Confirm` does not show its questions", "write `{{confirm}}` there"),
        ("- **safe**, limit", "- limit", "a step is marked neither safe nor unsafe", "- **unsafe**, "),
        ("## Escalate", "## Escalation", "has no section Escalate", "## "),
        ("`pool:running:sum` rises", "`pool:running:total` rises", "names `pool:running:total`", "pool:running:sum"),
        ("to the capacity owner", "to {{#host}}the owner", "`{{#host}}`, which stands alone", "{{confirm}}"),
        ("---\nconfirm:", "confirm:", "the page has no front matter", "begin with a line `---`"),
        ("action: go to [LLMEngineDown]", "act: go to [LLMEngineDown]", "unknown key `act`", "action"),
    ],
)  # fmt: skip
def test_a_page_that_would_mislead_is_refused(said, old, new, what, fix):
    """What is wrong, and what to write instead."""
    text = said(old, new)
    assert "error: " in text
    assert what in text
    assert fix in text


def test_fewer_than_three_hypotheses_are_refused(said):
    """One idea is no search."""
    begin = SOUND.index("  - name: The KV cache")
    assert "hypotheses" in said(SOUND[begin : SOUND.index("---\n## Meaning")], "")


def test_a_typed_limit_is_a_warning_with_the_word_to_write(said):
    """It would stay behind when a fleet sets its own."""
    line = line_of("More than {{threshold}} requests")
    text = said("More than {{threshold}} requests", "More than 50 requests")
    assert f"LLMQueueDepthHigh.md:{line} warning: types `50 requests`" in text
    assert "write {{threshold}}" in text


def test_a_number_that_left_the_rule_behind_is_a_warning(catalogue):
    """The page of the anomaly asks with the numbers of its rule."""
    page = catalogue.runbooks["LLMQueueUtilizationAnomaly"]
    first = page.hypotheses[0].model_copy(update={"query": 'pool:kv_cache_usage:max{pool="{pool}"} > 0.8'})
    changed = page.model_copy(update={"hypotheses": (first, *page.hypotheses[1:])})
    found = review_runbooks(replace(catalogue, runbooks={**catalogue.runbooks, page.name: changed}))
    assert [f.what for f in found] == [
        "compares `pool:kv_cache_usage:max > 0.8`, the rule `pool:kv_cache_usage:max > 0.9`"
    ]


def test_a_page_for_no_alert_is_refused(catalogue):
    """Nobody would ever be sent there."""
    stray = {
        "LLMQueueDeep": catalogue.runbooks["LLMQueueDepthHigh"].model_copy(update={"name": "LLMQueueDeep"})
    }
    (found,) = review_runbooks(replace(catalogue, runbooks={**catalogue.runbooks, **stray}))
    assert found.what == "a runbook for `LLMQueueDeep`, which is no alert"
    assert found.fix == "did you mean `LLMQueueDepthHigh`?"


def test_a_teams_own_page_takes_the_place_of_the_shipped_one(catalogue, tmp_path):
    """A folder of one's own needs only the pages that differ."""
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "LLMQueueDepthHigh.md").write_text(
        SOUND.replace("## Escalate\n", "## Escalate\nCall 4711.\n")
    )
    rendered = pages(load(content.root(), tmp_path))
    assert "Call 4711." in rendered["LLMQueueDepthHigh"]
    assert rendered["LLMEngineDown"] == pages(catalogue)["LLMEngineDown"]
