"""What an engine or a GPU exporter answers to a scrape: the text format of Prometheus, made from a template.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from sre.catalogue.bindings import Binding, MetricSource
from sre.catalogue.model import Signal
from sre.fleet.values import covers
from sre.simulate.card_metrics import CardMetrics
from sre.simulate.engine import GAUGES
from sre.simulate.engine_metrics import EngineMetrics, split
from sre.simulate.replica import Key
from sre.simulate.story import Place

Values = tuple[float, ...]
_Inputs = Mapping[str, float]


class Line(NamedTuple):
    """One series of a family; ``place`` is where its value stands."""

    family: str
    kind: str
    help: str
    series: str
    place: int


class Template:
    """Lines with holes for their values, each family under its HELP and TYPE."""

    def __init__(self, lines: Iterable[Line]) -> None:
        families = dict[str, list[Line]]()
        for line in lines:
            families.setdefault(line.family, []).append(line)
        ordered = [line for family in families.values() for line in family]
        self._text = "".join(map(_family, families.values()))
        self._pick: Callable[[Sequence[float]], Values] = _picker([line.place for line in ordered])

    def fill(self, values: Sequence[float]) -> bytes:
        """The text with these values."""
        return (self._text % self._pick(values)).encode()


def _picker(places: list[int]) -> Callable[[Sequence[float]], Values]:
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: tuple(values[place] for place in places)


def _family(lines: list[Line]) -> str:
    name, kind, words = lines[0][:3]
    rows = "".join(f"{_escaped(line.series.removesuffix('{}'))} %r\n" for line in lines)
    return f"# HELP {name} {_escaped(words)}\n# TYPE {name} {kind}\n{rows}"


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


class EnginePage:
    """The page of every replica of a pool. ``settings`` are labels of the metric that says who answers."""

    def __init__(
        self,
        metrics: EngineMetrics,
        binding: Binding,
        signals: Mapping[str, Signal],
        keys: tuple[Key, ...],
        settings: dict[str, str],
    ) -> None:
        self._metrics, self._binding, self._signals = metrics, binding, signals
        self._keys, self._settings = keys, settings
        self._known: dict[tuple[bool, bool, frozenset[str]], tuple[Template, Values]] = {}

    def text(self, values: Values, inputs: _Inputs, hidden: frozenset[str]) -> bytes:
        """What a replica under these inputs answers, whose signals have these values."""
        shape = (bool(inputs["renamed"]), bool(inputs["leaked_pid"]), hidden)
        if shape not in self._known:
            self._known[shape] = self._made(*shape)
        template, constants = self._known[shape]
        return template.fill(values + constants)

    def _made(self, renamed: bool, leaked: bool, hidden: frozenset[str]) -> tuple[Template, Values]:
        lines = list[Line]()
        for place, key in enumerate(self._keys):
            signal, suffix = split(key[0], self._binding)
            if signal not in hidden:
                for name, twin in self._metrics.names(key, renamed):
                    lines.append(self._line(signal, suffix, name, place))
                    if leaked and signal in GAUGES:
                        lines.append(self._line(signal, suffix, twin, place))
        told, values = {line.family for line in lines}, list[float]()
        for metric, name, value in self._metrics.constants(renamed, self._settings):
            family, kind = _kind(metric, "gauge")
            if family in told:
                continue
            words = f"Constant of the release: {family}."
            if isinstance(value, str):
                words, place = f"{self._signals[value].help}.", self._keys.index((value, ()))
            else:
                place = len(self._keys) + len(values)
                values.append(value)
            lines.append(Line(family, kind, words, name, place))
        return Template(lines), tuple(values)

    def _line(self, signal: str, suffix: str, name: str, place: int) -> Line:
        known = self._signals[signal]
        metric = name.partition("{")[0].removesuffix(suffix)
        family, kind = (metric, known.type) if suffix else _kind(metric, known.type)
        return Line(family, kind, f"{known.help}.", name, place)


def _kind(metric: str, kind: str) -> tuple[str, str]:
    """Family and type of a metric that the catalogue reads as a ``kind``: it may be a part of a histogram."""
    if metric.endswith("_count") and kind != "histogram":
        return metric.removesuffix("_count"), "histogram"
    return metric, "counter" if metric.endswith("_total") else kind


class NodePage:
    """The page of a node's GPU exporter; ``extra`` are metrics that every card has beside its signals."""

    def __init__(
        self, metrics: CardMetrics, signals: Mapping[str, Signal], extra: tuple[str, ...] = ()
    ) -> None:
        self._metrics, self._signals, self._extra = metrics, signals, extra
        self._known: dict[int, tuple[object, Template, list[tuple[int, Key, float]]]] = {}

    def text(self, number: int, cards: Sequence[tuple[Mapping[Key, float], _Inputs]]) -> bytes:
        """What the exporter beside a replica answers, for the values and inputs of its cards."""
        shape = [(tuple(values), _looks(values, inputs)) for values, inputs in cards]
        known = self._known.get(number)
        if known is None or known[0] != shape:
            known = self._known[number] = (shape, *self._made(number, cards))
        _, template, picks = known
        return template.fill([cards[card][0][key] * factor for card, key, factor in picks])

    def _made(
        self, number: int, cards: Sequence[tuple[Mapping[Key, float], _Inputs]]
    ) -> tuple[Template, list[tuple[int, Key, float]]]:
        lines, picks = list[Line](), list[tuple[int, Key, float]]()
        for card, (values, inputs) in enumerate(cards):
            for source, name, key, factor in self._metrics.lines(Place(number, card), values, inputs):
                told = self._told(source, key[0], self._metrics.release(inputs))
                lines.append(Line(source.metric, *told, name, len(picks)))
                picks.append((card, key, factor))
                if key[0] == "gpu_memory_free":
                    for metric in self._extra:
                        other = name.replace(source.metric, metric, 1)
                        lines.append(Line(metric, "gauge", "Device memory reserved.", other, len(picks)))
                        picks.append((card, key, 0.0))
        return Template(lines), picks

    def _told(self, source: MetricSource, signal: str, version: str) -> tuple[str, str]:
        """Type and help, as the exporter's own list of counters has them where it is known."""
        kind, _, words = (source.csv or "").partition(", ")
        if source.counter_until and covers(None, source.counter_until, version):
            kind = "counter"
        known = self._signals[signal]
        return (kind, words) if words else (known.type, f"{known.help}.")


def _looks(values: Mapping[Key, float], inputs: _Inputs) -> tuple[float, ...]:
    """What decides on the names of a card's series beside the signals that it has."""
    return (
        *(inputs[name] for name in ("mig", "shared", "unprofiled", "upgraded")),
        values.get(("gpu_xid", ()), 0.0),
    )
