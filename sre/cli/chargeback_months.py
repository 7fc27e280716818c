"""Which months are open, and what the books say of those that are closed."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from sre.books.closing import is_closed
from sre.books.folder import open_folder
from sre.books.recomputing import as_text
from sre.cli.chargeback_asked import Asked
from sre.finance.bill import Bill
from sre.finance.corrections import team_totals
from sre.finance.costs import Costs
from sre.finance.money import Currency
from sre.finance.months import Month, parse_month
from sre.findings import Finding, Refused


def open_month(name: str, costs: Costs, now: datetime) -> Month:
    """The month of that name. Raises ``Refused`` for what is none, and for one that is not over."""
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


def refuse_closed(month: Month, closed: Sequence[Bill], asked: Asked, output: Path) -> None:
    """Raises ``Refused`` where a closed month would be written, or corrections would go into one."""
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


def previous(month: Month, closed: Sequence[Bill], unit: Currency) -> Mapping[str, str] | None:
    """Team -> cost of the month before, corrections of earlier months left out.

    None where it is not closed, or in another currency: then no figure of it can stand beside one of this month.
    """
    before = next((bill for bill in closed if (bill.month, bill.currency) == (month.before.name, unit)), None)
    own = team_totals(row for row in before.rows if row.kind != "correction") if before else None
    return None if own is None else {team: str(cost) for team, cost in own.items()}


def restated(
    folders: Sequence[Path], month: Month, closed: Sequence[Bill], unit: Currency
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The bills of the months that are corrected, as they would be today, and those of the books; as texts."""
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
    foreign = [bill for bill in (*bills, *closed) if bills and bill.currency != unit]
    if foreign:
        raise Refused(_foreign(bill, unit) for bill in foreign)
    return tuple(map(as_text, bills)), tuple(map(as_text, closed)) if bills else ()


def _foreign(bill: Bill, unit: Currency) -> Finding:
    return Finding(
        "--corrects",
        f"{bill.month} is in {bill.currency}, and this month in {unit}",
        "a difference between two currencies is none",
        "book it in a month of that currency, or as a line under `adjustments:`",
    )
