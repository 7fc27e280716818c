"""VictoriaMetrics beside Prometheus: the compiled rules, query by query, over the same hours of a pool that breaks."""

import re
import time
from collections import defaultdict
from itertools import groupby

import pytest

from sre import content
from sre.catalogue.load import load
from sre.checks.backtest.expressions import reaches
from sre.checks.backtest.recordings import Period
from sre.checks.backtest.run import replay
from sre.checks.backtest.samples import STALE, packed, request, series
from sre.checks.backtest.scratch import scratch
from sre.compile.plan import RecordRule
from sre.compile.planning import make_plan
from sre.compile.stand_in import StandIn
from sre.fleet import Fleet
from sre.prometheus import own_server

FLEET = {
    "version": 1,
    "name": "twice",
    "gpu_exporter": {"kind": "dcgm", "version": "4.8.2"},
    "pools": [
        {
            "name": "chat",
            "engine": {"kind": "vllm", "version": "0.32.0"},
            "gpus": {"type": "h100", "per_replica": 2, "replicas": 2},
        }
    ],
}
PLAN = make_plan(Fleet.model_validate(FLEET), load(content.root()))
STEP, LASTS, LOOKBACK, HOUR = 30_000, 1800, 300_000, 3_600_000
FAULTS = (
    "overload",
    "slow_prefill",
    "error_burst",
    "engine_stall",
    "kv_thrash",
    "thermal_throttle",
    "gpu_off_bus",
)
"""Each lasts for half an hour and is over at once; the next one comes after as long a time of health."""
FIRED = {"LLMQueueDepthHigh", "LLMTimeToFirstTokenHigh", "LLMErrorRateHigh", "LLMEngineStalled", "LLMPreemptionsHigh",
         "GPUThrottling", "GPUMissing"}  # fmt: skip


def told():
    """Series -> values by scrape, None where there is none; and the last scrape of each fault."""
    stand_in, found, ends, length = StandIn(PLAN, PLAN.fleet.pools[0]), {}, [], 0
    for name in FAULTS:
        fault = PLAN.catalogue.faults[name].model_copy(update={"history": LASTS, "quiet": 0, "heals": 0})
        timeline = stand_in.whole.lay_out(fault, fault, LASTS)
        for block in stand_in.blocks(stand_in.whole.simulate(timeline), cards=True):
            for text, samples in block:
                values = found.setdefault(text, [])
                values += [None] * (length - len(values))
                values += [samples.at(index) for index in range(timeline.count)]
        length += timeline.count
        ends.append(length - 1)
    return found, ends


def points(values, start):
    there = False
    for index, value in enumerate(values):
        if value is not None:
            yield start + index * STEP, packed(value)
        elif there:
            yield start + index * STEP, STALE
        there = value is not None


def labels_of(text):
    name, _, inside = text.partition("{")
    return {"__name__": name, **dict(re.findall(r'([a-zA-Z_]\w*)="((?:\\.|[^"\\])*)"', inside))}


@pytest.fixture(scope="module")
def both(start_program, until):
    """Both servers with the same samples, the period, and the moments at which each fault has lasted longest."""
    found, ends = told()
    length = max(map(len, found.values()))
    # At a full hour, so that every run asks at the same moments of the story.
    start = (int(time.time() * 1000) - (length + 20) * STEP) // HOUR * HOUR
    body = request([series(labels_of(text), points(values, start)) for text, values in found.items()])
    url = start_program(
        lambda _, port: ["victoria-metrics", "-storageDataPath=data", f"-httpListenAddr=127.0.0.1:{port}",
                         "-search.latencyOffset=0s"],
        "/health",
    ).url  # fmt: skip
    victoria, period = own_server(url, 60), Period(start, start + (length - 1) * STEP)
    with scratch() as own:
        for server in (own.server, victoria):
            server.write(body)
        until(lambda: victoria.query("up", period.end / 1000), "what was written")
        yield own.server, victoria, period, [(start + end * STEP) / 1000 for end in ends]


def test_rates_are_within_three_percent(both):
    """Every recorded rule with a rate over raw series, at the end of each fault and of each time of health.

    Windows that reach back beyond the first sample are left out: Prometheus takes the missing part as it is, and
    VictoriaMetrics divides by the time that there are samples of.
    """
    prometheus, victoria, period, ends = both
    rules = [rule for group in PLAN.groups for rule in group.rules if isinstance(rule, RecordRule)]
    recorded, compared = {rule.record for rule in rules}, 0
    for expr in dict.fromkeys(rule.expr for rule in rules if re.search(r"\b(rate|increase)\(", rule.expr)):
        if recorded & reaches(expr).keys():
            continue
        filled = (period.start + max(reaches(expr).values())) / 1000
        for at in [at for end in ends for at in (end - LASTS - 60, end) if at > filled]:
            here, there = ({tuple(sorted(one.labels.items())): one.value for one in server.query(expr, at)}
                           for server in (prometheus, victoria))  # fmt: skip
            assert there.keys() == here.keys(), expr
            assert there == pytest.approx(here, rel=0.03, abs=1e-9, nan_ok=True), expr
            compared += len(here)
    assert compared > 500


def test_alerts_have_the_same_states(both):
    """The same alerts are pending and fire on both, each from the same evaluation on, or from its neighbour.

    They end within the time for which a sample is good: how long a series that has gone is still seen differs.
    """
    prometheus, victoria, period, _ = both
    names = [planned.alert.name for planned in PLAN.alerts if planned.rules]
    here, there = (states(replay(PLAN, server, period, names, raw=True)) for server in (prometheus, victoria))
    assert {dict(labels)["alertname"] for labels, state in here if state == "firing"} >= FIRED
    assert there.keys() == here.keys()
    for key, spans in here.items():
        assert len(there[key]) == len(spans), key
        for (first, last, interval), (other_first, other_last, _) in zip(spans, there[key], strict=True):
            assert abs(first - other_first) <= interval, key
            assert abs(last - other_last) <= LOOKBACK, key


def states(found):
    """(labels, state) -> its spans, as first and last evaluation and the interval between two."""
    told = defaultdict(list)
    for course in found.courses:
        labels = tuple(sorted({**course.labels, "alertname": course.rule.alert}.items()))
        for state, spans in groupby(course.spans, key=lambda span: span.state):
            told[labels, state] += [(span.first, span.last, course.interval) for span in spans]
    return dict(told)
