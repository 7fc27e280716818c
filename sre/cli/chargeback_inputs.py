"""What `sre chargeback` reads before it computes: cost file, fleet, usage, the books."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sre.books.closing import closed_bills
from sre.books.folder import MANIFEST, Built
from sre.books.recomputing import Context, make_bill, make_files
from sre.cli.chargeback_asked import Asked
from sre.cli.chargeback_months import open_month, previous, refuse_closed, restated
from sre.cli.chargeback_usage import fleet_models, measure
from sre.finance.bill import Bill
from sre.finance.costs import Costs, load_text
from sre.finance.manifest import digest
from sre.finance.usage import Usage
from sre.findings import Finding, Refused, tried
from sre.fleet import Fleet
from sre.fleet.reader import load as load_fleet
from sre.metering.pages import Pages
from sre.metering.sources import digest as file_digest
from sre.metering.sources import find
from sre.source import read

if TYPE_CHECKING:
    from sre.prometheus import Server


@dataclass(frozen=True)
class Made:
    """A bill, its files by path, and the warnings about its inputs."""

    bill: Bill
    usage: Usage
    files: dict[str, bytes]
    findings: tuple[Finding, ...]
    pages: Pages | None = None


def make(asked: Asked, name: str, output: Path, server: "Server | None", now: datetime) -> Made:
    """Everything that `build` would write. Raises ``Refused``, ``Unbalanced`` or ``Unreachable``."""
    fleet, costs, cost_file, findings = _read(asked)
    month = open_month(name, costs, now)
    closed = closed_bills(asked.books)
    refuse_closed(month, closed, asked, output)
    # Before the usage, which takes its time: what is wrong is told first.
    earlier = previous(month, closed, costs.unit), *restated(asked.corrects, month, closed, costs.unit)
    pages = Pages(server, _beside(output)) if server else None
    usage, reconciled, more, hashes = measure(asked, month, costs, fleet, pages)
    inputs = {
        "costs": digest(cost_file),
        **({"fleet": file_digest(asked.fleet)} if asked.fleet else {}),
        **hashes,
    }
    context = Context(asked.locale, *earlier, inputs, reconciled, fleet_models(fleet))
    bill = make_bill(costs, usage, context)
    files = make_files(bill, cost_file, costs, usage, context)
    return Made(bill, usage, files, (*findings, *more), pages)


def differing(built: Built, names: Sequence[str]) -> list[Finding]:
    """One finding for each file that does not follow from the inputs."""
    return [
        Finding(
            str(built.folder / name),
            "does not follow from the month's inputs",
            f"it was built by {built.manifest['tool']}, or its inputs are other than they were",
            "compare with a build by that version",
        )
        for name in names
        if name != MANIFEST or len(names) == 1
    ]


def _read(asked: Asked) -> tuple[Fleet | None, Costs, bytes, list[Finding]]:
    """The files that people write, with warnings about them. Raises ``Refused`` with what is wrong in any of them."""
    wrong = list[Finding]()
    fleet, warnings = tried(lambda: _fleet(asked.fleet), wrong) or (None, [])
    found = tried(lambda: _costs(asked.cost_file, fleet), wrong)
    tried(lambda: find(asked.usage), wrong)
    if found is None or wrong:
        raise Refused(wrong)
    costs, content, said = found
    return fleet, costs, content, [*warnings, *said]


def _fleet(path: Path | None) -> tuple[Fleet | None, list[Finding]]:
    return load_fleet(path) if path else (None, [])


def _costs(path: Path, fleet: Fleet | None) -> tuple[Costs, bytes, list[Finding]]:
    content = _bytes(path)
    known = ([one.name for one in fleet.pools], [one.name for one in fleet.teams]) if fleet else (None, None)
    costs, said = load_text(str(path), content, pools=known[0], teams=known[1])
    return costs, content, said


def _beside(output: Path) -> Path:
    """Where answers of a server are kept until the month is written."""
    whole = output.resolve()
    return whole.with_name(f".{whole.name}.partial") if whole.name else whole / ".partial"


def _bytes(path: Path) -> bytes:
    read(path)  # says in words what is wrong with a file that cannot be read
    return path.read_bytes()
