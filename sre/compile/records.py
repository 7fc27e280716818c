"""Recording rules: level 0 over raw metrics, what is built on it, baselines, and what the fleet file says."""

import graphlib
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from sre.catalogue import references
from sre.catalogue.bindings import Binding
from sre.catalogue.model import Catalogue, Record, Threshold
from sre.compile import hours
from sre.compile.coverage import Coverage, State
from sre.compile.expansion import CARD, Exposure, Rename
from sre.compile.identity import HOST_OF_INSTANCE, Identity
from sre.compile.pace import pace
from sre.compile.plan import RecordRule
from sre.compile.thresholds import series as threshold_series
from sre.compile.thresholds import values
from sre.fleet import Fleet
from sre.promql import all_of, one_of, replacement
from sre.units import format_number

_AGGREGATES = re.compile(r"\bby\s*\(")
_NAMES_LABELS = re.compile(r'"(?:uuid|mig)"|\b(?:without|ignoring|group_left|group_right)\b')
"""What asks for the labels of a card by their new names in another way than `by` and `on` do."""

PLATFORM = "platform"
"""The team that is paged for what belongs to no pool."""


class Recorder:
    """Turns catalogue records into rules for one fleet."""

    def __init__(self, fleet: Fleet, catalogue: Catalogue, coverage: Coverage) -> None:
        self._fleet, self._catalogue, self._coverage = fleet, catalogue, coverage
        self.identity, self._interval = Identity.of(fleet), int(fleet.evaluation_interval)
        self.engines = [
            engine_exposure(fleet, kind, catalogue.engines[kind], self.identity)
            for kind in sorted({pool.engine.kind for pool in fleet.pools})
        ]
        exporter = fleet.gpu_exporter
        gpus = catalogue.gpus[exporter.kind] if exporter else None
        self.cards = gpu_exposure(gpus, ()) if gpus else None
        self.placed_cards = gpu_exposure(gpus, place_renames(fleet, gpus, self.identity)) if gpus else None
        self._usage = (
            [
                Exposure(binding, all_of({"job": fleet.usage_exporter.job}))
                for binding in catalogue.usage.values()
            ]
            if fleet.usage_exporter
            else []
        )

    def rules(self) -> dict[str, tuple[RecordRule, ...]]:
        """Rules by record name, in an order in which each stands behind what it reads; baselines come last."""
        found = {name: tuple(self._rules(self._catalogue.records[name])) for name in self._order()}
        return {name: rules for name, rules in found.items() if rules}

    def baselines(self) -> dict[str, RecordRule]:
        return {
            to: RecordRule(to, self._baseline(name), {})
            for name, to in self._catalogue.baselines.items()
            if self._seen((name,))
        }

    def _baseline(self, name: str) -> str:
        usual = baseline_expr(name, pace(self._catalogue.records[name], self._interval))
        frozen = self._catalogue.frozen.get(name)
        return f"{frozen} or {usual}" if frozen else usual

    def _order(self) -> list[str]:
        records = self._catalogue.records
        graph = {
            name: [read for read in _reads(record) if read in records] for name, record in records.items()
        }
        # Sorted by the catalogue's own order, so that the same content is always written the same way.
        sorter, order, place = (
            graphlib.TopologicalSorter(graph),
            list[str](),
            {n: i for i, n in enumerate(records)},
        )
        sorter.prepare()
        while sorter.is_active():
            ready = sorted(sorter.get_ready(), key=place.__getitem__)
            order += ready
            sorter.done(*ready)
        return order

    def _seen(self, exprs: tuple[str, ...]) -> bool:
        return any(
            self._coverage.branches(exprs, pool).state > State.BLIND
            for pool in self._coverage.representatives
        )

    def _rules(self, record: Record) -> Iterator[RecordRule]:
        branches = tuple(b for b in record.branches if self._seen((b,)))
        for exposure in self._exposures(record, branches):
            usable = [b for b in branches if _bound(exposure, b)]
            if usable:
                exprs = [_expanded(record, b, exposure, self._macros(exposure)) for b in usable]
                yield RecordRule(record.name, self._folded(record, exprs), {})

    def _exposures(self, record: Record, branches: tuple[str, ...]) -> list[Exposure]:
        read = {
            references.signal_of(n, self._catalogue.signals) for b in branches for n in references.signals(b)
        }
        if not read:
            return self.engines[:1]
        if any(name in binding.signals for binding in self._catalogue.gpus.values() for name in read):
            cards = self.cards if record.per else self.placed_cards
            return [cards] if cards else []
        if any(name in binding.signals for binding in self._catalogue.usage.values() for name in read):
            return self._usage
        return self.engines

    def _folded(self, record: Record, exprs: list[str]) -> str:
        joined = exprs[0] if len(exprs) == 1 else f" {record.join} ".join(f"({e})" for e in exprs)
        if not record.per:
            return joined
        by = ", ".join((*CARD, *record.by))
        return f"max by ({by}) ({joined}) * on (uuid, mig) group_left ({', '.join(self.identity.card)}) gpu:card:info"

    def _macros(self, exposure: Exposure) -> dict[str, str]:
        me = self.identity
        return {
            "replica": ", ".join(me.replica),
            "place": ", ".join(me.place),
            "joined": ", ".join(me.joined),
            "owner": ", ".join(me.owner),
            "rank": ", ".join(exposure.binding.rank),
            "platform": PLATFORM,
            "declared_claims": self._declared_claims(),
            "burn_in": one_of("namespace", self._fleet.burn_in),
        }

    def _declared_claims(self) -> str:
        """Cards that the fleet file itself gives to a pool, for pools whose pods or hosts do not join."""
        if not self.placed_cards:
            return ""
        matches = {pool.name: pool.gpus.match for pool in self._fleet.pools if pool.gpus and pool.gpus.match}
        claims = (
            f"label_replace(group by (uuid, mig) ({self.placed_cards.only(match).expand('@gpu_present')}), "
            f'"pool", {replacement(name)}, "", "")'
            for name, match in matches.items()
        )
        return "".join(f" or on (uuid, mig) {claim}" for claim in claims)


