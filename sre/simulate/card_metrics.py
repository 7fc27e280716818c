"""A card's signals under the names, labels and units of one exporter release, as its binding knows them."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from sre.catalogue.bindings import Binding, MetricSource
from sre.fleet.values import covers
from sre.simulate.gpu import WINDOW
from sre.simulate.replica import Key
from sre.simulate.samples import Run, Samples
from sre.simulate.site import Named, Site, series
from sre.simulate.story import Place, Stretch

CARD_MIB = 81559
"""Memory of the simulated card: an H100 of 80 GB."""

DRIVER = "580.105.08"
"""Release of the simulated card's driver."""

_MIB = 1 << 20
_CODE_AS_LABEL = "4.0.0"
"""Before it, the last XID is the value of one series; since, each code is a series (dcgm-exporter PR 309)."""


class CardMetrics:
    """Series of the cards of one pool."""

    def __init__(self, binding: Binding, version: str, site: Site) -> None:
        self._binding, self._version, self._site = binding, version, site
        self._labels, self._on, self._names = (
            cache(self._card_labels),
            cache(self._switched_on),
            cache(self._named),
        )

    def series(
        self, place: Place, signals: dict[Key, Samples], stretches: tuple[Stretch, ...]
    ) -> Iterator[Named]:
        """Everything that the exporter shows of one card, every counter of the binding switched on."""
        newest, inputs = self._binding.versions.newest, stretches[-1].inputs
        upgraded = [bool(s.inputs["upgraded"]) and self._version != newest for s in stretches]
        for version, wanted in ((self._version, False), (newest, True)):
            spans = [(s.count, now == wanted) for s, now in zip(stretches, upgraded, strict=True)]
            if any(shown for _, shown in spans):
                found = signals.items() if all(s for _, s in spans) else _masked(signals, spans)
                yield from self._series(place, found, version, inputs)

    def _series(
        self, place: Place, signals: Iterable[tuple[Key, Samples]], version: str, inputs: dict[str, float]
    ) -> Iterator[Named]:
        for key, samples in signals:
            for source, factor, copies in self._names(place, key, version, _shape(inputs)):
                scaled = samples if factor == 1 else samples.times(factor)
                if _latched(source, version):
                    yield from _coded(source, copies, scaled)
                else:
                    yield from ((name, scaled) for name, _ in copies)

    def lines(
        self, place: Place, values: Mapping[Key, float], inputs: Mapping[str, float]
    ) -> Iterator[tuple[MetricSource, str, Key, float]]:
        """What the exporter prints of one card in one moment: metric, series, signal, and its factor to the metric."""
        version = self.release(inputs)
        for key, value in values.items():
            for source, factor, copies in self._names(place, key, version, _shape(inputs)):
                latched = {"err_code": f"{value:.0f}"} if _latched(source, version) else {}
                for name, labels in copies:
                    yield source, series(source.metric, labels | latched) if latched else name, key, factor

    def release(self, inputs: Mapping[str, float]) -> str:
        """The release of the exporter that shows a card under these inputs."""
        return self._binding.versions.newest if inputs["upgraded"] else self._version

    def _named(
        self, place: Place, key: Key, version: str, shape: tuple[bool, bool, bool]
    ) -> tuple[tuple[MetricSource, float, tuple[tuple[str, dict[str, str]], ...]], ...]:
        """Each metric that tells a signal: its factor, and its series as names with their labels."""
        found = []
        for source in self._on(key[0], version, shape[0]):
            hidden = shape[2] and "_PROF_" in source.metric
            if not hidden and self._owner(source.metric, version, shape[0]) == key[0]:
                own = self._own(source, key)
                labels = tuple({**card, **own} for card in self._copies(place, version, shape))
                found.append(
                    (source, _factor(source), tuple((series(source.metric, each), each) for each in labels))
                )
        return tuple(found)

    def _owner(self, metric: str, version: str, mig: bool) -> str:
        """The signal that a metric tells; presence is read off another signal's where that is exposed."""
        told = (
            name
            for name in self._binding.signals
            if name != "gpu_present" and any(s.metric == metric for s in self._on(name, version, mig))
        )
        return next(told, "gpu_present")

    def _own(self, source: MetricSource, key: Key) -> dict[str, str]:
        labels = {source.labels.get(label, label): value for label, value in key[1]}
        return {**labels, "window_size_in_ms": str(WINDOW * 1000)} if "_EXP_" in source.metric else labels

    def _copies(self, place: Place, version: str, shape: tuple[bool, bool, bool]) -> Iterator[dict[str, str]]:
        """One card, or what MIG and time-slicing make of it."""
        card, holder = self._labels(place, version), self._site.holder(place.replica)
        mig, shared, _ = shape
        if mig:
            for instance in ("1", "2"):
                yield {**card, **holder, "GPU_I_ID": instance, "GPU_I_PROFILE": "3g.40gb"}
        elif shared:
            other = {
                label: f"{value}-b" if label.endswith("pod") else value for label, value in holder.items()
            }
            yield from (card, {**card, **holder}, {**card, **(other or {"hpc_job": "2"})})
        else:
            yield {**card, **holder}

    def _card_labels(self, place: Place, version: str) -> dict[str, str]:
        index = str(place.card)
        marks = {m.label: m for m in self._binding.marks if m.label}
        hosts = [
            h
            for h in self._binding.labels.get("host", ())
            if h not in marks or covers(marks[h].since, marks[h].until, version)
        ]
        driver = [
            m
            for m in marks
            if m not in self._binding.labels.get("host", ())
            and not marks[m].list
            and covers(marks[m].since, marks[m].until, version)
        ]
        return {
            **self._site.exporter(place.replica),
            "gpu": index,
            "UUID": self._site.uuid(place),
            **self._site.card(place),
            "modelName": "NVIDIA H100 80GB HBM3",
            **dict.fromkeys(hosts[:1], self._site.host(place.replica)),
            **dict.fromkeys(driver, DRIVER),
        }

    def _switched_on(self, signal: str, version: str, mig: bool) -> tuple[MetricSource, ...]:
        """Names in this release, with those that one line of the exporter's list switches on.

        A MIG instance has no utilisation but the profiled one: who divides cards asks for more than the list has.
        """
        sources = self._binding.signals.get(signal, ())
        renamed = tuple(s for s in sources if s.image and not s.csv and covers(s.image, None, version))
        listed = tuple(s for s in sources if s.csv and (mig or covers(s.image or "0", None, version)))
        return renamed or listed or tuple(s for s in sources if s.csv)


