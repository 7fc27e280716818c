"""What is said about a fleet file that is wrong: all of it, where, why, and what to write instead."""

import re
from pathlib import Path

import pytest

from sre.findings import Finding, Refused
from sre.fleet import load_text

ROOT = Path(__file__).parent.parent
UNITS = {
    "queue_depth": "requests",
    "error_rate": "ratio",
    "gpu_memory_used": "ratio",
    "gpu_temperature": "celsius",
    "some_wait": "seconds",
}
HEAD = "version: 1\nname: f\n"
POOL = 'pools:\n  - name: chat\n    engine: {kind: vllm, version: "0.32.0"}\n'


def findings(text: str) -> list[Finding]:
    """What is said about a file that is refused."""
    with pytest.raises(Refused) as refused:
        load_text(
            "fleet.yaml", text.encode(), ROOT, UNITS, engines={"vllm", "sglang"}, gpu_exporters={"dcgm"}
        )
    return list(refused.value.findings)


def only(text: str) -> Finding:
    """The one thing that is said; each finding has all its four parts."""
    (finding,) = findings(text)
    assert finding.what
    assert finding.why
    assert finding.fix
    return finding


def test_all_that_is_wrong_is_shown_at_once_with_its_line() -> None:
    """One run is enough to correct a file: each line that is wrong is named, between values too."""
    text = """\
version: 2
name: "two\\nlines"
timezone: europe/berln
business_hours: {days: [mon, fir], start: "18:00", end: "08:00"}
pool_lable: job
gpu_exporter: {kind: dgcm, version: latest}
receivers: ./nope.yaml
capacity: {h100: 4}
pools:
  - name: chat
    engine: {kind: vlm, version: 0.32}
    gpus: {type: h100, per_replica: 0, replicas: {min: 5, max: 2}}
    objectives: {ttft_p95: 500}
    thresholds: {queue_dept: 5}
  - name: chat
    engine: vllm
  - engine: {kind: vllm, version: "0.32.0"}
    thresholds: {gpu_memory_used: 0.85}
    memory_budget: 0.9
    gpus: {type: h100, per_replica: 3, replicas: {min: 5, max: 2}}
teams:
  - {name: search}
  - {name: search}
"""
    said = {(f.where.removeprefix("fleet.yaml:"), f.what) for f in findings(text)}
    wanted = {
        ("1", "`version` is 2"),
        ("2", "invisible character U+000A"),
        ("3", "time zone 'europe/berln'"),
        ("4", "'fir'"),
        ("4", "end at 08:00"),
        ("5", "unknown key `pool_lable`"),
        ("6", "'latest' is not a version"),
        ("7", "no such file"),
        ("8", "has 4 cards"),
        ("11", "'vlm'"),
        ("12", "`pools[1].gpus.per_replica` is 0"),
        ("13", "500 is not a duration"),
        ("14", "unknown threshold 'queue_dept'"),
        ("15", "'chat' twice"),
        ("16", "`pools[2].engine` is 'vllm'"),
        ("17", "`pools[3].name` is missing"),
        ("18", "below the engine's own `memory_budget` (0.9)"),
        ("20", "a min of 5 above its max of 2"),
        ("23", "'search' twice"),
    }
    for line, words in wanted:
        assert any(where == line and words in what for where, what in said), (line, words)
    assert len(said) <= len(wanted) + 2


@pytest.mark.parametrize(
    "replicas", ["0", "-1", "100000000000", "1e11", "2.5", "true", "", "{min: 0, max: 0}", "[1]"]
)
def test_one_bad_number_hides_nothing_else(replicas: str) -> None:
    """Whatever stands for the replicas of one pool, it is told once, and so is all that is wrong elsewhere."""
    text = f"""\
version: 1
name: f
receivers: ./nope.yaml
pools:
  - name: chat
    engine: {{kind: vllm, version: 0.32.0}}
    gpus: {{type: h100, replicas: {replicas}}}
  - name: chat
    engine: {{kind: vlm, version: 0.32.0}}
    thresholds: {{queue_dept: 5}}
"""
    said = [(f.where.removeprefix("fleet.yaml:"), f.what) for f in findings(text)]
    (one,) = [what for line, what in said if line == "7"]
    assert "`pools[1].gpus.replicas" in one
    assert "max" not in one or "max" in replicas
    assert [line for line, _ in said] == ["3", "7", "8", "9", "10"]


