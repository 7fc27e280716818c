"""How demand moves over a week: a factor on a pool's usual arrivals, by second of virtual time."""

from collections.abc import Callable
from functools import lru_cache
from math import cos, pi
from random import Random

Demand = Callable[[float], float]
"""The factor at a second of virtual time."""

DAY, WEEK = 86_400, 7 * 86_400

_NIGHT, _WEEKEND = 0.2, 0.45
"""Demand at four in the morning, and on Saturday and Sunday, against a weekday's afternoon."""


def flat(_second: float) -> float:
    """Demand that never changes."""
    return 1.0


def week(seed: str, start: float = 0.0) -> Demand:
    """Days, nights, weekends, and bursts that come when they like; ``start`` is the second of the week at 0.

    It is steady for a minute each.
    """

    def factor(second: float) -> float:
        moment = int((start + second) // 60)
        return _usual(moment * 60 % WEEK) * _burst(seed, moment)

    return factor


def _usual(second: int) -> float:
    # Highest at four in the afternoon, lowest at four in the morning.
    swing = (1 + cos(2 * pi * (second % DAY / DAY - 16 / 24))) / 2
    return (_NIGHT + (1 - _NIGHT) * swing) * (_WEEKEND if second >= 5 * DAY else 1.0)


def _burst(seed: str, minute: int) -> float:
    hour, at = divmod(minute, 60)
    begin, minutes, height = _bursts(seed, hour)
    return height if begin <= at < begin + minutes else 1.0


@lru_cache(maxsize=512)
def _bursts(seed: str, hour: int) -> tuple[int, int, float]:
    """In every fourth hour, once: from which minute, for how many, and how high."""
    random = Random(f"{seed}/{hour}")  # noqa: S311 - chance that can be repeated, no secret
    if random.random() >= 0.25:
        return 0, 0, 1.0
    return random.randrange(50), random.randint(2, 10), 1.3 + random.random()
