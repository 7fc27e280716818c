"""Everything that is decided for one fleet, before anything is rendered: what every renderer reads."""

from dataclasses import dataclass

from sre.catalogue.model import Alert, Catalogue, Record
from sre.compile.coverage import Coverage
from sre.compile.identity import Identity
from sre.fleet import Fleet


@dataclass(frozen=True)
class RecordRule:
    record: str
    expr: str
    labels: dict[str, str]


@dataclass(frozen=True)
class AlertRule:
    """``for_`` and ``keep_firing_for`` in seconds."""

    alert: str
    expr: str
    for_: int
    keep_firing_for: int
    labels: dict[str, str]
    annotations: dict[str, str]


@dataclass(frozen=True)
class Group:
    """One rule group; rules are evaluated in order, so what a rule reads stands above it where it can."""

    name: str
    file: str
    interval: int
    rules: tuple[RecordRule | AlertRule, ...]


@dataclass(frozen=True)
class PlannedAlert:
    """An alert in this fleet: how well it sees, in all and per pool, and the rules it became (none when blind).

    ``state`` is `live`, `needs_counter` or `blind`; ``counters`` are exporter metrics that would make it see more.
    ``sources`` are the catalogue rules that ``rules`` were made from, in the same order.
    """

    alert: Alert
    state: str
    reasons: tuple[str, ...]
    pools: dict[str, str]
    rules: tuple[AlertRule, ...]
    sources: tuple[int, ...]
    counters: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    fleet: Fleet
    catalogue: Catalogue
    identity: Identity
    groups: tuple[Group, ...]
    alerts: tuple[PlannedAlert, ...]
    series: dict[str, Record]
    """Every recorded series that is emitted, static ones included."""
    coverage: Coverage