BUCKETS = "{{pool}}  - {{name: b, engine: {{kind: vllm, version: 0.33.0, histogram_buckets: {0}}}}}"
WRONG = {
    "a key with a typing error": ("timezon: UTC", "unknown key `timezon`", "did you mean `timezone`?"),
    "a key of a pool": ("{pool}    ownr: x", "`ownr` in `pools[1]`", "did you mean `owner`?"),
    "a key with nothing near": ("{pool}    zzz: x", "unknown key `zzz`", "`engine`"),
    "a key with control characters": ('"\\e[2Jx": 1', "'\\x1b[2Jx'", "known here"),
    "another identity": ("identity: host_name", "`identity` is 'host_name'", "did you mean `host`?"),
    "a time zone": ("timezone: Mars/Base", "'Mars/Base' is not known", "known here"),
    "a path as time zone": ("timezone: ../../etc/passwd", "is not known", "`"),
    "an interval without unit": ("scrape_interval: 30", "30 is not a duration", "30s?"),
    "an interval of nothing": ("scrape_interval: 0s", "no time at all", "more than 0"),
    "a list for a file": ("receivers: [a, b]", "`receivers` is a list", "a path"),
    "an interval too fine": ("scrape_interval: 0.0001s", "finer than a millisecond", "milliseconds"),
    "an interval out of reach": ("scrape_interval: 6m", "is 6m, longer than 5m", "30s"),
    "a label": ("pool_label: my-label", "not a label name", "letters"),
    "a web address": ("runbook_base_url: x.org", "'x.org' is not a web address", "https://"),
    "a template in an address": ("grafana_base_url: https://x/{{y}}", "not a web address", "https://"),
    "start after end": ('business_hours: {start: "19:00"}', "end at 18:00", "24:00"),
    "a time of day": ('business_hours: {start: "8:00"}', "'8:00' is not a time of day", '"00:00"'),
    "a day twice": ("business_hours: {days: [mon, mon]}", "has mon twice", "correct one"),
    "no days": ("business_hours: {days: []}", "has no entry", "at least one"),
    "a holiday": ("business_hours: {holidays: [2026-02-30]}", "'2026-02-30' is not a date", "2026-12-25"),
    "no such folder": ("catalogue: ./nowhere", "no such folder", "correct the path"),
    "no such counters": (
        "gpu_exporter: {kind: dcgm, version: 4.8.2, counters: ./x.csv}",
        "no such file",
        "path",
    ),
    "another exporter": ('gpu_exporter: {kind: dcg, version: "4.8"}', "'dcg'", "did you mean `dcgm`?"),
    "an exporter's flag": (
        'gpu_exporter: {kind: dcgm, version: "4.8", honor_labels: yes}',
        "'yes'",
        "true or false",
    ),
    "a reserved team": ("teams: [{name: __idle__}]", "two underscores", "leave"),
    "another engine": ("{pool}    engine: {kind: vlm, version: 1.0}", "twice", "keep one"),
    "no card": ("{pool}    gpus: {type: a, per_replica: 0, replicas: 1}", "per_replica` is 0", "at least 1"),
    "no number of replicas": ("{pool}    gpus: {type: a}", "replicas` is missing", "add `replicas: 2`"),
    "min above max": (
        "{pool}    gpus: {type: a, replicas: {min: 3, max: 2}}",
        "min of 3",
        "{min: 2, max: 3}",
    ),
    "true as a number": ("{pool}    gpus: {type: a, replicas: true}", "true is no number", "like 2"),
    "replicas as text": (
        '{pool}    gpus: {type: a, replicas: "3"}',
        "'3' is no number of replicas",
        "like 2",
    ),
    "no replicas": (
        "{pool}    gpus: {type: a, replicas: 0}",
        "`pools[1].gpus.replicas`: 0 replicas",
        "at least 1",
    ),
    "kept beyond the most": (
        "{pool}    gpus: {type: a, replicas: 2}\n    min_replicas: 5",
        "is 5",
        "2 or less",
    ),
    "a budget in per cent": ("{pool}    memory_budget: 90", "90 is not a share", "did you mean 90%?"),
    "a budget of nothing": ("{pool}    memory_budget: 0", "0 is not a share", "more than 0"),
    "a budget above all": ("{pool}    memory_budget: 101%", "'101%' is not a share", "at most 1"),
    "no unit": (
        "{pool}    objectives: {ttft_p95: 500}",
        "500 is not a duration",
        "did you mean 500ms or 500s?",
    ),
    "no unit, quoted": ('{pool}    objectives: {itl_p95: "80"}', "'80' is not", "80ms or 80s?"),
    "no pools": ("{pool}  - 7", "`pools[2]` is 7", "{name: chat-70b"),
    "a promise nobody watches": (
        "{pool}    objectives: {ttft_p99: 1s}",
        "objectives.ttft_p99`: unknown key",
        "`ttft_p95`",
    ),
    "a promise as limit": ("{pool}    thresholds: {ttft_p95: 2s}", "promise", "`objectives`"),
    "an unknown limit": (
        "{pool}    thresholds: {queue_dpth: 2}",
        "'queue_dpth'",
        "did you mean `queue_depth`?",
    ),
    "a negative limit": ("{pool}    thresholds: {queue_depth: -2}", "-2 is negative", "0 or more"),
    "a limit that is none": ("{pool}    thresholds: {queue_depth: many}", "'many' is not a limit", "200"),
    "a count as time": ("{pool}    thresholds: {queue_depth: 2m}", "counted in requests", "plain number"),
    "a time without unit": ("{pool}    thresholds: {some_wait: 3}", "has no unit", "3ms or 3s?"),
    "a ratio as time": ("{pool}    thresholds: {error_rate: 3s}", "a ratio, not a time", "92%"),
    "memory in per cent": (
        "{pool}    thresholds: {gpu_memory_used: 95}",
        "`gpu_memory_used` is 95, which is 9500 %",
        "did you mean 95%?",
    ),
    "a share above all": ("{pool}    thresholds: {error_rate: 5}", "5, which is 500 %", "did you mean 5%?"),
    "a share far above": ("{pool}    thresholds: {error_rate: 500}", "which is 50000 %", "92%"),
    "a share in per cent": ("{pool}    thresholds: {error_rate: 150%}", "`error_rate` is 150%", "92%"),
    "hotter than any card": (
        "{pool}    thresholds: {gpu_temperature: 900}",
        "`gpu_temperature` is 900",
        "less than 120",
    ),
    "more than can wait": (
        "{pool}    thresholds: {queue_depth: 1e9}",
        "`queue_depth` is 1000000000",
        "less than 1000000",
    ),
    "memory below budget": (
        "{pool}    thresholds: {gpu_memory_used: 89%}\n    memory_budget: 0.9",
        "(0.89) is below",
        "more than 0.9",
    ),
    "a bucket key": (BUCKETS.format("{itl: [1]}"), "no key 'itl'", "`inter_token_latency`"),
    "bucket order": (BUCKETS.format("{request_latency: [2, 1]}"), "not growing", "smallest first"),
    "names that share a file": (
        "{pool}  - {name: Chat, engine: {kind: vllm, version: 0.32.0}}",
        "file name 'chat'",
        "rename one",
    ),
    "too few cards": (
        "{pool}    gpus: {type: a, per_replica: 2, replicas: 3}\ncapacity: {a: 5}",
        "5 cards of type 'a', but the pools declare 6",
        "at least 6",
    ),
}


