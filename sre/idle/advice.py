"""One thing to do about what stands still, as every output shows it."""

from dataclasses import dataclass
from decimal import Decimal

from sre.finance.money import Money


@dataclass(frozen=True)
class Advice:
    """``gpu_hours`` would have been saved in the period, which would have cost ``saving``."""

    kind: str
    pool: str
    what: str
    why: str
    fix: str
    gpu_hours: Decimal
    saving: Money | None
    commands: tuple[str, ...] = ()
