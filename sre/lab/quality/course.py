"""What the faults of a day do to each place of its pool, and the small tremor of sensors that is always there."""

from collections.abc import Iterator, Mapping
from random import Random

from sre.catalogue.faults import Fault
from sre.lab.quality.days import STEP, Struck
from sre.simulate.course import Moment
from sre.simulate.demand import Demand
from sre.simulate.pool import Shape
from sre.simulate.story import Place, lay_out

Inputs = Mapping[str, float]

_WITH_DEMAND = ("running", "arrivals")
_BY_DEMAND = ("arrivals", "kv_fill")
"""Inputs that the simulation multiplies by the demand of the moment; faults mean them as they are at their start."""
_WORSE = {
    "ttft_p95", "itl_p95", "e2e_p99", "server_errors", "client_errors", "arrivals", "burst", "thrown_out", "wait",
    "nvlink", "cached", "temperature", "memory_used", "reply", "cut", "utilization",
}  # fmt: skip
"""Inputs that can go further from their healthy value than the catalogue says."""
_AT_MOST = {
    "server_errors": 0.95,
    "client_errors": 0.95,
    "cut": 0.95,
    "memory_used": 0.999,
    "utilization": 1.0,
}


def course(
    place: Place,
    struck: tuple[Struck, ...],
    faults: Mapping[str, Fault],
    shape: Shape,
    usual: dict[str, float],
    demand: Demand,
) -> tuple[Moment, ...]:
    """Moments of one place from second 0 on."""
    found = [Moment(0, usual, frozenset())]
    for one in struck:
        found += _moments(place, one, faults[one.fault], shape, usual, demand)
        found.append(Moment(one.at + one.lasts, usual, frozenset()))
    return tuple(found)


def _moments(
    place: Place, one: Struck, fault: Fault, shape: Shape, usual: dict[str, float], demand: Demand
) -> Iterator[Moment]:
    factor = sum(demand(one.at + minute * 60) for minute in range(60)) / 60
    now = {name: value * factor if name in _WITH_DEMAND else value for name, value in usual.items()}
    told = fault.model_copy(update={"history": 0, "quiet": 0})
    size = (shape.replicas, shape.cards)
    line, at = lay_out(told, told, now, shape.thresholds, size, STEP, one.lasts), float(one.at)
    for stretch in line.places[place]:
        changed = {
            name: _worse(name, value, now[name], one.severity) / (factor if name in _BY_DEMAND else 1)
            for name, value in stretch.inputs.items()
            if value != now[name]
        }
        if at < one.at + one.lasts:
            yield Moment(at, usual | changed, stretch.hidden)
        at += stretch.count * STEP


def _worse(name: str, value: float, healthy: float, severity: float) -> float:
    if name not in _WORSE:
        return value
    further = max(0.0, healthy + (value - healthy) * severity)
    return min(further, _AT_MOST.get(name, further))


class Tremor:
    """Sensors of one card: it is a little warmer or cooler than others, and no two readings are the same.

    Temperature follows the load and wanders by a degree or two; bandwidth and activity scatter by a few per cent.
    What a fault says of them holds whatever the load.
    """

    def __init__(self, random: Random, usual: Inputs) -> None:
        self._random, self._usual = random, usual
        self._own, self._drift = random.gauss(0, 2), 0.0

    def felt(self, inputs: Inputs, load: float) -> dict[str, float]:
        """The inputs of a card as its sensors tell them while its engine is so busy."""
        gauss, usual, load = self._random.gauss, self._usual, min(1.0, load)
        self._drift = 0.9 * self._drift + gauss(0, 0.7)
        warmer = self._own + self._drift + 8 * (load - 0.6)
        hot = inputs["temperature"] - usual["temperature"]
        felt = {
            **inputs,
            "temperature": round(inputs["temperature"] + (self._drift if hot else warmer)),
            "margin": round(inputs["margin"] - warmer)
            if inputs["margin"] == usual["margin"]
            else inputs["margin"],
            "nvlink": inputs["nvlink"] * (1 + gauss(0, 0.06)),
            "memory_used": min(1.0, inputs["memory_used"] + gauss(0, 0.0005)),
        }
        for name in ("utilization", "dram"):
            told = inputs[name] if inputs[name] != usual[name] else inputs[name] * load
            felt[name] = min(1.0, told * (1 + gauss(0, 0.05))) / max(load, 1e-9)
        return felt