@pytest.mark.parametrize(("lines", "what", "fix"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_said_once_with_what_to_write(lines: str, what: str, fix: str) -> None:
    """Each mistake gives one finding, at the line where it stands, that says what to write instead."""
    lines = lines + "\n"
    text = HEAD + (lines.replace("{pool}", POOL) if lines.startswith("{pool}") else lines + POOL)
    said = [f for f in findings(text) if f.severity == "error"]
    assert len(said) == 1 or "twice" in what or "no unit" in said[0].what, said
    assert what in said[0].what
    assert fix in said[0].fix
    assert said[0].why
    assert re.fullmatch(r"fleet\.yaml:\d+", said[0].where)


@pytest.mark.parametrize(
    "bad", ["\\n", "\\0", "\\e", "\\x7f", "\\x85", "\\u2028", "\\u202e", "\\u200b", "\\u00ad", "\\u2060"]
)
@pytest.mark.parametrize("key", ["name", "model", "owner"])
def test_names_that_break_lines_are_refused_with_a_reason(key: str, bad: str) -> None:
    """A line break, a control character or one that nobody sees would change the lines that show it."""
    pool = f'{{name: chat, engine: {{kind: vllm, version: "0.32.0"}}, {key}: "a{bad}b"}}'
    text = f"{HEAD}pools:\n  - {pool.replace('name: chat, ', '') if key == 'name' else pool}\n"
    finding = only(text)
    assert "invisible character" in finding.what
    assert "\n" not in finding.what
    assert "alert text" in finding.why


def test_a_default_is_not_held_against_a_value_that_could_not_be_read() -> None:
    """A broken start brings no second finding about the end."""
    assert "'25:00'" in only(HEAD + 'business_hours: {start: "25:00", end: "07:00"}\n' + POOL).what
    assert "scrape_interval" in only(HEAD + "scrape_interval: 10\nevaluation_interval: 15s\n" + POOL).what


def test_a_letter_that_was_lost_is_told_as_that() -> None:
    """U+FFFD stands where another program could not read a letter; Prometheus refuses rules that hold it."""
    finding = only(HEAD + 'pools: [{name: "caf\\ufffd", engine: {kind: vllm, version: "0.32.0"}}]\n')
    assert "U+FFFD" in finding.what
    assert "UTF-8" in finding.fix


@pytest.mark.parametrize("label", ["__name__", "__address__", "9lives", "a-b", ""])
def test_a_label_that_no_series_has_is_no_pool_label(label: str) -> None:
    """What begins with two underscores is gone after the scrape, and the rest cannot be a label."""
    assert "not a label name" in only(f'{HEAD}pool_label: "{label}"\n{POOL}').what
