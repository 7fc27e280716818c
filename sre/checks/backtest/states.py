"""The life of an alert, evaluation by evaluation: inactive, pending, firing, and firing a while longer.

Follows ``AlertingRule.Eval`` of prometheus/rules/alerting.go, release 2.42: `for` counts from the first evaluation
that found the condition, `keep_firing_for` from the first that did not find it any more.

Times are integers in milliseconds, of evaluations in order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

State = Literal["pending", "firing"]

OUTAGE = 3_600_000
"""The longest time without an evaluation after which a server still knows what was pending or firing: the default
of Prometheus' --rules.alert.for-outage-tolerance, in milliseconds."""


@dataclass(frozen=True)
class Patience:
    """`for` and `keep_firing_for`, in milliseconds."""

    hold: int = 0
    keep: int = 0


@dataclass(frozen=True)
class Span:
    """Evaluations in one state without an interruption: the first, the last, and how many they were."""

    state: State
    first: int
    last: int
    count: int


class Life:
    """One alert's state as it goes through its evaluations."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._forget()

    def _forget(self) -> None:
        self.state: State | None = None
        self._since = 0
        self._kept_since: int | None = None
        self._seen: int | None = None

    def evaluate(self, at: int, found: bool) -> State | None:
        """The state after an evaluation that found the condition, or did not."""
        if self._seen is not None and at - self._seen > OUTAGE:
            self._forget()
        self._seen = at
        if found:
            self._hold(at)
        elif not self._keeps(at):
            self.state, self._kept_since = None, None
        return self.state

    def _hold(self, at: int) -> None:
        self._kept_since = None
        if self.state is None:
            self.state, self._since = "pending", at
        if at - self._since >= self._patience.hold:
            self.state = "firing"

    def _keeps(self, at: int) -> bool:
        """Whether it goes on firing without its condition; what is only pending ends at once."""
        if self.state != "firing" or not self._patience.keep:
            return False
        if self._kept_since is None:
            self._kept_since = at
        return at - self._kept_since < self._patience.keep


def spans(evaluations: Iterable[int], found: frozenset[int], patience: Patience) -> tuple[Span, ...]:
    """The spans of one alert. ``found`` are the evaluations that found the condition.

    A time that is not among ``evaluations`` was not evaluated: nothing happens then, and a state lasts on.
    """
    life, done, first, last, count = Life(patience), list[Span](), 0, 0, 0
    state: State | None = None
    for at in evaluations:
        new = life.evaluate(at, at in found)
        # What a long outage has cut off begins anew, also in the same state.
        if new != state or (count and at - last > OUTAGE):
            if state:
                done.append(Span(state, first, last, count))
            state, first, count = new, at, 0
        last, count = at, count + 1
    if state:
        done.append(Span(state, first, last, count))
    return tuple(done)
