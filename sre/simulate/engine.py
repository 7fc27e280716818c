"""What one replica exposes over a timeline: its signals as samples, and the work that its cards feel."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from sre.simulate.replica import Flow, Flows, Key
from sre.simulate.samples import Run, Samples
from sre.simulate.story import Stretch

_AGE = 7200
"""Seconds that a replica has been up when the simulation begins."""

GAUGES = ("running", "queue_depth", "kv_cache_usage")


@dataclass(frozen=True)
class Work:
    """``count`` scrapes in which the replica's batch is ``load`` of the usual one and makes ``tokens`` per second."""

    count: int
    load: float
    tokens: float


@dataclass(frozen=True)
class Engine:
    """Samples by signal, and the work behind them."""

    signals: dict[Key, Samples]
    work: tuple[Work, ...]


@dataclass(frozen=True)
class _Piece:
    """Scrapes that one flow explains; ``waiting`` is the queue at the first of them."""

    count: int
    flow: Flow
    waiting: float
    growth: float
    stretch: Stretch
    frozen: bool


def run_engine(stretches: tuple[Stretch, ...], flows: Flows, interval: int) -> Engine:
    """Let the inputs happen to one replica."""
    pieces = list(_pieces(stretches, flows))
    collector = _Collector(interval)
    for piece in pieces:
        collector.take(piece)
    return Engine(collector.samples(), tuple(_work(piece, interval) for piece in pieces))


def _work(piece: _Piece, interval: int) -> Work:
    if piece.frozen or _away(piece.stretch) or piece.stretch.inputs.get("asleep"):
        return Work(piece.count, 0.0, 0.0)
    return Work(piece.count, piece.flow.load, piece.flow.growth["generation_tokens", ()] / interval)


def _away(stretch: Stretch) -> bool:
    return bool(stretch.inputs["gone"] or stretch.inputs["unreachable"])


def _pieces(stretches: tuple[Stretch, ...], flows: Flows) -> Iterator[_Piece]:
    waiting, burst, last = 0.0, 0.0, None
    for stretch in stretches:
        inputs, left = stretch.inputs, stretch.count
        waiting, burst = waiting + max(0.0, inputs["burst"] - burst), inputs["burst"]
        if inputs["stalled"] and last is not None:
            # A dead engine core: nothing moves, and the gauges show what was last true.
            yield _Piece(left, last, waiting, 0.0, stretch, frozen=True)
            continue
        while left:
            last = flows.at(inputs, waiting)
            growth = last.queue_growth
            count = min(left, _steady(last, waiting, growth))
            yield _Piece(count, last, max(0.0, waiting + growth), growth, stretch, frozen=False)
            waiting, left = max(0.0, waiting + growth * count), left - count


def _steady(flow: Flow, waiting: float, growth: float) -> int:
    """Scrapes until the queue is another one: empty, or felt as longer."""
    if abs(growth) < 1e-6:
        return 1 << 30
    if growth < 0:
        return max(1, int(waiting / -growth + 1e-9))
    return max(1, ceil((flow.same_until - waiting) / growth))


class _Collector:
    """Adds pieces up to series of samples."""

    def __init__(self, interval: int) -> None:
        self._interval, self._index, self._restarted, self._born = interval, 0, 0.0, float(-_AGE)
        self._runs: dict[Key, list[Run]] = defaultdict(list)
        self._totals: dict[Key, float] | None = None
        self._unscraped = 0.0

    def take(self, piece: _Piece) -> None:
        inputs = piece.stretch.inputs
        if inputs["restarted"] > self._restarted:
            self._restarted = inputs["restarted"]
            self._born = float(self._index * self._interval - 5) + inputs["skew"]
            self._totals = None
        if self._totals is None:
            aged = 0 if self._restarted else _AGE // self._interval
            self._totals = {key: float(round(growth * aged)) for key, growth in piece.flow.growth.items()}
        seen = not (_away(piece.stretch) or inputs["unscraped"])
        asleep = bool(inputs.get("asleep"))
        self._unscraped = inputs["unscraped"]
        self._up(piece, seen, asleep)
        self._gauges(piece, seen and not asleep)
        self._counters(piece, seen and not asleep)
        self._index += piece.count

    def samples(self) -> dict[Key, Samples]:
        return {key: Samples.joined(runs) for key, runs in self._runs.items()}

    def _up(self, piece: _Piece, seen: bool, asleep: bool) -> None:
        answers = 0.0 if piece.stretch.inputs["unreachable"] and not piece.stretch.inputs["gone"] else None
        self._add(("up", ()), piece.count, None if asleep else 1.0 if seen else answers)

    def _gauges(self, piece: _Piece, seen: bool) -> None:
        hidden = piece.stretch.hidden
        self._add(
            ("process_start", ()), piece.count, self._born if seen and "process_start" not in hidden else None
        )
        for name, value in piece.flow.gauges.items():
            self._add((name, ()), piece.count, value if seen and name not in hidden else None)
        waiting = round(piece.waiting, 6) if seen and "queue_depth" not in hidden else None
        self._add(("queue_depth", ()), piece.count, waiting, round(piece.growth, 6))

    def _counters(self, piece: _Piece, seen: bool) -> None:
        assert self._totals is not None
        hidden = piece.stretch.hidden
        still = piece.frozen or bool(piece.stretch.inputs.get("asleep"))
        count, totals, runs = piece.count, self._totals, self._runs
        absent = Run(count, None, self._unscraped)
        for key, growth in piece.flow.growth.items():
            step = 0.0 if still else growth
            shown = seen and not (hidden and (key[0] in hidden or key[0].rpartition("_")[0] in hidden))
            runs[key].append(Run(count, totals[key] + step, step) if shown else absent)
            totals[key] += step * count

    def _add(self, key: Key, count: int, first: float | None, step: float = 0.0) -> None:
        self._runs[key].append(Run(count, first, self._unscraped if first is None else step))
