"""`sre backtest` beside a real Prometheus that evaluates the same rules: the same alerts at the same evaluations."""

import re
import time
from collections import defaultdict
from dataclasses import replace

import pytest

from sre import content
from sre.catalogue.load import load
from sre.checks.backtest import recordings
from sre.checks.backtest.recordings import Period
from sre.checks.backtest.run import replay
from sre.checks.backtest.samples import STALE, packed, request, series
from sre.compile import prometheus
from sre.compile.plan import AlertRule
from sre.compile.planning import make_plan
from sre.compile.stand_in import StandIn
from sre.fleet import Fleet
from sre.prometheus import own_server

FLEET = {
    "version": 1,
    "name": "backtested",
    "gpu_exporter": {"kind": "dcgm", "version": "4.8.2"},
    "pools": [
        {
            "name": "chat.70b",
            "engine": {"kind": "vllm", "version": "0.32.0"},
            "owner": "platform",
            "gpus": {"type": "h100", "per_replica": 2, "replicas": 2},
        },
        {"name": "extract-8b", "engine": {"kind": "vllm", "version": "0.32.0"}},
    ],
}
FAULTS = {"chat.70b": ("overload", "thermal_throttle"), "extract-8b": ("engine_unreachable", "kv_thrash")}
FIRED = {"LLMQueueDepthHigh", "LLMEngineDown", "LLMPreemptionsHigh", "GPUThrottling", "GPUTemperatureHigh"}
RULES = "fast-ejfy"
"""When within its second a group is evaluated follows from its file's name, as seen from the server's folder. Under
this one an eighth of a second lies between any two: what one records is there before the next one reads it."""
IDLE = ("llm-baseline", "llm-usage")
"""Groups that record nothing here: there is neither a past nor a gateway."""
HEALTHY, FAULTY, SILENT = 12, 12, 6
"""Scrapes before a fault, with it, and none at all; a scrape is a second long here, and 30 s in the simulation."""


def compiled(queue_depth=5):
    """The plan as it runs here: every second, with patience of a few seconds instead of minutes."""
    chat, extract = FLEET["pools"]
    pools = [{**chat, "thresholds": {"queue_depth": queue_depth}}, extract]
    fast = {**FLEET, "pools": pools, "scrape_interval": "1s", "evaluation_interval": "1s"}
    plan = make_plan(Fleet.model_validate(fast), load(content.root()))
    return replace(
        plan,
        groups=tuple(_quick(g) for g in plan.groups if g.name not in IDLE),
        alerts=tuple(_patient(a) for a in plan.alerts),
    )


def names(plan):
    return [planned.alert.name for planned in plan.alerts if planned.rules]


def _quick(group):
    # Also those that have a pace of their own: minutes are more than there is time for.
    return replace(group, interval=1, rules=tuple(map(_scaled, group.rules)))


def _patient(planned):
    return replace(planned, rules=tuple(map(_scaled, planned.rules)))