def _expanded(record: Record, branch: str, exposure: Exposure, macros: dict[str, str]) -> str:
    """What is told per card is folded to the card before anything is done with it; who aggregates has reasons.

    Labels are renamed behind all that, but where something needs the new ones at once, as recorded series do.
    """
    if not record.per:
        return exposure.expand(branch, macros)
    cards = exposure if _AGGREGATES.search(branch) else replace(exposure, fold=CARD)
    at_once = references.series(branch) or _NAMES_LABELS.search(branch)
    return cards.expand(branch, macros) if at_once else cards.expand_late(branch, macros)


def _reads(record: Record) -> set[str]:
    cards = {"gpu:card:info"} if record.per else set[str]()
    return cards.union(*map(references.series, record.branches))


def _bound(exposure: Exposure, expr: str) -> bool:
    names = (references.signal_of(n, exposure.binding.signals) for n in references.signals(expr))
    return all(name in exposure.binding.signals for name in names)


def engine_exposure(fleet: Fleet, kind: str, binding: Binding, identity: Identity) -> Exposure:
    """All pools of one engine: their targets, with `pool` (and on bare metal `host`) put on."""
    pools = [pool.name for pool in fleet.pools if pool.engine.kind == kind]
    renames: list[Rename] = [] if fleet.pool_label == "pool" else [("pool", fleet.pool_label, "(.+)")]
    if identity.kind == "host":
        renames.append(("host", "instance", HOST_OF_INSTANCE))
    return Exposure(binding, one_of(fleet.pool_label, pools), tuple(renames))


