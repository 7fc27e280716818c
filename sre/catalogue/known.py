"""What content may name: the recorded series, those that the compiler writes from the fleet file included."""

from sre.catalogue.model import Catalogue

WRITTEN = frozenset(
    {"pool:fleet:info", "model:fleet:info", "fleet:business_hours:state", "fleet:utc_offset:seconds"}
    | {"pool_signal:missing:state"}
)
"""Series that the compiler writes from the fleet file, beside thresholds."""


def series(catalogue: Catalogue) -> frozenset[str]:
    """Every recorded series."""
    limits = {f"{'fleet' if t.fleet else 'pool'}:{t.name}:threshold" for t in catalogue.thresholds.values()}
    given = {*catalogue.baselines.values(), *catalogue.frozen.values()}
    return frozenset({*catalogue.records, *given, *limits}) | WRITTEN
