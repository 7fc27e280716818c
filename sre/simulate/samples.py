"""A series of samples as runs of even steps: what is steady stays small, in memory and in a proof."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple


class Run(NamedTuple):
    """``length`` samples: ``first``, ``first + step``, ...

    ``first`` is None where there are none; ``step`` is then 1 where nobody scraped, so that nobody marked an
    end either.
    """

    length: int
    first: float | None
    step: float = 0.0

    @property
    def last(self) -> float:
        assert self.first is not None
        return self.first + self.step * (self.length - 1)


@dataclass(frozen=True)
class Samples:
    """One series, one sample per scrape; index 0 is the first scrape."""

    runs: tuple[Run, ...]

    @classmethod
    def joined(cls, runs: Iterable[Run]) -> "Samples":
        """Runs in order; neighbours that continue each other become one."""
        merged: list[Run] = []
        for run in runs:
            if not run.length:
                continue
            if merged and (more := _continued(merged[-1], run)):
                merged[-1] = more
            else:
                merged.append(run)
        return cls(tuple(merged))

    @cached_property
    def _starts(self) -> tuple[int, ...]:
        starts, at = [], 0
        for run in self.runs:
            starts.append(at)
            at += run.length
        return tuple(starts)

    def at(self, index: int) -> float | None:
        """The sample at a scrape, or None where there is none."""
        if index < 0:
            return None
        place = bisect_right(self._starts, index) - 1
        run, offset = self.runs[place], index - self._starts[place]
        if offset >= run.length or run.first is None:
            return None
        return run.first + run.step * offset

    def times(self, factor: float) -> "Samples":
        """Every sample multiplied."""
        return Samples(
            tuple(
                run if run.first is None else Run(run.length, run.first * factor, run.step * factor)
                for run in self.runs
            )
        )

    def only(self, spans: Iterable[tuple[int, bool]]) -> "Samples":
        """The samples inside the spans (length, inside), which cover the whole series; the rest is an absence."""
        return Samples.joined(self._cut(spans))

    def _cut(self, spans: Iterable[tuple[int, bool]]) -> Iterator[Run]:
        at = 0
        for length, inside in spans:
            for run, start in zip(self.runs, self._starts, strict=True):
                first, last = max(start, at), min(start + run.length, at + length)
                if first < last and inside and run.first is not None:
                    yield Run(last - first, run.first + run.step * (first - start), run.step)
                elif first < last:
                    yield Run(last - first, None, run.step if run.first is None else 0.0)
            at += length

    def steady(self, first: int, last: int) -> float | None:
        """The step from sample to sample where one run holds both scrapes, else None."""
        place = bisect_right(self._starts, first) - 1
        if place < 0:
            return None
        run = self.runs[place]
        return run.step if run.first is not None and last < self._starts[place] + run.length else None

    def between(self, first: int, last: int) -> list[tuple[int, int, float, float]]:
        """(first index, last index, first sample, last sample) of every run between two scrapes, both included."""
        found, starts = [], self._starts
        for place in range(max(0, bisect_right(starts, first) - 1), bisect_right(starts, last)):
            (length, value, step), start = self.runs[place], starts[place]
            low, high = max(first, start), min(last, start + length - 1)
            if value is not None and low <= high:
                found.append((low, high, value + step * (low - start), value + step * (high - start)))
        return found

    @cached_property
    def notation(self) -> str:
        """promtool's words for it: ``a+bxn`` is n + 1 samples, ``_xn`` n gaps, ``stale`` the end of a series."""
        words, alive = [], False
        for run in self.runs:
            # Prometheus marks the end of a series when its target or its line in the exposition is gone.
            marked = alive and run.first is None and not run.step
            words += ["stale"] if marked else []
            if run.first is not None:
                words.append(_word(run))
            elif run.length > marked:
                words.append(f"_x{run.length - marked}")
            alive = run.first is not None
        if words and words[-1].startswith("_"):
            words.pop()
        return " ".join(words)


def _continued(before: Run, after: Run) -> Run | None:
    if before.first is None or after.first is None:
        alike = before.first is after.first and before.step == after.step
        return Run(before.length + after.length, None, before.step) if alike else None
    if before.length == after.length == 1 and after.first < before.first:
        return None  # a counter that fell has started anew: that is no line
    step = before.step if before.length > 1 else after.first - before.first
    even = after.length == 1 or _same(after.step, step)
    if even and _same(after.first, before.first + step * before.length):
        return Run(before.length + after.length, before.first, step)
    return None


def _same(left: float, right: float) -> bool:
    return abs(left - right) < 5e-7


def _word(run: Run) -> str:
    assert run.first is not None
    first, step = number(run.first), number(run.step)
    if run.length == 1:
        return first
    if step in ("0", "-0"):
        return f"{first}x{run.length - 1}"
    return f"{first}{step if step.startswith('-') else '+' + step}x{run.length - 1}"


def number(value: float) -> str:
    """A sample as text: at most six decimals, never an exponent."""
    if value == int(value):
        return str(int(value))
    return f"{value:.6f}".rstrip("0").rstrip(".")