def gpu_exposure(binding: Binding, more: tuple[Rename, ...]) -> Exposure:
    """A card's series with `uuid` and `mig` put on, whichever spelling the exporter's era has."""
    names = [
        # One spelling alone is taken as it is, empty too: where a pattern does not match, VictoriaMetrics 1.79 makes
        # the label of what lies in its memory, and a card without MIG would have somebody's address for an instance.
        (to, old, "(.*)" if len(binding.labels[to]) == 1 else "(.+)")
        for to in ("uuid", "mig")
        for old in binding.labels.get(to, ())
        if old != to
    ]
    return Exposure(binding, "", (*names, *more))


def place_renames(fleet: Fleet, binding: Binding, identity: Identity) -> tuple[Rename, ...]:
    """`gpu_model`, `host` and, on Kubernetes, the pod that holds the card."""
    renames: list[Rename] = [("gpu_model", old, "(.+)") for old in binding.labels.get("gpu_model", ())]
    renames.append(("host", "instance", HOST_OF_INSTANCE))
    if identity.kind == "host":
        return tuple(renames)
    renames += [("host", old, "(.+)") for old in binding.labels.get("host", ())]
    exporter = fleet.gpu_exporter
    if exporter and not exporter.honor_labels:
        # Without honor_labels plain pod and namespace are the exporter's own; (.*) also clears them on a free card.
        renames += [("namespace", "exported_namespace", "(.*)"), ("pod", "exported_pod", "(.*)")]
    return tuple(renames)


def baseline_expr(name: str, interval: int) -> str:
    """The same hour last week; else the mean of the last day that ended 30 m ago, from one hour of history on."""
    hour = 3600 // interval
    return (
        f"(avg_over_time({name}[1h] offset 167h30m) and count_over_time({name}[1h] offset 167h30m) >= {hour // 2}) or "
        f"(avg_over_time({name}[1d] offset 30m) and count_over_time({name}[1d] offset 30m) >= {hour})"
    )


def fleet_rules(fleet: Fleet, catalogue: Catalogue, wanted: frozenset[str]) -> Iterator[RecordRule]:
    """What the fleet file says, as series: pools, models, hours and every threshold that an emitted rule reads."""
    for pool in fleet.pools:
        yield RecordRule(
            "pool:fleet:info",
            "vector(1)",
            {
                "pool": pool.name,
                "team": pool.owner,
                "model": pool.model,
                "engine": pool.engine.kind,
                "version": pool.engine.version,
                "interactive": _word(pool.interactive),
                "elastic": _word(pool.replicas_max > pool.replicas_min),
                **({"gpu_type": pool.gpus.type} if pool.gpus else {}),
            },
        )
    yield from _models(fleet)
    for name, expr in hours.expressions(fleet).items():
        yield RecordRule(name, expr, {})
    for threshold in catalogue.thresholds.values():
        if threshold_series(threshold) in wanted:
            yield from _threshold(fleet, catalogue, threshold)


def _models(fleet: Fleet) -> Iterator[RecordRule]:
    for model in sorted({pool.model for pool in fleet.pools}):
        pools = [pool for pool in fleet.pools if pool.model == model]
        teams = {pool.owner for pool in pools}
        labels = {"model": model, "team": teams.pop() if len(teams) == 1 else PLATFORM}
        yield RecordRule(
            "model:fleet:info", "vector(1)", labels | ({"pool": pools[0].name} if len(pools) == 1 else {})
        )


def _threshold(fleet: Fleet, catalogue: Catalogue, threshold: Threshold) -> Iterator[RecordRule]:
    name = threshold_series(threshold)
    if threshold.fleet:
        yield RecordRule(name, _vector(threshold.default or Decimal(0)), {})
        return
    for pool, value in values(fleet, catalogue, threshold).items():
        yield RecordRule(name, _vector(value), {"pool": pool})
    if threshold.unowned and threshold.default is not None:
        yield RecordRule(name, _vector(threshold.default), {})


def _vector(value: Decimal) -> str:
    return f"vector({format_number(value)})"


def _word(value: bool) -> str:
    return "true" if value else "false"
