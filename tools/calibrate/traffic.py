"""Requests that arrive by themselves, whether or not the server keeps up (an open loop)."""

import random
from dataclasses import dataclass
from math import exp, log


@dataclass(frozen=True)
class Request:
    """A request ``at`` so many seconds after the beginning, of so many prompt and reply tokens."""

    at: float
    prompt: int
    reply: int


@dataclass(frozen=True)
class Lengths:
    """Prompts spread evenly from half to one and a half of ``prompt``; replies lognormal, cut at ``longest``."""

    prompt: int
    reply: int
    spread: float
    longest: int

    def draw(self, chance: random.Random) -> tuple[int, int]:
        prompt = chance.randint(self.prompt // 2, self.prompt * 3 // 2)
        reply = exp(log(self.reply) + self.spread * chance.gauss())
        return prompt, max(2, min(self.longest, round(reply)))


def arrivals(rate: float, seconds: float, lengths: Lengths, seed: int) -> list[Request]:
    """Poisson arrivals, given that as many come as do on average; the same seed gives the same requests."""
    chance = random.Random(seed)  # noqa: S311 - chance that can be repeated, no secret
    moments = sorted(chance.uniform(0, seconds) for _ in range(round(rate * seconds)))
    return [Request(round(at, 3), *lengths.draw(chance)) for at in moments]


def mean_lengths(lengths: Lengths, seed: int = 0) -> tuple[float, float]:
    """Mean prompt and reply tokens."""
    chance, count = random.Random(seed), 20_000  # noqa: S311 - chance that can be repeated, no secret
    drawn = [lengths.draw(chance) for _ in range(count)]
    return sum(p for p, _ in drawn) / count, sum(r for _, r in drawn) / count
