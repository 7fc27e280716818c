"""What stands behind one scrape target of the lab: its page at each scrape, and whether it answers at all."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate

from sre.lab.pages import BROKEN, HUNG_UP, Page
from sre.simulate.samples import Samples
from sre.simulate.site import Named, Site

_SERIES = re.compile(r"([^{]+)\{(.*)\}", re.S)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"', re.S)

ROUTER = {"job": "router", "instance": "10.0.0.0:8000"}
"""Who repeats the engines' metrics beside them."""


@dataclass(frozen=True)
class Place:
    """Where a target stands: its labels as service discovery gives them, and whether its own labels win."""

    path: str
    labels: Mapping[str, str]
    honor_labels: bool = False


@dataclass
class Target:
    """One target. ``up`` says when it answers; a target without it fails when it has nothing to show."""

    place: Place
    lines: tuple[Named, ...]
    up: Samples | None = None
    _stretch: tuple[int, int] = (0, 0)
    _still: str = ""
    _moving: tuple[tuple[str, float, float], ...] = ()
    _bounds: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        changes = {0}
        for _, samples in self.lines:
            changes.update(accumulate(run.length for run in samples.runs))
        self._bounds = tuple(sorted(changes))

    def gone(self, index: int) -> bool:
        """Whether it has left service discovery."""
        return self.up is not None and self.up.at(index) is None and not _unscraped(self.up, index)

    def page(self, index: int) -> Page:
        """What it answers to the scrape ``index``."""
        if self.up is not None and _unscraped(self.up, index):
            return HUNG_UP
        if self.up is not None and not self.up.at(index):
            return BROKEN
        text = self._text(index)
        return Page(text.encode()) if text or self.up is not None else BROKEN

    def _text(self, index: int) -> str:
        if not self._stretch[0] <= index < self._stretch[1]:
            self._turn(index)
        first = self._stretch[0]
        moved = [f"{name} {value + step * (index - first)!r}\n" for name, value, step in self._moving]
        return self._still + "".join(moved)

    def _turn(self, index: int) -> None:
        """Between two changes of any series each of them lies on a line."""
        place = bisect_right(self._bounds, index)
        first = self._bounds[place - 1]
        last = self._bounds[place] if place < len(self._bounds) else first + 1
        still, moving = list[str](), list[tuple[str, float, float]]()
        for name, samples in self.lines:
            value = samples.at(first)
            if value is None:
                continue
            step = (samples.steady(first, last - 1) or 0.0) if last - 1 > first else 0.0
            if step:
                moving.append((name, value, step))
            else:
                still.append(f"{name} {value!r}\n")
        self._still, self._moving, self._stretch = "".join(still), tuple(moving), (first, last)


def _unscraped(samples: Samples, index: int) -> bool:
    at = 0
    for run in samples.runs:
        at += run.length
        if index < at:
            return run.first is None and bool(run.step)
    return False


def places(site: Site, replicas: int, prefix: str) -> Iterator[Place]:
    """The targets of one simulated pool."""
    for number in range(replicas):
        yield Place(f"{prefix}/engine/{number}", site.replica(number))
        yield Place(f"{prefix}/cards/{number}", site.exporter(number), site.honor_labels)
        if site.usage_job:
            yield Place(f"{prefix}/gateway/{number}", site.gateway(number))


def targets(found: Iterable[Place], series: Iterable[Named]) -> Iterator[Target]:
    """The targets that these series come from, each with what it exposes; places without any are left out."""
    by_instance = {place.labels["instance"]: place for place in found}
    lines: dict[str, list[Named]] = {instance: [] for instance in by_instance}
    up = dict[str, Samples]()
    for name, samples in series:
        instance = dict(_parts(name)[1]).get("instance")
        if instance not in by_instance:
            continue
        if name.startswith("up{"):
            up[instance] = samples
        else:
            lines[instance].append((exposed(name, by_instance[instance]), samples))
    for instance, place in by_instance.items():
        if lines[instance] or instance in up:
            yield Target(place, tuple(lines[instance]), up.get(instance))


def exposed(name: str, place: Place) -> str:
    """A series as its target writes it: without the labels that Prometheus puts on, and before it renames any."""
    metric, labels = _parts(name)
    kept = []
    for label, value in labels:
        own = label.removeprefix("exported_")
        if own != label and own in place.labels and not place.honor_labels:
            kept.append((own, value))
        elif place.labels.get(label) != value:
            kept.append((label, value))
    return metric + ("{" + ",".join(f'{label}="{value}"' for label, value in kept) + "}" if kept else "")


@cache
def _parts(name: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The metric and its labels, values as they are written."""
    found = _SERIES.fullmatch(name)
    assert found
    return found[1], tuple((label[1], label[2]) for label in _LABEL.finditer(found[2]))
