"""What was seen of a fleet, on a live server or in exposition files: the input of every check here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from sre.answers import LoadedGroup
from sre.catalogue.bindings import Binding, MetricSource
from sre.catalogue.model import Signal

CardId = tuple[str, str]
"""(uuid, MIG instance or empty): what stays the same over reboots."""


@dataclass(frozen=True)
class Targets:
    """A pool's scrape targets. ``places`` are their identity labels, ``bare`` those that lack one of them."""

    up: int = 0
    down: int = 0
    bare: int = 0
    places: frozenset[tuple[str, ...]] = frozenset()
    errors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Card:
    """A GPU, or a slice of one, with the labels of each series that stands for it (one per pod that shares it)."""

    id: CardId
    labels: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Observation:
    """Everything that was asked. Keys of ``engine`` and ``cards_with`` are spelled by ``selector``."""

    origin: str
    engine: Mapping[str, frozenset[str]]
    """Pool -> raw series that have data."""
    bounds: Mapping[tuple[str, str], tuple[Decimal, ...]] = field(default_factory=dict)
    """(pool, histogram signal) -> finite bucket bounds."""
    budgets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Pool -> shares of memory that its engines say they reserve."""
    cards: tuple[Card, ...] = ()
    cards_lately: bool = False
    """Whether there was any card within the last hour, asked where there is none now."""
    cards_with: Mapping[str, frozenset[CardId]] = field(default_factory=dict)
    exporter_labels: frozenset[str] = frozenset()
    exporter_names: frozenset[str] = frozenset()
    usage: frozenset[str] = frozenset()
    targets: Mapping[str, Targets] | None = None
    """None: files know nothing of targets, and neither pods nor hosts can be joined."""
    engine_jobs: Mapping[str, str] = field(default_factory=dict)
    """Values of the pool label that expose a known engine, with its kind: declared as a pool or not."""
    pool_values: frozenset[str] = frozenset()
    """Every value that the pool label has on any target."""
    rules: tuple[LoadedGroup, ...] | None = None

    @property
    def live(self) -> bool:
        """Whether a server was asked, and not files."""
        return self.targets is not None


def selector(source: MetricSource, signal: Signal) -> str:
    """How one source of a signal is written when asked whether it has data."""
    name = f"{source.metric}_bucket" if signal.type == "histogram" else source.metric
    return f"{name}{{{source.matchers}}}" if source.matchers else name


def selectors(binding: Binding, signals: Mapping[str, Signal]) -> Iterator[tuple[str, str, MetricSource]]:
    """(signal, selector, source) of everything that a binding knows."""
    for name, sources in binding.signals.items():
        for source in sources:
            yield name, selector(source, signals[name]), source
