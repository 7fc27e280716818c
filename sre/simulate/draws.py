"""Requests drawn by chance: how long the prompt is, and how long the reply."""

from dataclasses import dataclass
from functools import lru_cache
from math import exp
from random import Random
from statistics import NormalDist

from sre.simulate.service import TTFT_SIGMA, Inputs, Service
from sre.simulate.spread import Skewed

_CELLS = 4096


@dataclass(slots=True, eq=False)
class Request:
    """One request, and how far it is.

    ``arrived`` is in seconds; ``admitted``, the ``first`` token and the ``end`` are in steps of its engine. ``made``
    counts the tokens from before it was last thrown out of the batch; ``fresh`` is one without a token so far.
    """

    arrived: float
    prompt: int
    reply: int
    cut: bool = False
    made: int = 0
    admitted: float = 0.0
    first: float = 0.0
    end: float = 0.0
    fresh: bool = True
    scheduled: bool = False


class Mix:
    """What requests look like under some inputs."""

    def __init__(self, inputs: Inputs, cost: Service) -> None:
        self._prompts, self._replies = table(prompts(inputs)), table(cost.reply)
        self._whole = int(_CELLS * (1 - inputs["cut"]))
        self._runaway, self._runaway_tokens = cost.runaway, max(1, round(cost.runaway_tokens))

    def draw(self, random: Random, now: float) -> Request:
        """A request that arrives now."""
        cell = int(random.random() * _CELLS)
        prompt = self._prompts[int(random.random() * _CELLS)]
        if self._runaway and random.random() < self._runaway:
            return Request(now, prompt, self._runaway_tokens, True)
        return Request(now, prompt, self._replies[cell], cell >= self._whole)


def prompts(inputs: Inputs) -> Skewed:
    """Lengths of prompts: as spread as the time to the first token, which follows from them."""
    return Skewed(inputs["prompt"] / exp(TTFT_SIGMA**2 / 2), TTFT_SIGMA)


@lru_cache(maxsize=256)
def table(skewed: Skewed) -> tuple[int, ...]:
    """The distribution as that many equally likely whole numbers of 1 or more, from the least to the greatest."""
    normal = NormalDist()
    values = (
        skewed.median * exp(skewed.sigma * normal.inv_cdf((cell + 0.5) / _CELLS)) for cell in range(_CELLS)
    )
    return tuple(max(1, round(min(value, skewed.cap))) for value in values)