def _scaled(rule):
    if not isinstance(rule, AlertRule):
        return rule
    return replace(rule, for_=rule.for_ // 40, keep_firing_for=rule.keep_firing_for // 100)


def told():
    """Series -> samples by scrape, None where there is none: each pool breaks, recovers, and breaks again."""
    catalogue, found = load(content.root()), {}
    plan = make_plan(Fleet.model_validate(FLEET), catalogue)
    length = HEALTHY + FAULTY + SILENT
    for pool in plan.fleet.pools:
        for number, name in enumerate(FAULTS[pool.name]):
            for text, samples in simulated(plan, pool, catalogue.faults[name]):
                # Every simulated pool has its pods under the same names.
                values = found.setdefault((pool.name, text.replace("replica-", f"{pool.name}-")), [])
                values += [None] * (number * length - len(values))
                values += [samples.at(index) for index in range(HEALTHY + FAULTY)]
    story = {text: [*values, *values[: HEALTHY - 2]] for (_, text), values in found.items()}
    # A server that scrapes writes `up` of every target, also while one pool says nothing.
    return {**story, 'up{job="node",instance="node-0"}': [1.0] * max(map(len, story.values()))}


def simulated(plan, pool, fault):
    stand_in = StandIn(plan, pool)
    timeline = stand_in.whole.lay_out(fault, fault, FAULTY * 30)
    for block in stand_in.blocks(stand_in.whole.simulate(timeline), cards=True):
        yield from block


def labels_of(text):
    name, _, inside = text.partition("{")
    pairs = re.findall(r'([a-zA-Z_][\w]*)="((?:\\.|[^"\\])*)"', inside)
    return {"__name__": name, **{key: value.replace("\\\\", "\\") for key, value in pairs}}


def points(values, start):
    found, there = [], False
    for index, value in enumerate(values):
        if value is not None:
            found.append((start + index * 1000, packed(value)))
        elif there:
            found.append((start + index * 1000, STALE))
        there = value is not None
    return found


@pytest.fixture(scope="module")
def ran(start_program, until):
    """The plan, the server that evaluated it while the faults happened, and the period."""
    plan = compiled()

    def make(folder, port):
        (folder / RULES).mkdir()
        for artefact in prometheus.render(plan, RULES):
            (folder / artefact.path).write_text(artefact.text)
        config = f"global: {{evaluation_interval: 1s}}\nrule_files: [{RULES}/*.yaml]\n"
        (folder / "prometheus.yml").write_text(config)
        return [
            "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
            f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver", "--log.level=warn",
        ]  # fmt: skip

    running = start_program(make, "/-/ready")
    server = own_server(running.url, 30)
    start = (int(time.time()) + 3) * 1000
    samples = told()
    # Sent ahead of their time: what is there when a rule is evaluated does not depend on how fast this machine is.
    server.write(
        request([series(labels_of(text), points(values, start)) for text, values in samples.items()])
    )
    end = start + max(map(len, samples.values())) * 1000
    until(lambda: time.time() * 1000 > end + 2500, "the end of the story", 120)
    # From the first evaluation on that found a scrape.
    return plan, server, Period(start + 1000, end)


def states_there(server, plan, recordings, period):
    """(alertname, labels, state) -> evaluations, as the server wrote them itself."""
    found = defaultdict(set)
    for group in plan.groups:
        names = {rule.alert for rule in group.rules if isinstance(rule, AlertRule)}
        phase = recordings[group.name]
        first = period.start + (phase - period.start) % 1000
        for one in server.query_range("ALERTS", first / 1000, period.end / 1000, group.interval):
            if one.labels["alertname"] in names:
                labels = {k: v for k, v in one.labels.items() if k not in ("__name__", "alertstate")}
                key = (tuple(sorted(labels.items())), one.labels["alertstate"])
                found[key] |= {round(at * 1000) for at, _ in one.points}
    return found


def states_here(found, period):
    states = defaultdict(set)
    for course in found.courses:
        labels = tuple(sorted({**course.labels, "alertname": course.rule.alert}.items()))
        for span in course.spans:
            times = range(span.first, span.last + 1, course.interval)
            states[labels, span.state] |= {at for at in times if period.start <= at <= period.end}
    return {key: times for key, times in states.items() if times}


@pytest.mark.parametrize("raw", [False, True], ids=["over what it recorded", "over raw series"])
def test_the_same_alerts_at_the_same_evaluations(ran, raw):
    """What the server wrote of its alerts, pending and firing, is what comes out, evaluation by evaluation."""
    plan, server, period = ran
    found = replay(plan, server, period, names(plan), raw=raw)
    there = states_there(server, plan, recordings.find(plan, server, period).phases, period)
    assert {dict(labels)["alertname"] for labels, state in there if state == "firing"} >= FIRED
    assert found.recorded is not raw
    assert states_here(found, period) == there


def test_a_period_that_begins_in_the_middle(ran):
    """What fires at the start of the period fires there, and was pending before: as the server knew it."""
    plan, server, whole = ran
    # Eighteen seconds into the story the first fault of each pool has fired.
    period = Period(whole.start + 17_000, whole.end)
    found = replay(plan, server, period, names(plan), raw=True)
    phases = recordings.find(plan, server, whole).phases
    assert states_here(found, period) == states_there(server, plan, phases, period)


def test_a_changed_threshold_is_what_counts(ran):
    """What the server recorded of another number is not read: the fleet file's own says what would have fired."""
    _, server, period = ran
    plan = compiled(queue_depth=100_000)
    found = replay(plan, server, period, names(plan))
    assert found.recorded
    fired = {course.rule.alert for course in found.courses}
    assert "LLMEngineDown" in fired
    assert "LLMQueueDepthHigh" not in fired
