"""The cases that are proven for one pool: each fault, its silent neighbours, and what alerts must sit through."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import PurePosixPath

from sre.catalogue import references
from sre.catalogue.faults import CARD, GATEWAY, Fault, Story
from sre.catalogue.model import Rule
from sre.compile.expected import Expectations, Proven
from sre.compile.opening import opening
from sre.compile.plan import Plan
from sre.simulate.pool import Simulator
from sre.simulate.story import Place, Timeline

_LONG = 2700
"""Seconds of history from which a case goes with others that need a baseline, so that the short ones stay short."""


@dataclass(frozen=True)
class Case:
    """One story to be proven. ``rules`` are those that must fire; none in a silent one."""

    name: str
    fault: Fault
    story: Story
    rules: tuple[Proven, ...]
    about: tuple[Proven, ...]
    simulator: Simulator
    timeline: Timeline
    seconds: int

    @property
    def places(self) -> tuple[Place, ...]:
        """What is hit: cards, or replicas where there are none."""
        everything = sorted(self.timeline.places, key=lambda place: (place.replica, place.card or 0))
        cards = [place for place in everything if place.card is not None] or everything
        hit = {step.on for step in self.story.steps if step.set or step.hide} - {"neighbour"}
        if "pool" in hit:
            return tuple(cards)
        return tuple(p for p in cards if p.replica == 0 and ("replica" in hit or not p.card))

    def due(self, proven: Proven, interval: int) -> int:
        """The scrape by which a rule has fired.

        The fault struck just after the scrape before the first that sees it.
        """
        return (
            self.timeline.onset
            - 1
            + (self.fault.asserted or proven.alert.within + late(interval)) // interval
        )


def late(interval: int) -> int:
    """Seconds beyond `within`, which is promised for steps of 30 s.

    With longer steps each link of the chain may take one more.
    """
    return 3 * interval if interval > 30 else 0


class Cases:
    """All cases of one pool."""

    def __init__(self, plan: Plan, expectations: Expectations, whole: Simulator, single: Simulator) -> None:
        """``whole`` simulates every replica that a fault needs; neighbours that fire nothing need a ``single`` one."""
        self._plan, self._expectations, self._simulator, self._single = plan, expectations, whole, single
        self._interval = whole.shape.interval

    def all(self, *, briefly: bool = False) -> Iterator[Case]:
        """In the order of the fault catalogue; what this fleet cannot see or show is left out.

        ``briefly`` leaves out what another pool of the same engine has proven, and keeps health and the
        faults of promises that this pool does not give.
        """
        for fault in self._plan.catalogue.faults.values():
            if not briefly:
                yield from self._of(fault)
            elif fault.name == "healthy" or any(self._unpromised(rule) for rule in self._named(fault)):
                yield from islice(self._of(fault), 1)

    def _of(self, fault: Fault) -> Iterator[Case]:
        rules = self._expectations.firing(fault)
        if not (rules or self._sat_through(fault)):
            return
        dawn = opening(self._plan.fleet, fault.clock, fault.history + fault.quiet, self._last(fault, rules))
        if dawn is None or not self._possible(fault):
            return
        yield self._case(fault.name, fault, fault, rules, rules, dawn)
        for name, story in fault.silent.items() if rules else ():
            yield self._case(f"{fault.name}, {name}", fault, story, (), rules, dawn)

    def _sat_through(self, fault: Fault) -> bool:
        """Whether no alert is to fire: it is meant for none, or for promises that this pool does not give."""
        named = self._named(fault)
        return all(map(self._unpromised, named)) if named else not fault.fires

    def _named(self, fault: Fault) -> list[Rule]:
        return [
            rule
            for alert in self._plan.catalogue.alerts.values()
            for rule in alert.rules
            if rule.fault == fault.name
        ]

    def _unpromised(self, rule: Rule) -> bool:
        return bool(rule.threshold) and self._simulator.shape.thresholds[rule.threshold or ""] is None

    def _case(
        self,
        name: str,
        fault: Fault,
        story: Story,
        rules: tuple[Proven, ...],
        about: tuple[Proven, ...],
        dawn: int,
    ) -> Case:
        seconds = self._last(fault, about)
        simulator = self._simulator if story is fault else self._single
        timeline = simulator.lay_out(story, fault, seconds, dawn // self._interval)
        return Case(name, fault, story, rules, about, simulator, timeline, seconds)

    def _last(self, fault: Fault, rules: tuple[Proven, ...]) -> int:
        """Seconds from the onset to the last question."""
        alerts = [p.alert for p in rules] or [
            a
            for a in self._plan.catalogue.alerts.values()
            if any(rule.fault == fault.name for rule in a.rules)
        ]
        within = fault.asserted or max(
            (alert.within + late(self._interval) for alert in alerts), default=fault.lasts
        )
        return max(within, fault.fades or 0)

    def _possible(self, fault: Fault) -> bool:
        """A fault of cards needs cards, one of links several of them, one of the gateway's records the gateway."""
        shape, inputs = self._simulator.shape, _inputs(fault)
        if "nvlink" in inputs and shape.cards < 2:
            return False
        if not shape.gateway and any(name in GATEWAY for name in inputs):
            return False
        if any(name in CARD for name in inputs) and not shape.cards:
            return False
        known = {**shape.usual, **shape.thresholds, "healthy": 0.0}
        return all(formula.value(known) is not None for formula in fault.set.values())


def _inputs(fault: Fault) -> frozenset[str]:
    return frozenset(name for step in fault.steps for name in step.set) | frozenset(fault.before)


@dataclass(frozen=True)
class Chapter:
    """Cases that share one file: about the same alerts, over the same rules, of about the same length."""

    name: str
    cards: bool
    usage: bool
    everything: bool
    baseline: bool
    dawn: int

    def reads(self, group: str) -> bool:
        """Whether its cases need the rules of a group."""
        wanted = {
            "llm-fleet": True,
            "llm-engine": True,
            "llm-latency": True,
            "llm-gpu": self.cards,
            "llm-state": self.cards,
            "llm-seldom": True,
            "llm-usage": self.usage,
            "llm-baseline": self.baseline,
        }
        return self.everything or wanted.get(group, False)


class Chapters:
    """Sorts cases into files."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def of(self, case: Case) -> Chapter:
        """The file that a case belongs to."""
        topic = self._topic(case)
        baseline = case.fault.history >= _LONG
        everything = topic in ("silence", "meta") or bool(_inputs(case.fault) & GATEWAY.keys())
        cards = (
            everything
            or topic == "hardware"
            or bool(_inputs(case.fault) & CARD.keys())
            or any(self._reads_cards(p) for p in case.about)
        )
        parts = [
            topic,
            "cards" if cards and not everything and topic != "hardware" else "",
            "baseline" if baseline else "",
            case.fault.clock if case.timeline.dawn else "",
        ]
        name, usage = "-".join(filter(None, parts)), topic == "usage"
        return Chapter(name, cards, usage, everything, baseline, case.timeline.dawn)

    def _topic(self, case: Case) -> str:
        if not case.about:
            return "silence"
        where = self._plan.catalogue.places.get(f"alerts.{case.about[0].alert.name}", "alerts")
        return PurePosixPath(where.partition(":")[0]).stem

    def _reads_cards(self, proven: Proven) -> bool:
        todo = [s for branch in proven.rule.branches for s in references.series(branch)]
        return any(name in self._card_series for name in todo)

    @cached_property
    def _card_series(self) -> frozenset[str]:
        """Recorded series with cards behind them."""
        records, found = self._plan.catalogue.records, set[str]()
        for name, record in records.items():
            if record.group == "gpu":
                found.add(name)
        while more := {
            n
            for n, r in records.items()
            if n not in found and any(s in found for b in r.branches for s in references.series(b))
        }:
            found |= more
        return frozenset(found)
