"""What the command line of `sre chargeback build` asks for."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from sre.finance.table import Locale


@dataclass(frozen=True)
class Asked:
    """What the command line asks for."""

    cost_file: Path
    fleet: Path | None
    usage: tuple[Path, ...]
    tolerance: Decimal
    max_invalid: Decimal
    memory: str
    temp_dir: Path | None
    books: Path | None
    corrects: tuple[Path, ...]
    locale: Locale
