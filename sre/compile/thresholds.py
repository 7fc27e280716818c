"""The numbers that alerts compare with: one value per pool, from the fleet file or the catalogue's default."""

from decimal import Decimal

from sre.catalogue.bindings import Binding
from sre.catalogue.model import Catalogue, Threshold
from sre.fleet import Fleet, Pool
from sre.fleet.values import release

# CUDA graphs and other processes take a few points beside the engine's budget; four above it is more than they take.
_MEMORY_FLOOR = Decimal("0.92")
_MEMORY_MARGIN = Decimal("0.04")


def threshold_value(pool: Pool, threshold: Threshold, binding: Binding) -> Decimal | None:
    """The number that holds for a pool, in base units; None where the threshold does not apply to it."""
    said = {
        str(name): value
        for name, value in (pool.objectives if threshold.objective else pool.thresholds).items()
    }
    written = said.get(threshold.name)
    if written is not None:
        return Decimal(written)
    if threshold.derived == "replicas_min":
        return Decimal(pool.replicas_min)
    if threshold.derived == "memory_budget":
        return _memory_limit(budget(pool, binding))
    if (threshold.objective or threshold.interactive) and not pool.interactive:
        return None
    return threshold.default


def _memory_limit(reserved: Decimal) -> Decimal:
    limit = max(_MEMORY_FLOOR, reserved + _MEMORY_MARGIN)
    # Above 96 % the margin would lie beyond the card: half of what is left still can be exceeded.
    return limit if limit < 1 else (1 + reserved) / 2


def budget(pool: Pool, binding: Binding) -> Decimal:
    """The share of a card that the engine reserves at start: declared, else the release's default."""
    if pool.memory_budget is not None:
        return Decimal(pool.memory_budget)
    eras = (era for era in binding.memory_budget if pool.engine.release >= (release(era.since) or (0, 0, 0)))
    return next((era.default for era in eras), _MEMORY_FLOOR)


def series(threshold: Threshold) -> str:
    return f"{'fleet' if threshold.fleet else 'pool'}:{threshold.name}:threshold"


def comparison(threshold: Threshold) -> str:
    """What stands right of the operator in a rule: the recorded number, one per pool."""
    return (
        f"on () group_left () {series(threshold)}"
        if threshold.fleet
        else f"on (pool) group_left () {series(threshold)}"
    )


def values(fleet: Fleet, catalogue: Catalogue, threshold: Threshold) -> dict[str, Decimal]:
    """The number of every pool to which the threshold applies."""
    found = {p.name: threshold_value(p, threshold, catalogue.engines[p.engine.kind]) for p in fleet.pools}
    return {name: value for name, value in found.items() if value is not None}


def settable(catalogue: Catalogue) -> dict[str, str]:
    """Names that a pool's `thresholds:` may set, with their units."""
    fixed = {"replicas_min"}
    return {
        t.name: t.unit
        for t in catalogue.thresholds.values()
        if not (t.objective or t.fleet or t.derived in fixed)
    }
