"""A bill for the person at the terminal, and its summary for programs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sre.cli.report import plain
from sre.finance.bill import Bill
from sre.finance.corrections import Change, team_totals
from sre.finance.money import Money

if TYPE_CHECKING:
    from sre.cli.chargeback_inputs import Made

_MOST = 40


def show(bill: Bill, output: Path | None) -> None:
    """Teams with their cost, what a reader must know, and where it was written."""
    totals = team_totals(bill.rows)
    width = max([len(plain(team)) for team in totals] + [5])
    for team, cost in sorted(totals.items(), key=lambda item: (-item[1].minor, item[0]))[:_MOST]:
        click.echo(f"{plain(team):{width}}  {cost!s:>14} {cost.currency}")
    if len(totals) > _MOST:
        click.echo(f"... and {len(totals) - _MOST} more teams")
    click.echo(
        f"{'total':{width}}  {bill.total!s:>14} {bill.currency}  ({len(bill.rows)} rows, {bill.month})"
    )
    if corrections := _corrections(bill):
        click.echo(
            f"of that, {corrections} rows correct closed months: {_signed(bill.corrections)} {bill.currency}"
        )
    for note in bill.notes:
        click.echo(f"note: {plain(note)}", err=True)
    click.echo(f"written to {plain(str(output))}" if output else "nothing was written (--dry-run)")


def summary(made: "Made", written: Sequence[str]) -> dict[str, Any]:
    """What a pipeline asks for; money as text."""
    bill, counts = made.bill, made.usage.counts
    return {
        "month": bill.month, "currency": bill.currency.code, "total": str(bill.total),
        "corrections": str(bill.corrections), "correction_rows": _corrections(bill),
        "rows": len(bill.rows), "source": bill.source,
        "teams": {team: str(cost) for team, cost in team_totals(bill.rows).items()},
        "records": counts.read if counts else None, "duplicates": counts.duplicates if counts else 0,
        "outside_month": counts.outside if counts else 0, "invalid": dict(counts.invalid) if counts else {},
        "notes": list(bill.notes), "written": sorted(written),
        "findings": [{"severity": one.severity, "where": one.where, "what": one.what} for one in made.findings],
    }  # fmt: skip


def show_changes(changes: Sequence[Change], before: Bill, after: Bill) -> None:
    """Each row that differs, and by how much; then both totals."""
    for change in changes:
        row, sides = change.row, [f"{one.cost}" if one else "-" for one in (change.before, change.after)]
        name = " / ".join(part for part in (row.team, row.model, row.pool, row.line, row.state) if part)
        click.echo(f"{change.kind:8} {plain(name)}: {sides[0]} -> {sides[1]} {row.cost.currency}  [{row.id}]")
    delta = after.total - before.total
    click.echo(
        f"{len(changes)} rows differ; {before.total} -> {after.total} {after.currency} ({_signed(delta)})"
    )


def _corrections(bill: Bill) -> int:
    return sum(row.kind == "correction" for row in bill.rows)


def _signed(money: Money) -> str:
    return f"{'+' if money.minor >= 0 else ''}{money}"
