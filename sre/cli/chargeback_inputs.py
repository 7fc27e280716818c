"""What `sre chargeback` reads before it computes: cost file, fleet, usage, the books."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from sre.books.closing import closed_bills, is_closed
from sre.books.folder import MANIFEST, Built, open_folder
from sre.books.recomputing import Context, as_text, make_bill, make_files
from sre.cli.progress import progress
from sre.finance.bill import Bill
from sre.finance.corrections import team_totals
from sre.finance.costs import Costs, load_text
from sre.finance.manifest import digest
from sre.finance.months import Month, parse_month
from sre.finance.reconciling import reconcile
from sre.finance.table import Locale
from sre.finance.usage import Usage
from sre.findings import Finding, Refused, errors
from sre.fleet import Fleet
from sre.fleet.reader import load as load_fleet
from sre.metering.database import Limits
from sre.metering.pages import Pages
from sre.metering.records import Pools, read_records, refuse_invalid
from sre.metering.server import read_server
from sre.metering.sources import digest as file_digest
from sre.metering.sources import find
from sre.source import read

if TYPE_CHECKING:
    from sre.prometheus import Server


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
    fleet, findings = _fleet(asked.fleet)
    cost_file = _bytes(asked.cost_file)
    known = ([one.name for one in fleet.pools], [one.name for one in fleet.teams]) if fleet else (None, None)
    costs, said = load_text(str(asked.cost_file), cost_file, pools=known[0], teams=known[1])
    month = _month(name, costs, now)
    closed = closed_bills(asked.books)
    _refuse_closed(month, closed, asked, output)
    pages = Pages(server, output.with_name(f".{output.name}.partial")) if server else None
    with ThreadPoolExecutor(1) as beside:
        # A processor of its own for the hashes: the records are read by the others meanwhile.
        hashes = beside.submit(_hashes, asked.usage)
        usage, reconciled, more = _usage(asked, month, costs, fleet, pages)
    inputs = {
        "costs": digest(cost_file),
        **({"fleet": file_digest(asked.fleet)} if asked.fleet else {}),
        **hashes.result(),
    }
    context = Context(
        asked.locale, _previous(month, closed), *_restated(asked.corrects, month, closed), inputs, reconciled
    )
    bill = make_bill(costs, usage, context)
    files = make_files(bill, cost_file, costs, usage, context)
    return Made(bill, usage, files, (*findings, *said, *more), pages)


def read_again(built: Built, paths: Sequence[Path], memory: str, temp_dir: Path | None) -> Usage:
    """The usage of a built month from its records. Raises ``Refused`` where they are not the ones it was built from."""
    hashes, listed = _hashes(tuple(paths)), built.manifest["inputs"]
    known = {name: value for name, value in listed.items() if name.startswith("usage/")}
    if sorted(hashes.values()) != sorted(known.values()):
        raise Refused(
            [
                Finding(
                    "--usage",
                    "these are not the records that the month was built from",
                    f"the manifest lists {', '.join(sorted(known)) or 'none'}, by their SHA-256",
                    "name the same files",
                )
            ]
        )
    costs, before = built.costs, built.usage
    month = Month(before.month, costs.timezone)
    fresh = read_records(paths, month, _pools(costs, None, before), Limits(memory, temp_dir))
    return replace(before, uses=fresh.uses, counts=fresh.counts, seen=fresh.seen)


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


def _fleet(path: Path | None) -> tuple[Fleet | None, list[Finding]]:
    return load_fleet(path) if path else (None, [])


def _bytes(path: Path) -> bytes:
    read(path)  # says in words what is wrong with a file that cannot be read
    return path.read_bytes()


def _month(name: str, costs: Costs, now: datetime) -> Month:
    try:
        month = parse_month(name, costs.timezone)
    except ValueError:
        raise Refused(
            [Finding("--month", f"{name!r} is not a month", "", "write year and month: 2026-10")]
        ) from None
    if now < month.end:
        raise Refused(
            [
                Finding(
                    "--month",
                    f"{name} is not over: it ends at {month.end:%Y-%m-%d %H:%M} UTC",
                    "a bill of part of a month would be booked as the whole",
                    "build it then",
                )
            ]
        )
    return month


def _refuse_closed(month: Month, closed: Sequence[Bill], asked: Asked, output: Path) -> None:
    if is_closed(output):
        raise Refused(
            [
                Finding(
                    str(output),
                    "is a closed month",
                    "it is never written again",
                    "name another folder with -o",
                )
            ]
        )
    if asked.corrects and not asked.books:
        raise Refused(
            [
                Finding(
                    "--corrects",
                    "needs the books",
                    "a correction is the difference to a closed month",
                    "name their folder with --books",
                )
            ]
        )
    if asked.corrects and any(bill.month >= month.name for bill in closed):
        raise Refused(
            [
                Finding(
                    "--corrects",
                    f"{month.name} or a later month is closed in the books",
                    "corrections belong into a month that is open",
                    "build the first open month",
                )
            ]
        )


def _previous(month: Month, closed: Sequence[Bill]) -> Mapping[str, str] | None:
    before = next((bill for bill in closed if bill.month == month.before.name), None)
    own = team_totals(row for row in before.rows if row.kind != "correction") if before else None
    return None if own is None else {team: str(cost) for team, cost in own.items()}


def _restated(
    folders: Sequence[Path], month: Month, closed: Sequence[Bill]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    bills = sorted((open_folder(folder).bill for folder in folders), key=lambda bill: bill.month)
    known = {bill.month for bill in closed}
    wrong = [bill.month for bill in bills if bill.month not in known or bill.month >= month.name]
    twice = {bill.month for bill in bills if [one.month for one in bills].count(bill.month) > 1}
    if wrong or twice:
        raise Refused(
            [
                Finding(
                    "--corrects",
                    f"{', '.join(sorted({*wrong, *twice}))} is not closed in the books, or named twice",
                    "a correction is the difference to a closed month",
                    "name each closed month once, built anew",
                )
            ]
        )
    return tuple(map(as_text, bills)), tuple(map(as_text, closed)) if bills else ()


def _hashes(paths: Sequence[Path]) -> dict[str, str]:
    """``usage/NAME`` -> SHA-256, whatever folder they lie in and in whatever order they are named."""
    found, names = dict[str, str](), sorted((one.path.name, file_digest(one.path)) for one in find(paths))
    for name, value in names:
        key, number = f"usage/{name}", 2
        while key in found:
            key, number = f"usage/{name}#{number}", number + 1
        found[key] = value
    return found


def _pools(costs: Costs, fleet: Fleet | None, before: Usage | None = None) -> Pools:
    """Where records without a pool belong: by the cost file, by the fleet's models, or to the only pool there is."""
    of_model = dict[str, str]()
    for pool in fleet.pools if fleet else ():
        # A model that two pools serve says nothing.
        of_model[pool.model or pool.name] = "" if (pool.model or pool.name) in of_model else pool.name
    month = before.month if before else None
    apis = {model: one.name for one in costs.fallback if month in (None, one.month) for model in one.models}
    names = [*costs.gpus, *{one.name for one in costs.fallback}]
    card = None if "default" in costs.rate_card or costs.allocate_by != "tokens" else set(costs.rate_card)
    return Pools({**of_model, **apis, **costs.models}, names[0] if len(names) == 1 else "", card)


def _usage(
    asked: Asked, month: Month, costs: Costs, fleet: Fleet | None, pages: Pages | None
) -> tuple[Usage, Mapping[str, object] | None, list[Finding]]:
    """The usage of one source, or of both after they were compared."""
    records, counted, findings = None, None, list[Finding]()
    if pages and costs.allocate_by == "gpu_seconds" and not asked.usage:
        raise Refused(
            [
                Finding(
                    str(asked.cost_file),
                    "`allocate_by: gpu_seconds` needs records, and none are given",
                    "counters do not say how long requests took",
                    "add --usage, or allocate by tokens",
                )
            ]
        )
    if asked.usage:
        with progress() as tell:
            records = read_records(
                asked.usage, month, _pools(costs, fleet), Limits(asked.memory, asked.temp_dir), tell
            )
        assert records.counts
        findings = refuse_invalid(records.counts, asked.max_invalid)
        if errors(findings):
            raise Refused(findings)
    if pages:
        with progress() as tell:
            counted = read_server(
                pages, month, _pools(costs, fleet), energy=costs.power is not None, tell=tell
            )
    if records and counted:
        return (*reconcile(records, counted, asked.tolerance), findings)
    usage = records or counted
    assert usage
    return usage, None, findings