def _shape(inputs: Mapping[str, float]) -> tuple[bool, bool, bool]:
    return bool(inputs["mig"]), bool(inputs["shared"]), bool(inputs["unprofiled"])


def _masked(signals: dict[Key, Samples], spans: list[tuple[int, bool]]) -> Iterator[tuple[Key, Samples]]:
    for key, samples in signals.items():
        yield key, samples.only(spans)


def _factor(source: MetricSource) -> float:
    """From the signal's unit to the metric's."""
    if "_FB_" in source.metric:
        return CARD_MIB * (_MIB if source.metric.endswith("_BYTES") else 1)
    return 1 / float(source.scale) if source.scale else 1.0


def _latched(source: MetricSource, version: str) -> bool:
    return (
        "XID_ERROR" in source.metric
        and "_EXP_" not in source.metric
        and covers(_CODE_AS_LABEL, None, version)
    )


def _coded(
    source: MetricSource, copies: tuple[tuple[str, dict[str, str]], ...], samples: Samples
) -> Iterator[Named]:
    """A new XID is a new series: its code is a label."""
    for code in sorted({run.first for run in samples.runs if run.first is not None}):
        runs = (run if run.first in (code, None) else Run(run.length, None) for run in samples.runs)
        one = Samples.joined(runs)
        yield from (
            (series(source.metric, {**labels, "err_code": f"{code:.0f}"}), one) for _, labels in copies
        )
