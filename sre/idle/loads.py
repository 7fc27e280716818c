"""What a pool had to do, window by window: the load on which every saving is a counterfactual."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class PoolLoad:
    """Each a number for each window, None where nothing was recorded.

    ``work`` is the peak of what the pool's cards did together, in whole cards (a mean of five minutes);
    ``requests`` is how many it answered.
    """

    work: tuple[float | None, ...] = ()
    requests: tuple[float | None, ...] = ()
    cold_start: float | None = None
    """Seconds until a new replica served, as seen in the period: the median."""


@dataclass(frozen=True)
class Before:
    """The period before, of the same length: how many more idle minutes each card had then, its slices together.

    ``looked`` is the share of that time in which anything was recorded.
    """

    fewer: Mapping[str, int]
    looked: float


@dataclass(frozen=True)
class Context:
    """All that is read beside the states. ``signals`` is what a card's activity was measured by, by UUID and slice."""

    loads: Mapping[str, PoolLoad] = field(default_factory=dict)
    before: Before | None = None
    signals: Mapping[tuple[str, str], str] = field(default_factory=dict)
