"""The table of the alerts' quality: what it counts, that it repeats, and that CI notices when an alert decays."""

import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from sre.catalogue.model import Catalogue
from sre.cli.inputs import read_inputs
from sre.compile.plan import Plan
from sre.compile.planning import make_plan
from sre.fleet import Fleet
from sre.lab.quality import results
from sre.lab.quality.days import LENGTH, WARM_UP, PoolDay, Struck, days, faults_of, fleet_of
from sre.lab.quality.judge import Episode
from sre.lab.quality.page import page as written
from sre.lab.quality.record import SCRAPES, Recording, lines, notation
from sre.lab.quality.score import Scorer, at_most, rows

ROOT = Path(__file__).parents[1]


@cache
def inputs() -> tuple[Fleet, Catalogue, Plan]:
    found = read_inputs(ROOT / "examples" / "fleet.yaml")
    return found.fleet, found.catalogue, make_plan(found.fleet, found.catalogue)


@cache
def scorer() -> Scorer:
    fleet, catalogue, plan = inputs()
    rules = {(pool.name, fault.name): rules for pool in fleet.pools for fault, rules in faults_of(plan, pool)}
    return Scorer(rules, catalogue.faults, dict.fromkeys(rules, 0))


BURST = PoolDay(2, "chat-70b", False, 0.02, 1.0, (Struck("error_burst", 30_000, 1200, 1.0),))
QUIET = PoolDay(0, "chat-70b", False, 0.02, 1.0)


def page(begin: int, alert: str = "LLMErrorRateHigh") -> Episode:
    return Episode(alert, "page", "", begin, begin + 300)


def test_the_days_are_the_ones_that_the_page_promises() -> None:
    """At least 200 pool-days, half of them healthy, weekends among them, and every fault strikes at least twice."""
    fleet, _, plan = inputs()
    drawn = days(plan, 200, 1)
    struck = [one for day in drawn for one in day.struck]
    assert len(drawn) >= 200
    assert sum(not day.struck for day in drawn) == len(drawn) // 2
    assert 0.2 < sum(day.weekend for day in drawn) / len(drawn) < 0.35
    wanted = {fault.name for pool in fleet.pools for fault, _ in faults_of(plan, pool)}
    assert all(sum(one.fault == name for one in struck) >= 2 for name in wanted)
    assert days(plan, 200, 1) == drawn
    assert days(plan, 200, 2) != drawn


def test_faults_of_a_day_are_apart_and_within_it() -> None:
    """Two faults of a day never overlap, so that what fires can be told to belong to one of them."""
    for day in days(inputs()[2], 200, 1):
        ends = [WARM_UP, *(one.at + one.lasts for one in day.struck)]
        begins = [*(one.at for one in day.struck), LENGTH]
        assert all(begin - end >= 1800 for begin, end in zip(begins, ends, strict=True)), day


def test_an_alert_in_time_is_a_hit_and_one_on_a_healthy_day_is_false() -> None:
    """Precision, recall and time to detect are what their definitions say."""
    fired = {2: [page(30_240), page(60_000)], 0: [page(7000)]}
    ((kind, row),) = rows(scorer(), (BURST, QUIET), fired).items()
    assert kind == ("LLMErrorRateHigh", "page")
    assert (row.true, row.false, row.healthy) == (1, 2, 1)
    assert (row.recall, row.recall_at_all, row.seconds) == (1.0, 1.0, 240)
    assert row.precision == pytest.approx(1 / 3)


def test_an_alert_that_comes_late_is_found_but_not_in_time() -> None:
    """Recall in time and recall at all are two numbers."""
    row = rows(scorer(), (BURST,), {2: [page(31_500)]})["LLMErrorRateHigh", "page"]
    assert (row.recall, row.recall_at_all) == (0.0, 1.0)


def test_the_bound_of_a_count_is_the_exact_one() -> None:
    """Nothing seen still allows three events, and five allow ten and a half (Garwood's table)."""
    assert at_most(0) == pytest.approx(2.996, abs=0.001)
    assert at_most(5) == pytest.approx(10.513, abs=0.001)


@pytest.mark.parametrize(
    ("now", "says"),
    [
        ([page(30_240)], []),
        ([page(30_120)], []),
        ([page(30_480)], ["240 s after it, now 480 s"]),
        ([], ["240 s after it, now never"]),
        ([page(30_240), page(60_000)], ["fired 1 times more"]),
    ],
    ids=["the same", "sooner", "later", "never", "one more"],
)
def test_worse_is_later_or_silent_or_false(now: list[Episode], says: list[str]) -> None:
    """The check compares the same days exactly: what is better passes, what is worse is told in a sentence."""
    told = list(results.worse(scorer(), ((BURST, (page(30_240),)),), {2: now}))
    assert len(told) == len(says)
    assert all(part in sentence for part, sentence in zip(says, told, strict=True))


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    """The file that CI compares with loses nothing."""
    known = ((BURST, (page(30_240),)), (QUIET, ()))
    path = tmp_path / "quality.json"
    path.write_text(results.text(known))
    assert results.read(path) == known


def test_a_day_is_the_same_whenever_and_wherever_it_is_simulated() -> None:
    """Same seed, same samples, in whatever place of a batch; another day has others."""
    fleet, catalogue, _ = inputs()
    other = replace(BURST, number=4, struck=())
    batch = fleet_of(fleet, (BURST, other))
    plan = make_plan(batch, catalogue)
    once = Recording(plan, batch.pools[0], BURST, 0).held()
    again = Recording(plan, batch.pools[0], BURST, 8).held()
    assert sorted(map(notation, once.values())) == sorted(map(notation, again.values()))
    assert all(len(samples) == SCRAPES for samples in once.values())
    assert list(lines(once, frozenset({"up"}))) == [
        f'  - {{series: \'up{{instance="10.0.0.{n}:8000",job="chat-70b-002",namespace="llm",'
        f"pod=\"chat-70b-002-{n}\"}}', values: '1x{SCRAPES - 1}'}}\n"
        for n in (0, 1)
    ]


def test_what_was_missed_is_told_with_its_reason() -> None:
    """A reader of the table learns why an alert may stay silent, from the fault's own entry."""
    found = ((BURST, (page(30_300, "LLMRequestLatencyHigh"),)), (QUIET, ()))
    faults = inputs()[1].faults
    reason = faults["error_burst"].model_copy(update={"missed": "Three failures are no share."})
    told = written(found, rows(scorer(), (BURST, QUIET), {2: (), 0: ()}), {**faults, "error_burst": reason})
    assert (
        "`error_burst`: LLMErrorRateHigh (page) missed its time in 1 of 1, 1 of them silent; "
        "another alert paged within that time in 1. Three failures are no share."
    ) in told


def test_the_same_days_look_as_good_as_the_table_says() -> None:
    """Some days of docs/quality.json, simulated and judged once more: nothing fires later, or for nothing."""
    done = subprocess.run(
        [sys.executable, "tools/quality/measure.py", "--check"],
        cwd=ROOT, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
