"""A card's signals under the names, labels and units of one exporter release, as its binding knows them."""

from collections.abc import Iterable, Iterator
from functools import cache

from sre.catalogue.model import Binding, MetricSource
from sre.fleet.values import release
from sre.simulate.gpu import WINDOW
from sre.simulate.replica import Key
from sre.simulate.samples import Run, Samples
from sre.simulate.site import Named, Site, series, uuid
from sre.simulate.story import Place, Stretch

CARD_MIB = 81559
"""Memory of the simulated card: an H100 of 80 GB."""

_MIB = 1 << 20
_CODE_AS_LABEL = "4.0.0"
"""Before it, the last XID is the value of one series; since, each code is a series (dcgm-exporter PR 309)."""


class CardMetrics:
    """Series of the cards of one pool."""

    def __init__(self, binding: Binding, version: str, site: Site) -> None:
        self._binding, self._version, self._site = binding, version, site
        self._labels, self._on = cache(self._card_labels), cache(self._switched_on)

    def series(self, place: Place, signals: dict[Key, Samples], stretches: tuple[Stretch, ...]) -> Iterator[Named]:
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
        told = set[str]()
        for key, samples in signals:
            for source in self._on(key[0], version):
                if inputs["unprofiled"] and "_PROF_" in source.metric:
                    continue
                if source.metric in told and not key[1]:
                    continue  # two signals, one metric: presence is read off the temperature
                told.add(source.metric)
                own = self._own(source, key, version)
                for labels in self._copies(place, version, inputs):
                    yield from _coded(source, {**labels, **own}, _scaled(samples, source), version)

    def _own(self, source: MetricSource, key: Key, version: str) -> dict[str, str]:
        labels = {source.labels.get(label, label): value for label, value in key[1]}
        return {**labels, "window_size_in_ms": str(WINDOW * 1000)} if "_EXP_" in source.metric else labels

    def _copies(self, place: Place, version: str, inputs: dict[str, float]) -> Iterator[dict[str, str]]:
        """One card, or what MIG and time-slicing make of it."""
        card, holder = self._labels(place, version), self._site.holder(place.replica)
        if inputs["mig"]:
            for instance in ("1", "2"):
                yield {**card, **holder, "GPU_I_ID": instance, "GPU_I_PROFILE": "3g.40gb"}
        elif inputs["shared"]:
            yield card
            yield {**card, **holder}
            yield {**card, **{label: f"{value}-b" if label.endswith("pod") else value for label, value in holder.items()},
                   **({} if holder else {"hpc_job": "2"})}
        else:
            yield {**card, **holder}

    def _card_labels(self, place: Place, version: str) -> dict[str, str]:
        index = str(place.card)
        marks = {m.label: m for m in self._binding.marks if m.label}
        hosts = [h for h in self._binding.labels.get("host", ()) if h not in marks or _valid(marks[h].since, marks[h].until, version)]
        driver = [m for m in marks if m not in self._binding.labels.get("host", ()) and _valid(marks[m].since, marks[m].until, version)]
        return {
            **self._site.exporter(place.replica), "gpu": index, "UUID": uuid(place), "device": f"nvidia{index}",
            "pci_bus_id": f"00000000:{10 + int(index)}:00.0", "modelName": "NVIDIA H100 80GB HBM3",
            **{host: f"node-{place.replica}" for host in hosts[:1]}, **dict.fromkeys(driver, "580.105.08"),
        }

    def _switched_on(self, signal: str, version: str) -> tuple[MetricSource, ...]:
        """Names in this release, with those that one line of the exporter's list switches on."""
        sources = self._binding.signals.get(signal, ())
        renamed = tuple(s for s in sources if s.image and not s.csv and _valid(s.image, None, version))
        listed = tuple(s for s in sources if s.csv and _valid(s.image or "0", None, version))
        return renamed or listed or tuple(s for s in sources if s.csv)


def _valid(since: str, until: str | None, version: str) -> bool:
    at = release(version) or (0, 0, 0)
    return (release(since) or (0, 0, 0)) <= at < (release(until or "") or (1 << 30, 0, 0))


def _masked(signals: dict[Key, Samples], spans: list[tuple[int, bool]]) -> Iterator[tuple[Key, Samples]]:
    for key, samples in signals.items():
        yield key, samples.only(spans)


def _scaled(samples: Samples, source: MetricSource) -> Samples:
    """From the signal's unit to the metric's."""
    factor = 1 / float(source.scale) if source.scale else 1.0
    if "_FB_" in source.metric:
        factor = CARD_MIB * (_MIB if source.metric.endswith("_BYTES") else 1)
    return samples if factor == 1 else samples.times(factor)


def _coded(source: MetricSource, labels: dict[str, str], samples: Samples, version: str) -> Iterator[Named]:
    """A new XID is a new series where the code is a label, else a new value of the old one."""
    if "XID_ERROR" not in source.metric or "_EXP_" in source.metric or not _valid(_CODE_AS_LABEL, None, version):
        yield series(source.metric, labels), samples
        return
    for code in sorted({run.first for run in samples.runs if run.first is not None}):
        runs = (run if run.first in (code, None) else Run(run.count, None) for run in samples.runs)
        yield series(source.metric, {**labels, "err_code": f"{code:.0f}"}), Samples.joined(runs)
