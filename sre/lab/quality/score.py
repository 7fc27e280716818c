"""What episodes and faults say of the alerts: precision, recall, time to detect, and what healthy days cost."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import exp
from statistics import median

from sre.catalogue.faults import Fault
from sre.compile.cases import late
from sre.compile.expected import Proven
from sre.lab.quality.days import STEP, PoolDay, Struck
from sre.lab.quality.judge import Episode
from sre.simulate.story import lay_out

Kind = tuple[str, str]
"""An alert and its severity."""


@dataclass(frozen=True)
class Hit:
    """What an alert made of a fault: seconds from the fault's onset to its firing, None where it never fired."""

    kind: Kind
    fault: str
    day: int
    at: int
    within: int
    seconds: int | None

    @property
    def in_time(self) -> bool:
        return self.seconds is not None and self.seconds <= self.within


@dataclass
class Row:
    """One kind of alert over all days."""

    hits: list[Hit] = field(default_factory=list)
    true: int = 0
    false: int = 0
    healthy: int = 0
    """Episodes on days without any fault: all of them false."""

    @property
    def precision(self) -> float | None:
        whole = self.true + self.false
        return self.true / whole if whole else None

    @property
    def recall(self) -> float | None:
        return sum(hit.in_time for hit in self.hits) / len(self.hits) if self.hits else None

    @property
    def recall_at_all(self) -> float | None:
        return sum(hit.seconds is not None for hit in self.hits) / len(self.hits) if self.hits else None

    @property
    def seconds(self) -> float | None:
        """Median time to detect."""
        times = [hit.seconds for hit in self.hits if hit.seconds is not None]
        return median(times) if times else None


class Scorer:
    """Scores days. ``rules`` are the rules that each fault must fire, by pool of the fleet and fault."""

    def __init__(
        self,
        rules: Mapping[tuple[str, str], tuple[Proven, ...]],
        faults: Mapping[str, Fault],
        onsets: Mapping[tuple[str, str], int],
    ) -> None:
        self._rules, self._faults, self._onsets = rules, faults, onsets

    def hits(self, day: PoolDay, episodes: Iterable[Episode]) -> Iterator[Hit]:
        """One for each kind of alert that a fault of the day must fire."""
        found = list(episodes)
        for struck in day.struck:
            onset = struck.at + self._onsets[day.like, struck.fault]
            for proven in self._rules[day.like, struck.fault]:
                within = proven.alert.within + late(STEP)
                end = struck.at + struck.lasts + within
                begins = [
                    e.begin for e in found if _fires(proven, e) and e.begin <= end and e.end >= struck.at
                ]
                seconds = max(0, min(begins) - onset) if begins else None
                kind = (proven.alert.name, proven.rule.severity)
                yield Hit(kind, struck.fault, day.number, struck.at, within, seconds)

    def false(self, day: PoolDay, episodes: Iterable[Episode]) -> list[Episode]:
        """Episodes that no fault of the day explains."""
        return [
            episode
            for episode in episodes
            if not any(self._explains(day, struck, episode) for struck in day.struck)
        ]

    def _explains(self, day: PoolDay, struck: Struck, episode: Episode) -> bool:
        fault, rules = self._faults[struck.fault], self._rules[day.like, struck.fault]
        within = max([proven.alert.within for proven in rules], default=0) + late(STEP)
        if not struck.at <= episode.begin <= struck.at + struck.lasts + within:
            return False
        words = (word.partition(" ") for word in fault.also)
        meant = any(
            name == episode.alert and part in ("", episode.severity, episode.part) for name, _, part in words
        )
        return meant or any(_fires(proven, episode) for proven in rules)


def _fires(proven: Proven, episode: Episode) -> bool:
    same = (proven.alert.name, proven.rule.severity) == (episode.alert, episode.severity)
    fixed = proven.rule.fixed
    return same and episode.part in (fixed.get("part") or fixed.get("action") or "", "")


def onset(fault: Fault, usual: dict[str, float], thresholds: Mapping[str, float | None]) -> int:
    """Seconds from a fault's beginning until it has happened."""
    told = fault.model_copy(update={"history": 0, "quiet": 0})
    line = lay_out(told, told, usual, thresholds, (1, 1), STEP, STEP)
    return (line.onset - line.start) * STEP


def rows(
    scorer: Scorer, days: Iterable[PoolDay], episodes: Mapping[int, Iterable[Episode]]
) -> dict[Kind, Row]:
    """One for each kind of alert that fired or had to, in order of name."""
    found = dict[Kind, Row]()
    for day in days:
        fired = tuple(episodes[day.number])
        for hit in scorer.hits(day, fired):
            found.setdefault(hit.kind, Row()).hits.append(hit)
        wrong = scorer.false(day, fired)
        for episode in fired:
            row = found.setdefault((episode.alert, episode.severity), Row())
            row.false += episode in wrong
            row.true += episode not in wrong
            row.healthy += not day.struck
    return dict(sorted(found.items()))


def per_week(count: int, days: int) -> float:
    """Events of some pool-days as events of one pool in a week."""
    return count * 7 / days


def at_most(count: int) -> float:
    """The mean of a Poisson count above which so few would be seen less often than once in twenty.

    The exact one-sided bound of Garwood (Biometrika 28, 1936): the sum of the probabilities of 0 to ``count`` is 5 %.
    """
    low, high = float(count), 3.0 * count + 10
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _upto(count, middle) > 0.05 else (low, middle)
    return (low + high) / 2


def _upto(count: int, mean: float) -> float:
    term = total = exp(-mean)
    for k in range(1, count + 1):
        term *= mean / k
        total += term
    return total
