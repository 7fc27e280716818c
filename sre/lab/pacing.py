"""Virtual time against the clock on the wall: even steps, each at its moment."""

from collections.abc import Callable
from dataclasses import dataclass

_LATE = 5.0
"""Seconds behind its clock after which a simulation says so."""


@dataclass(frozen=True)
class Pacing:
    """``step`` seconds of virtual time every ``tick`` seconds."""

    step: int
    tick: float

    @classmethod
    def of(cls, interval: int, speed: float) -> "Pacing":
        """Fine enough that every scrape finds another step: a fifteenth of the interval between two scrapes."""
        step = max(1, round(interval * speed / 15))
        return cls(step, step / speed)


def keep(
    pacing: Pacing,
    step: Callable[[float], None],
    late: Callable[[float], None],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    """Step for ever. ``late`` hears once by how many seconds the machine has fallen behind; no step is left out."""
    begin, steps, told = clock(), 0, False
    while True:
        step(pacing.step)
        steps += 1
        ahead = begin + steps * pacing.tick - clock()
        if ahead > 0:
            sleep(ahead)
        elif -ahead > _LATE and not told:
            late(-ahead)
            told = True
