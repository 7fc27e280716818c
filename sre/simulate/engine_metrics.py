"""An engine's signals under the names and labels of a release, as its binding knows them."""

from collections.abc import Iterator
from functools import cache

from sre.catalogue.bindings import Binding, Mark, MetricSource
from sre.fleet.values import covers, release
from sre.simulate.engine import GAUGES, Engine
from sre.simulate.replica import Key
from sre.simulate.samples import Run, Samples
from sre.simulate.site import Named, Site, series
from sre.simulate.story import Stretch
from sre.simulate.trimming import trimmed

_PROCESS = ("up", "process_start", "responses")
"""Signals of the whole server process: no rank is on them."""

_ROUTE = {"handler": "/v1/chat/completions", "method": "POST"}
_SUFFIXES = ("_bucket", "_sum", "_count")


class EngineMetrics:
    """Series of the replicas of one pool, for the release that its fleet file declares."""

    def __init__(self, binding: Binding, version: str, site: Site) -> None:
        self._binding, self._version, self._site = binding, version, site
        self._other = other_release(binding, version)
        self._names = cache(self._named)

    def series(self, number: int, engine: Engine, stretches: tuple[Stretch, ...]) -> Iterator[Named]:
        """Everything that one replica exposes, and what it exposes beside the point."""
        renamed, signals = [bool(s.inputs["renamed"]) for s in stretches], trimmed(engine.signals)
        found = dict(self._series(number, signals, self._version, stretches))
        if any(renamed):
            other = dict(self._series(number, signals, self._other, stretches))
            found = _either(found, other, [(s.count, new) for s, new in zip(stretches, renamed, strict=True)])
        yield from found.items()

    def names(self, key: Key, renamed: bool, number: int = 0) -> tuple[tuple[str, str], ...]:
        """Series of one signal of a replica, each with its twin that a leaked `pid` label makes."""
        return self._names(number, key, self._other if renamed else self._version)

    def constants(self, renamed: bool, labels: dict[str, str]) -> Iterator[tuple[str, str, float | str]]:
        """Metric, series and value of what tells who answers, at which release, with which settings (``labels``).

        Instead of a value stands the signal whose value it is.
        """
        version = self._other if renamed else self._version
        yield self._binding.identify, series(self._binding.identify, {**self._rank(), **labels}), 1.0
        for mark in self._binding.marks:
            if mark.metric and covers(mark.since, mark.until, version):
                yield from self._marked(mark)

    def _marked(self, mark: Mark) -> Iterator[tuple[str, str, float | str]]:
        rank = self._rank()
        if not mark.ranked:
            rank = {label: value for label, value in rank.items() if label == "model_name"}
        parts = [(label, value) for label, values in mark.by.items() for value in values]
        for number, part in enumerate(parts or [None]):
            labels = rank | dict([part] if part else [])
            yield mark.metric, series(mark.metric, labels), mark.splits if mark.splits and not number else 0.0

    def _series(
        self, number: int, signals: dict[Key, Samples], version: str, stretches: tuple[Stretch, ...]
    ) -> Iterator[Named]:
        twice = stretches[-1].inputs["leaked_pid"]
        for key, samples in signals.items():
            for name, leaked in self._names(number, key, version):
                yield name, samples
                if twice and key[0] in GAUGES:
                    yield leaked, samples

    def _named(self, number: int, key: Key, version: str) -> tuple[tuple[str, str], ...]:
        """Names of one signal, each with its twin that a leaked `pid` label makes."""
        signal, suffix = split(key[0], self._binding)
        target = self._site.replica(number)
        rank = {} if signal in _PROCESS else self._rank()
        found = []
        for source in self._binding.signals.get(signal, ()):
            if shown(source, version) and self._owner(source.metric, version) == signal:
                own = {source.labels.get(label, label): value for label, value in key[1]}
                route = _ROUTE if "handler=" in source.matchers else {}
                labels = {**target, **rank, **own, **route}
                found.append(
                    (
                        series(source.metric + suffix, labels),
                        series(source.metric + suffix, {**labels, "pid": "7"}),
                    )
                )
        return tuple(found)

    def _owner(self, metric: str, version: str) -> str:
        """The signal that a metric tells first; others that fall back on it see the same numbers."""
        return min(
            (
                (place, name)
                for name, sources in self._binding.signals.items()
                for place, s in enumerate(s for s in sources if shown(s, version))
                if s.metric == metric
            )
        )[1]

    def _rank(self) -> dict[str, str]:
        values = {"model_name": self._site.model}
        return {label: values.get(label, "0") for label in self._binding.rank if label != "instance"}

    def bystanders(self, count: int) -> Iterator[Named]:
        """Series of the same names that are not this pool's: a router that repeats them, requests that nobody made."""
        for source in self._binding.signals.get("queue_depth", ()):
            yield (
                series(source.metric, {"job": "router", "server": "10.0.0.0:8000"}),
                Samples((Run(count, 1000.0),)),
            )
        for source in self._binding.signals.get("responses", ()):
            if "handler=" in source.matchers:
                labels = {**self._site.replica(0), "handler": "none", "method": "GET", "status": "4xx"}
                yield series(source.metric, labels), Samples((Run(count, 500.0, 100.0),))


def _either(
    old: dict[str, Samples], new: dict[str, Samples], spans: list[tuple[int, bool]]
) -> dict[str, Samples]:
    """Names of one release while the spans say so, and of the other else; a name that both have goes on."""
    before = {
        name: s if name in new else s.only((n, not inside) for n, inside in spans) for name, s in old.items()
    }
    return before | {name: s.only(spans) for name, s in new.items() if name not in old}


def shown(source: MetricSource, version: str) -> bool:
    """Whether an engine's release has this metric."""
    return covers(source.since, source.until, version)


def other_release(binding: Binding, version: str) -> str:
    """The newest release of which some metric has a name that ``version`` does not know, or the other way round."""
    marks = {
        v
        for sources in binding.signals.values()
        for s in sources
        for v in (s.since, s.until)
        if v and v != "0"
    }
    releases = sorted(
        {*marks, binding.versions.oldest, binding.versions.newest}, key=lambda v: release(v) or (0, 0, 0)
    )
    apart = [v for v in releases if any(_apart(sources, v, version) for sources in binding.signals.values())]
    return apart[-1] if apart else version


def _apart(sources: tuple[MetricSource, ...], one: str, other: str) -> bool:
    left = {s.metric for s in sources if shown(s, one)}
    right = {s.metric for s in sources if shown(s, other)}
    return bool(left and right and not left & right)


def split(name: str, binding: Binding) -> tuple[str, str]:
    """``ttft_bucket`` is the signal ``ttft`` with a suffix."""
    if name in binding.signals:
        return name, ""
    return next(((name.removesuffix(s), s) for s in _SUFFIXES if name.endswith(s)), (name, ""))
