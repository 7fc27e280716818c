"""A GPU card that follows its engine's work, as signals in their own units: ratios, degrees, megabytes per second."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sre.simulate.engine import Work
from sre.simulate.replica import Key
from sre.simulate.samples import Run, Samples
from sre.simulate.story import Stretch

WINDOW = 300
"""Seconds over which the exporter counts events (DCGM_EXP_*, window_size_in_ms)."""

EVENTS = {8: "hw_slowdown", 32: "sw_thermal", 64: "hw_thermal", 128: "hw_power_brake"}
NO_CODE = 1000.0  # codes have three digits; what is greater stands for no value
_IDLE_WATTS, _BUSY_WATTS = 72.0, 620.0


def healthy(thresholds: Mapping[str, float | None], cards: int) -> dict[str, float]:
    """Inputs of a card with old scars, far from every limit of its pool; one card alone has no links to speak of."""

    def limit(name: str, default: float) -> float:
        value = thresholds.get(name)
        return default if value is None else value

    return {
        "utilization": (limit("gpu_utilization_low", 0.15) + limit("gpu_utilization_high", 0.7)) / 2,
        "dram": 0.34,
        "memory_used": limit("gpu_memory_used", 0.96) - 0.03,
        "temperature": min(61.0, limit("gpu_temperature", 83) - 20),
        "margin": limit("gpu_temperature_margin", 2) + 24,
        "clock_events": 4.0,
        "nvlink": 1.25 if cards > 1 else 0.0,
        "xid": 0.0,
        "ecc_double_bit": 0.0,
        "rows_uncorrectable": 1.0,
        "rows_correctable": 2.0,
        "row_remap_failure": 0.0,
        "row_remap_pending": 0.0,
        "lost": 0.0,
        "mig": 0.0,
        "unprofiled": 0.0,
        "shared": 0.0,
        "upgraded": 0.0,
        "exporter_down": 0.0,
    }


class _Piece(NamedTuple):
    length: int
    stretch: Stretch
    work: Work


def run_card(stretches: tuple[Stretch, ...], work: tuple[Work, ...], interval: int) -> dict[Key, Samples]:
    """Let the inputs and the engine's work happen to one card."""
    runs: dict[Key, list[Run]] = defaultdict(list)
    index, events = 0, _Events(WINDOW // interval)
    for piece in _aligned(stretches, work):
        absent = _absent(piece.stretch)
        stretch = piece.stretch
        values = {} if absent is not None else readings(stretch.inputs, stretch.hidden, piece.work)
        for key, start, count, value in (*_whole(values, index, piece.length), *events.take(piece, index)):
            _pad(runs[key], start, absent)
            runs[key].append(Run(count, value))
        index += piece.length
        for series in runs.values():
            _pad(series, index, absent)
    return {key: Samples.joined(series) for key, series in runs.items()}


def _absent(stretch: Stretch) -> float | None:
    """None where the card is seen; else 1 where nobody scrapes, and 0 where it is gone."""
    inputs = stretch.inputs
    if inputs["unscraped"]:
        return 1.0
    return 0.0 if inputs["lost"] or inputs["exporter_down"] or inputs.get("asleep") else None


def _pad(series: list[Run], index: int, absent: float | None) -> None:
    missing = index - sum(run.length for run in series)
    if missing:
        series.append(Run(missing, None, absent or 0.0))


def _whole(values: dict[Key, float], index: int, count: int) -> Iterator[tuple[Key, int, int, float]]:
    for key, value in values.items():
        yield key, index, count, value


def _aligned(stretches: tuple[Stretch, ...], work: tuple[Work, ...]) -> Iterator[_Piece]:
    """Split where either changes."""
    queue, left = list(work), 0
    for stretch in stretches:
        needed = stretch.count
        while needed:
            left = left or queue[0].count
            count = min(needed, left)
            yield _Piece(count, stretch, queue[0])
            needed, left = needed - count, left - count
            if not left:
                queue.pop(0)


def readings(inputs: Mapping[str, float], hidden: frozenset[str], work: Work) -> dict[Key, float]:
    """What a card that is there reads while its engine works so much."""
    load = min(1.0, work.load)
    utilization = inputs["utilization"] * load
    values = {
        "gpu_present": inputs["temperature"],
        "gpu_temperature": inputs["temperature"],
        "gpu_memory_temperature": inputs["temperature"] + 9,
        "gpu_utilization": utilization,
        "gpu_dram_active": inputs["dram"] * load,
        "gpu_tensor_active": utilization / 3,
        "gpu_memory_used": inputs["memory_used"],
        "gpu_memory_free": 1 - inputs["memory_used"],
        "gpu_temperature_margin": inputs["margin"],
        "gpu_power": _IDLE_WATTS + (_BUSY_WATTS - _IDLE_WATTS) * utilization,
        "gpu_clock_events": inputs["clock_events"],
        "gpu_xid": inputs["xid"],
        "gpu_ecc_double_bit": inputs["ecc_double_bit"],
        "gpu_rows_uncorrectable": inputs["rows_uncorrectable"],
        "gpu_rows_correctable": inputs["rows_correctable"],
        "gpu_row_remap_failure": inputs["row_remap_failure"],
        "gpu_row_remap_pending": inputs["row_remap_pending"],
        "gpu_nvlink_bandwidth": inputs["nvlink"] * work.tokens,
    }
    return {(name, ()): value for name, value in values.items() if name not in hidden}


class _Events:
    """The exporter's windowed counts: an event counts while it lies in the window; a count of zero has no code."""

    def __init__(self, window: int) -> None:
        self._window, self._xid = window, 0.0

    def take(self, piece: _Piece, index: int) -> Iterator[tuple[Key, int, int, float]]:
        if _absent(piece.stretch) is not None:
            return
        mask, xid = int(piece.stretch.inputs["clock_events"]), piece.stretch.inputs["xid"]
        for bit, name in EVENTS.items():
            if mask & bit:
                yield ("gpu_clock_event_count", (("clock_event", name),)), index, piece.length, 7.0
        counted = min(piece.length, self._window) if 0 < xid < NO_CODE and xid != self._xid and index else 0
        if counted:
            yield ("gpu_xid_count", (("xid", f"{xid:.0f}"),)), index, counted, 1.0
        if piece.length > counted:
            yield ("gpu_xid_count", ()), index + counted, piece.length - counted, 0.0
        self._xid = xid
