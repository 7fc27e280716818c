"""What becomes of a built month: `close`, `verify`, `diff` and `explain` of `sre chargeback`."""

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre.cli.report import FOUND, exits, plain, report
from sre.findings import Finding, Refused

if TYPE_CHECKING:
    from sre.finance.corrections import Change

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.option("--books", type=_FOLDER, required=True, help="The folder of closed months.")
@click.option("--json", "as_json", is_flag=True, help="A summary for programs on standard output.")
@exits
def close(folder: Path, books: Path, as_json: bool) -> None:
    """Put the month built in DIR into the books, where it is never written again.

    What is known better later becomes Correction rows of a later month: see `build --corrects`.
    """
    from sre.books.closing import close as close_month
    from sre.books.folder import open_folder

    built = open_folder(folder)
    target, new = close_month(built, books, datetime.now(UTC))
    told = {
        "month": built.manifest["month"],
        "total": built.manifest["total"],
        "currency": built.manifest["currency"],
        "folder": str(target),
        "new": new,
    }
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        state = "closed" if new else "was closed already, with the same bytes"
        click.echo(f"{told['month']} {state}: {told['total']} {told['currency']} in {plain(str(target))}")


@click.command()
@click.argument("folder", metavar="DIR", type=_FOLDER)
@click.option("--usage", metavar="PATH...", multiple=True, type=click.Path(path_type=Path),
              help="Read the gateway records anew as well, instead of what was measured from them.")  # fmt: skip
@click.argument("more_usage", metavar="", nargs=-1, type=click.Path(path_type=Path))
@click.option("--memory", default="3GB", show_default=True, help="Memory for records; the rest goes to disk.")
@click.option("--temp-dir", type=_FOLDER, help="Where that disk is.")
@click.option("--json", "as_json", is_flag=True, help="A summary for programs on standard output.")
@exits
def verify(
    folder: Path,
    usage: tuple[Path, ...],
    more_usage: tuple[Path, ...],
    memory: str,
    temp_dir: Path | None,
    as_json: bool,
) -> None:
    """Compute the month in DIR once more from its inputs, and compare byte for byte. Exit 1 where they differ."""
    from sre.books.folder import open_folder
    from sre.books.recomputing import recompute
    from sre.cli.chargeback_inputs import differing
    from sre.cli.chargeback_usage import read_again
    from sre.metering.database import Limits

    built = open_folder(folder)
    again = read_again(built, (*usage, *more_usage), Limits(memory, temp_dir)) if usage else None
    files = recompute(built, again)
    wrong = sorted(
        name for name in files.keys() | built.files.keys() if files.get(name) != built.files.get(name)
    )
    if as_json:
        click.echo(json.dumps({"files": len(files), "differ": wrong}, indent=2))
    elif not wrong:
        source = "the records" if usage else "its inputs"
        click.echo(f"{built.manifest['month']}: {len(files)} files follow from {source}, byte for byte.")
    if wrong:
        report(differing(built, wrong))
        sys.exit(FOUND)


@click.command()
@click.argument("before", type=_FOLDER)
@click.argument("after", type=_FOLDER)
@click.option("--json", "as_json", is_flag=True, help="All differences, for programs.")
@exits
def diff(before: Path, after: Path, as_json: bool) -> None:
    """Say which rows of two built months differ, and by how much. Exit 1 where any does."""
    from sre.books.folder import open_folder
    from sre.cli.chargeback_view import show_changes
    from sre.finance.corrections import compare

    old, new = open_folder(before).bill, open_folder(after).bill
    if (old.month, old.currency) != (new.month, new.currency):
        raise Refused(
            [
                Finding(
                    str(after),
                    f"is {new.month} in {new.currency}, and {before} is {old.month} in {old.currency}",
                    "their rows have nothing in common",
                    "name two builds of one month",
                )
            ]
        )
    changes = compare(old.rows, new.rows)
    if as_json:
        click.echo(json.dumps([_changed(change) for change in changes], indent=2, ensure_ascii=True))
    else:
        show_changes(changes, old, new)
    sys.exit(FOUND if changes else 0)


@click.command()
@click.argument("row")
@click.argument("folder", metavar="DIR", type=_FOLDER)
@exits
def explain(row: str, folder: Path) -> None:
    """Say in words how the cost of ROW (its id, or the beginning of one) came about, for a month in DIR."""
    from sre.books.folder import open_folder
    from sre.finance.explaining import explain as explain_row

    built = open_folder(folder)
    bill = built.bill
    found = [one for one in bill.rows if one.id.startswith(row)]
    if len(found) != 1:
        what = f"{len(found)} rows begin with {row!r}" if found else f"there is no row {row!r}"
        raise Refused(
            [
                Finding(
                    str(folder),
                    what,
                    "one row is explained at a time",
                    "give the `row_id` of a line of chargeback.csv",
                )
            ]
        )
    for sentence in explain_row(found[0], bill, built.costs, built.usage):
        click.echo(plain(sentence))


def _changed(change: "Change") -> dict[str, object]:
    def row(one: object) -> object:
        return None if one is None else {k: str(v) for k, v in asdict(one).items() if k != "cost"}  # type: ignore[call-overload]

    return {
        "kind": change.kind,
        "id": change.row.id,
        "team": change.row.team,
        "model": change.row.model,
        "pool": change.row.pool,
        "line": change.row.line,
        "before": None if change.before is None else str(change.before.cost),
        "after": None if change.after is None else str(change.after.cost),
        "row_before": row(change.before),
        "row_after": row(change.after),
    }
