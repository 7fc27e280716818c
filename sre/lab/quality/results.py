"""What was measured, as a file: the days, what struck them, and what fired; and whether it is worse than before."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple
from pathlib import Path

from sre.lab.quality.days import PoolDay, Struck
from sre.lab.quality.judge import Episode
from sre.lab.quality.score import Scorer

Results = tuple[tuple[PoolDay, tuple[Episode, ...]], ...]


def text(results: Results) -> str:
    """JSON with a line for each day, so that a change is read as one."""
    rows = ",\n".join(json.dumps(_row(day, episodes)) for day, episodes in results)
    return f'{{"days": [\n{rows}\n]}}\n'


def _row(day: PoolDay, episodes: Iterable[Episode]) -> dict[str, object]:
    return {
        "number": day.number,
        "like": day.like,
        "weekend": day.weekend,
        "busy": day.busy,
        "level": day.level,
        "struck": [astuple(one) for one in day.struck],
        "fired": [astuple(one) for one in sorted(episodes)],
    }


def read(path: Path) -> Results:
    """Results as ``text`` wrote them."""
    return tuple(map(_read, json.loads(path.read_text(encoding="utf-8"))["days"]))


def _read(row: dict[str, object]) -> tuple[PoolDay, tuple[Episode, ...]]:
    struck, fired = row.pop("struck"), row.pop("fired")
    assert isinstance(struck, list)
    assert isinstance(fired, list)
    day = PoolDay(**row, struck=tuple(Struck(*one) for one in struck))  # type: ignore[arg-type]
    return day, tuple(Episode(*one) for one in fired)


def worse(scorer: Scorer, before: Results, now: Mapping[int, Iterable[Episode]]) -> Iterator[str]:
    """Every way in which the same days look worse than they did, one sentence each."""
    for day, episodes in before:
        fired = tuple(now[day.number])
        yield from _later(scorer, day, episodes, fired)
        told = Counter((e.alert, e.severity) for e in scorer.false(day, episodes))
        new = Counter((e.alert, e.severity) for e in scorer.false(day, fired))
        for (alert, severity), count in sorted((new - told).items()):
            what = "a fault that is not its own" if day.struck else "nothing at all"
            yield f"{alert} ({severity}) on day {day.number}, pool like {day.like}: fired {count} times more for {what}"


def _later(scorer: Scorer, day: PoolDay, before: Iterable[Episode], now: Iterable[Episode]) -> Iterator[str]:
    for old, new in zip(scorer.hits(day, before), scorer.hits(day, now), strict=True):
        if old.seconds is not None and (new.seconds is None or new.seconds > old.seconds):
            took = "never" if new.seconds is None else f"{new.seconds} s after it"
            alert, severity = new.kind
            yield (
                f"{alert} ({severity}) on day {day.number}, pool like {day.like}: told of {new.fault} "
                f"{old.seconds} s after it, now {took}"
            )
