"""Lengths of replies over time: from a trace, from a calm past drawn from it, and as scraped histograms."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from math import sqrt
from pathlib import Path
from random import Random
from typing import NamedTuple

from sre.lab.trace_file import load_trace
from sre.simulate.site import series

TRACES = {
    "Azure conversation": "azure_llm_2023/AzureLLMInferenceTrace_conv.csv.gz",
    "Azure code": "azure_llm_2023/AzureLLMInferenceTrace_code.csv.gz",
    "Mooncake conversation": "mooncake_fast25/conversation_trace.jsonl.gz",
}
STEP = 30
"""Seconds between two scrapes."""
WINDOW = 600
"""Seconds of the rules' short window."""


class Reply(NamedTuple):
    """``second`` counts from the first request of the trace; a calm past lies before 0."""

    second: float
    tokens: int
    team: str = "search"


def load(folder: Path, name: str, team: str = "search") -> list[Reply]:
    """A reply counts at its request's moment: the traces do not say when it ended."""
    return [Reply(one.second, one.reply, team) for one in load_trace(folder / TRACES[name])]


def calm(replies: Sequence[Reply], seconds: int, seed: int) -> list[Reply]:
    """A past like the first ten minutes, for so many seconds: as many replies a minute, drawn anew with replacement."""
    first, random = [one for one in replies if one.second < WINDOW], Random(seed)  # noqa: S311
    count = round(len(first) * seconds / WINDOW)
    moments = sorted(-seconds * random.random() for _ in range(count))
    return [Reply(at, random.choice(first).tokens, first[0].team) for at in moments]


def scraped(
    replies: Sequence[Reply],
    begin: int,
    end: int,
    metric: str,
    bounds: Sequence[float],
    labels: Mapping[str, str],
) -> Iterator[tuple[str, list[float]]]:
    """The histogram's series with a sample every ``STEP`` seconds from ``begin`` to ``end``."""
    count = (end - begin) // STEP + 1
    columns = [[0.0] * count for _ in range(len(bounds) + 1)]
    total = [0.0] * count
    for one in replies:
        at = int((one.second - begin) // STEP) + 1
        if 0 <= at < count:
            columns[bisect_left(bounds, one.tokens)][at] += 1
            total[at] += one.tokens
    upto = [0.0] * count
    for bound, column in zip((*map(repr, map(float, bounds)), "+Inf"), columns, strict=True):
        upto = [a + b for a, b in zip(upto, column, strict=True)]
        yield series(f"{metric}_bucket", {**labels, "le": bound}), list(accumulate(upto))
    yield series(f"{metric}_count", dict(labels)), list(accumulate(upto))
    yield series(f"{metric}_sum", dict(labels)), list(accumulate(total))


class Exact(NamedTuple):
    """What raw replies say, without buckets or rules: when the last ten minutes began to move, and passed a limit."""

    began: int | None
    passed: int | None


def exact(replies: Sequence[Reply], past: Sequence[Reply], limit: float, minutes: int) -> Exact:
    """Minutes of the trace at which the distance to the past left what chance explains for good, and the limit."""
    usual, began = sorted(one.tokens for one in past), None
    for minute in range(1, minutes + 1):
        window = [one.tokens for one in (*past, *replies) if minute * 60 - WINDOW <= one.second < minute * 60]
        apart = distance(sorted(window), usual)
        if apart <= 1.95 * sqrt(1 / len(window) + 1 / len(usual)):
            began = None
        elif began is None:
            began = minute
        if apart > limit:
            return Exact(began, minute)
    return Exact(None, None)


def distance(one: Sequence[int], other: Sequence[int]) -> float:
    """The Kolmogorov-Smirnov distance of two sorted samples."""
    values = sorted({*one, *other})
    found, i, j = 0.0, 0, 0
    for value in values:
        while i < len(one) and one[i] <= value:
            i += 1
        while j < len(other) and other[j] <= value:
            j += 1
        found = max(found, abs(i / len(one) - j / len(other)))
    return found
