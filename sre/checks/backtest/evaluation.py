"""The rules evaluated one after the other over a period: answers copied, records written, alerts followed."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from sre.answers import Labels
from sre.checks.backtest.history import Coverage, grid, pages
from sre.checks.backtest.program import Placed, Step
from sre.checks.backtest.recordings import Period, Recordings
from sre.checks.backtest.samples import packed
from sre.checks.backtest.scratch import Record, Scratch
from sre.checks.backtest.states import Patience, Span, spans
from sre.compile.plan import AlertRule
from sre.prometheus import Server

_CONSTANT = re.compile(r"vector\(([-+.0-9e]+)\)")

# A sample lives five minutes: what never changes is written less often than it is read.
_SPARSELY = 240_000


@dataclass(frozen=True)
class Course:
    """What became of one alert, known by its labels: all of its spans, also those before the period."""

    rule: AlertRule
    labels: Mapping[str, str]
    interval: int
    spans: tuple[Span, ...]
    mark: str = ""


class Evaluation:
    """One period of one server. Raises ``Unreachable``."""

    def __init__(
        self, server: Server, scratch: Scratch, period: Period, recordings: Recordings, covered: Coverage
    ) -> None:
        self._server, self._scratch, self._period = server, scratch, period
        self._phases, self._covered = recordings.phases, covered
        self._leads = dict[str, int]()
        self._copied = set[str]()

    def run(self, steps: Collection[Step], tell: Callable[[int, int], None]) -> list[Course]:
        """Evaluate the steps in their order. ``tell`` hears how many are done, of how many."""
        for step in steps:
            for name in step.parts:
                self._leads[name] = max(self._leads.get(name, 0), step.lead)
        courses = list[Course]()
        for number, step in enumerate(steps):
            tell(number, len(steps))
            self._copy(step)
            if step.placed.record:
                self._record(step)
            else:
                courses += self._follow(step)
        tell(len(steps), len(steps))
        return courses

    def _copy(self, step: Step) -> None:
        for name, expr in step.parts.items():
            if name not in self._copied:
                self._copied.add(name)
                self._write(name, {}, self._server, expr, self._slots(step.placed, self._leads[name]))

    def _record(self, step: Step) -> None:
        rule, name = step.placed.rule, step.placed.record or ""
        if constant := _CONSTANT.fullmatch(rule.expr):
            slots = grid(self._period.start - step.lead - _SPARSELY, self._period.end, _SPARSELY)
            points = [(at, packed(float(constant[1]))) for at in slots]
            self._scratch.write({**rule.labels, "__name__": name}, points)
            return
        self._write(name, rule.labels, *self._asked(step), self._slots(step.placed, step.lead))

    def _write(self, name: str, labels: Labels, server: Server, expr: str, slots: range) -> None:
        self._scratch.flush()
        record = Record(self._scratch, name, labels, self._covered)
        for page, found in pages(server, expr, slots):
            record.add(page, found)

    def _follow(self, step: Step) -> Iterable[Course]:
        rule, slots = step.placed.rule, self._slots(step.placed, step.lead)
        assert isinstance(rule, AlertRule)
        self._scratch.flush()
        found = defaultdict[tuple[tuple[str, str], ...], set[int]](set)
        for _, answer in pages(*self._asked(step), slots):
            for one in answer:
                labels = {k: v for k, v in one.labels.items() if k != "__name__"} | rule.labels
                found[tuple(sorted(labels.items()))].update(round(at * 1000) for at, _ in one.points)
        evaluations = self._covered.within(slots)
        patience = Patience(rule.for_ * 1000, rule.keep_firing_for * 1000)
        for key, times in sorted(found.items()):
            course = spans(evaluations, frozenset(times), patience)
            yield Course(rule, dict(key), slots.step, course, step.placed.mark)

    def _asked(self, step: Step) -> tuple[Server, str]:
        return (
            (self._server, step.placed.rule.expr) if step.expr is None else (self._scratch.server, step.expr)
        )

    def _slots(self, placed: Placed, lead: int) -> range:
        begin = max(self._period.start - lead, self._covered.begin)
        return grid(begin, self._period.end, placed.interval, self._phases[placed.group])
