"""How work comes and goes over a local week: what a card does next, and for how long."""

from collections.abc import Callable
from random import Random

from sre.simulate.cast import BUSY, LOADED, UNDERUSED

DAY, HOUR = 86_400, 3600

Course = Callable[[int, Random], tuple[str, int]]
"""From the second of the local week: a state, and for how many minutes."""


def office(second: int, random: Random) -> tuple[str, int]:
    """Busy by day, underused in the evening, idle at night and on weekends but for a request now and then."""
    hour, weekday = second % DAY // HOUR, (second // DAY + 3) % 7
    if weekday < 5 and 8 <= hour < 18:
        return (
            (BUSY, random.randrange(20, 120))
            if random.random() < 0.85
            else (LOADED, random.randrange(10, 40))
        )
    if hour in range(18, 23):
        return (
            (UNDERUSED, random.randrange(20, 90))
            if random.random() < 0.5
            else (LOADED, random.randrange(30, 120))
        )
    return (
        (UNDERUSED, random.randrange(5, 15)) if random.random() < 0.1 else (LOADED, random.randrange(60, 240))
    )


def rare(_second: int, random: Random) -> tuple[str, int]:
    return (
        (UNDERUSED, random.randrange(5, 30)) if random.random() < 0.3 else (LOADED, random.randrange(60, 300))
    )


def nightly(second: int, random: Random) -> tuple[str, int]:
    return (
        (BUSY, random.randrange(60, 120)) if second % DAY // HOUR < 5 else (LOADED, random.randrange(30, 90))
    )


def drawn(*parts: object) -> Random:
    return Random("/".join(map(str, parts)))  # noqa: S311 - chance that can be repeated, no secret
