"""A batch of pool-days in one promtool: one fleet with a pool for each day, and when which alert fired."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sre.catalogue.model import Catalogue
from sre.compile.planning import make_plan
from sre.compile.prometheus import dump
from sre.compile.proof_page import Page
from sre.compile.questions import Questions
from sre.fleet import Fleet
from sre.lab import promtool
from sre.lab.promtool import NEVER, Got
from sre.lab.quality.days import LENGTH, STEP, WARM_UP, PoolDay, fleet_of
from sre.lab.quality.record import Recording, lines
from sre.lab.quality.rules import head, judged
from sre.units import format_duration

WINDOW = 600
"""Seconds: firings of an alert that lie closer together are one episode, as nobody is told twice of them."""

_FIRST = WARM_UP // WINDOW
_WINDOWS = range(_FIRST, LENGTH // WINDOW)
QUESTIONS = 2 * len(_WINDOWS)


@dataclass(frozen=True, order=True)
class Episode:
    """An alert of one pool at one severity, from its first firing to its last, in seconds of the day's clock."""

    alert: str
    severity: str
    part: str
    begin: int
    end: int


def write(batch: tuple[PoolDay, ...], fleet: Fleet, catalogue: Catalogue, folder: Path) -> Path:
    """The test file and its rules."""
    plan = make_plan(fleet_of(fleet, batch), catalogue)
    found = judged(plan)
    (folder / "rules.yaml").write_text(found.groups, encoding="utf-8")
    file = folder / "days.test.yaml"
    with file.open("w", encoding="utf-8") as text:
        text.write(f"{head(found, 'rules.yaml', STEP)}tests:\n")
        page = Page(STEP)
        page.begin("days", "")
        text.write(page.text)
        text.writelines(found.given)
        first = 0
        for pool, day in zip(plan.fleet.pools, batch, strict=True):
            text.writelines(lines(Recording(plan, pool, day, first).held(), found.read))
            first += pool.replicas_min
        text.write(_questions())
    return file


def _questions() -> str:
    asked, window, step = Questions(STEP), format_duration(WINDOW - STEP), format_duration(STEP)
    for end in _WINDOWS:
        for which in ("min", "max"):
            asked.exprs.append(
                {
                    "expr": f'{which}_over_time(timestamp(ALERTS{{alertstate="firing"}})[{window}:{step}])',
                    "eval_time": format_duration((end + 1) * WINDOW - STEP),
                    "exp_samples": NEVER,
                }
            )
    text = dump({"promql_expr_test": asked.exprs})
    return "".join(f"  {line}\n" for line in text.splitlines())


def judge(program: str, batch: tuple[PoolDay, ...], file: Path) -> dict[int, list[Episode]]:
    """Episodes by the number of the day."""
    folder = file.parent
    ((_, answers),) = promtool.run(program, folder, [("pool-days", file)], QUESTIONS, 1)
    by_pool = {day.pool: day.number for day in batch}
    found: dict[int, list[Episode]] = {day.number: [] for day in batch}
    for (pool, alert, severity, part), spans in sorted(_spans(answers).items()):
        found[by_pool[pool]] += [Episode(alert, severity, part, *span) for span in _joined(spans)]
    return {number: sorted(episodes) for number, episodes in found.items()}


_Name = tuple[str, str, str, str]


def _spans(answers: list[list[Got]]) -> dict[_Name, list[tuple[int, int]]]:
    """First and last firing in each window, by pool, alert, severity and part."""
    found = defaultdict[_Name, list[tuple[int, int]]](list)
    for first, last in zip(answers[::2], answers[1::2], strict=True):
        firsts, lasts = _by_name(first, min), _by_name(last, max)
        for name, begin in firsts.items():
            found[name].append((begin, lasts[name]))
    return found


def _by_name(got: list[Got], choose: Callable[[int, int], int]) -> dict[_Name, int]:
    found = dict[_Name, int]()
    for one in got:
        labels = one.labels
        part = labels.get("part") or labels.get("action") or ""
        name = (labels.get("pool", ""), labels["alertname"], labels["severity"], part)
        found[name] = choose(found.get(name, round(one.value)), round(one.value))
    return found


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined = list[tuple[int, int]]()
    for begin, end in sorted(spans):
        if joined and begin - joined[-1][1] <= WINDOW:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined
