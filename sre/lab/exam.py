"""One case as a test file that asks promtool when which alert fired, and what the answers mean."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from sre.catalogue.faults import Story
from sre.compile.cases import Case, late
from sre.compile.expected import Proven, places_of
from sre.compile.prometheus import dump
from sre.compile.proof_page import Page
from sre.compile.proofs import Prover
from sre.compile.questions import Questions
from sre.lab.promtool import NEVER, Got
from sre.lab.verdicts import Silence, Verdict
from sre.simulate.story import Timeline
from sre.units import format_duration

QUESTIONS = 4
"""Answers that a whole exam has."""

_FIRING = 'ALERTS{alertstate="firing"}'


@dataclass(frozen=True)
class Exam:
    """A case of one pool. ``always`` are alerts that fire in health too."""

    prover: Prover
    pool: str
    case: Case
    reads_cards: bool
    head: dict[str, object]
    always: frozenset[str]

    @property
    def _interval(self) -> int:
        return self.prover.stand_in.interval

    @cached_property
    def _line(self) -> Timeline:
        case, fault = self.case, self.case.fault
        kept = max((proven.alert.keep_firing_for for proven in case.rules), default=0)
        heals = fault.heals + kept if fault.heals and case.rules and not self._healthy else 0
        dawn = case.timeline.dawn
        return case.simulator.lay_out(case.story, fault, case.seconds, dawn, heals=heals)

    @property
    def ticks(self) -> int:
        """Evaluations that it takes."""
        return self._line.count

    @property
    def _healthy(self) -> bool:
        """Whether nothing happens in it."""
        return not any(step.set or step.hide for step in self.case.story.steps)

    def text(self) -> str:
        """The test file."""
        line = self._line
        page, simulated = Page(self._interval), self.case.simulator.simulate(line)
        page.begin(self.case.name, "")
        for block in self.prover.stand_in.blocks(simulated, self.reads_cards):
            page.series(block)
        page.questions(self._questions(line))
        return f"{dump(self.head)}tests:\n{page.text}"

    def _questions(self, line: Timeline) -> Questions:
        """Before, beside, first and last: how often what fired in health and after it, and when."""
        last = line.count - 1
        begin = line.dawn + bool(line.dawn) * self.prover.warm_up // self._interval
        asked = Questions(self._interval)
        for expr, first, until in (
            ("count_over_time({firing}[{window}])", min(begin, line.start - 1), line.start - 1),
            ("count_over_time({firing}[{window}])", line.start, last),
            ("min_over_time(timestamp({firing})[{window}:{step}])", line.onset, last),
            ("max_over_time(timestamp({firing})[{window}:{step}])", line.start, last),
        ):
            # Half a step more: a window holds its first sample in every Prometheus, 3 included.
            window = format_duration((until - first) * self._interval + self._interval // 2)
            step = format_duration(self._interval)
            asked.exprs.append(
                {
                    "expr": expr.format(firing=_FIRING, window=window, step=step),
                    "eval_time": format_duration(until * self._interval),
                    "exp_samples": NEVER,
                }
            )
        return asked

    # --- what the answers mean --------------------------------------------------------------------------------

    def verdicts(self, answers: list[list[Got]]) -> Iterator[Verdict]:
        """One for each kind of alert that the fault must fire: the slowest of its places counts."""
        before, beside, first, last = answers
        wrong = self._wrong(before, beside)
        for proven in self.case.rules:
            pairs = [
                pair
                for place in places_of(proven.alert, self.case.places)
                for pair in self.prover.expectations.labels(proven, self.case.fault, place)
            ]
            for mark, group in groupby(sorted(pairs, key=_key), key=lambda pair: pair[0]):
                yield self._verdict(proven, mark, [labels for _, labels in group], first, last, wrong)

    def silence(self, answers: list[list[Got]]) -> Silence:
        """What fired, of a case in which nothing may."""
        return Silence(self.case.name, self.pool, self._wrong(answers[0], answers[1]))

    def _verdict(
        self,
        proven: Proven,
        mark: dict[str, str],
        places: list[dict[str, str]],
        first: list[Got],
        last: list[Got],
        wrong: tuple[str, ...],
    ) -> Verdict:
        line, name = self._line, proven.alert.name
        fired = [_extreme(first, name, labels, min) for labels in places]
        ended = [_extreme(last, name, labels, max) for labels in places]
        return Verdict(
            name,
            {**mark, "pool": self.pool},
            self.case.fault.name,
            proven.alert.within + late(self._interval),
            self._since(line.onset, fired),
            self._until(line, ended),
            None,
            wrong,
            line.mended is not None,
        )

    def _since(self, onset: int, fired: list[float | None]) -> int | None:
        """Seconds until the last place fired; the fault struck just after the scrape before the first that saw it."""
        times = [time for time in fired if time is not None]
        return round(max(times)) - (onset - 1) * self._interval if len(times) == len(fired) else None

    def _until(self, line: Timeline, ended: list[float | None]) -> int | None:
        """Seconds from the mending to the first evaluation at which no place fires any more."""
        times = [time for time in ended if time is not None]
        end = (line.count - 1) * self._interval
        if line.mended is None or len(times) != len(ended) or max(times) >= end:
            return None
        return max(0, round(max(times)) - (line.mended - 2) * self._interval)

    def _wrong(self, before: list[Got], beside: list[Got]) -> tuple[str, ...]:
        """Names of alerts that are neither proven here nor named in the story's `also:`."""
        story = self.case.story
        early = [got for got in before if not (story.before and allowed(got.labels, story))]
        late_ = [got for got in beside if not (allowed(got.labels, story) or self._proven(got.labels))]
        names = (
            got.labels["alertname"] for got in (*early, *late_) if got.labels["alertname"] not in self.always
        )
        return tuple(sorted(set(names)))

    def _proven(self, labels: dict[str, str]) -> bool:
        return any(
            proven.alert.name == labels["alertname"] and expected.items() <= labels.items()
            for proven in self.case.rules
            for place in places_of(proven.alert, self.case.places)
            for _, expected in self.prover.expectations.labels(proven, self.case.fault, place)
        )


def _key(pair: tuple[dict[str, str], dict[str, str]]) -> list[tuple[str, str]]:
    return sorted(pair[0].items())


def _extreme(
    got: list[Got], name: str, labels: dict[str, str], choose: Callable[[list[float]], float]
) -> float | None:
    found = [
        one.value for one in got if one.labels["alertname"] == name and labels.items() <= one.labels.items()
    ]
    return choose(found) if found else None


def allowed(labels: dict[str, str], story: Story) -> bool:
    """Whether a story means this alert: `Name`, or `Name part` with its severity or one of its labels."""
    words = (word.partition(" ") for word in story.also)
    return any(
        name == labels["alertname"] and (not part or part in labels.values()) for name, _, part in words
    )
