"""When requests come to one replica: by chance, or as a trace says."""

from collections.abc import Sequence
from math import floor, inf, log
from random import Random
from typing import Protocol

from sre.simulate.draws import Mix, Request
from sre.simulate.traces import Asked


class Arrivals(Protocol):
    """``time`` is when the next request comes; inf where none does."""

    time: float

    def change(self, now: float, rate: float, mix: Mix) -> None:
        """From now on so many requests per second, that look like this; what was due before never comes."""

    def take(self) -> list[Request]:
        """The requests that come at ``time``."""


class Poisson:
    """Requests that know nothing of each other."""

    def __init__(self, random: Random) -> None:
        self.time, self._random, self._rate = inf, random, 0.0
        self._mix: Mix | None = None

    def change(self, now: float, rate: float, mix: Mix) -> None:
        """Nothing is remembered of the wait so far: such arrivals have no memory."""
        self._mix = mix
        if rate != self._rate or self.time < now:
            self._rate = rate
            self.time = now + self._gap() if rate > 0 else inf

    def take(self) -> list[Request]:
        """One request."""
        assert self._mix
        now = self.time
        self.time = now + self._gap()
        return [self._mix.draw(self._random, now)]

    def _gap(self) -> float:
        return -log(1.0 - self._random.random()) / self._rate


class Replay:
    """One replica's share of a trace, from its beginning again after ``span`` seconds.

    At a rate other than the ``usual`` one each request comes so many times as often: by chance none, one or several.
    """

    def __init__(self, random: Random, asked: Sequence[Asked], span: float, usual: float) -> None:
        self._random, self._asked, self._span, self._usual = random, asked, span, usual
        self._factor, self._reply, self._next, self._round = 1.0, 1.0, 0, 0
        self.time = self._at()

    def change(self, now: float, rate: float, mix: Mix) -> None:
        """Lengths stay the trace's own."""
        self._factor = rate / self._usual
        while self.time < now:
            self._step()

    def take(self) -> list[Request]:
        """The request of the trace, as often as it comes now."""
        asked, now = self._asked[self._next], self.time
        times = floor(self._factor + self._random.random())
        self._step()
        return [Request(now, asked.prompt, asked.reply) for _ in range(times)]

    def _step(self) -> None:
        self._next += 1
        if self._next == len(self._asked):
            self._next, self._round = 0, self._round + 1
        self.time = self._at()

    def _at(self) -> float:
        return self._asked[self._next].second + self._round * self._span if self._asked else inf
