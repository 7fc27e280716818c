"""`sre chargeback`: a month's bill, closed to the cent, and what becomes of it afterwards."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sre.cli.chargeback_after import close, diff, explain, verify
from sre.cli.report import FOUND, exits, report
from sre.cli.server import server_options
from sre.findings import Finding, Refused

if TYPE_CHECKING:
    from sre.finance.table import Locale

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group()
def chargeback() -> None:
    """A month's bill: build it, close it, check it, explain it.

    Money is exact, and the rows of each invoice add up to it, or nothing is written.
    """


for _command in (close, verify, diff, explain):
    chargeback.add_command(_command)


@chargeback.command()
@click.option("--month", metavar="YYYY-MM", required=True, help="The month, in the cost file's time zone.")
@click.option(
    "--costs", "cost_file", type=click.Path(path_type=Path), required=True, help="Finance's cost file."
)
@click.option(
    "--prometheus", "url", metavar="URL", help="A Prometheus API with usage counters and card states."
)
@click.option("--usage", "usage", metavar="PATH...", multiple=True, type=click.Path(path_type=Path),
              help="Gateway records: JSON lines, gzipped or not, Parquet, or folders of them.")  # fmt: skip
@click.argument("more_usage", metavar="", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--fleet",
    type=click.Path(path_type=Path),
    help="The fleet file: its pools, models and teams are compared.",
)
@click.option("-o", "--output", type=_FOLDER, required=True, help="Folder for everything that is written.")
@click.option(
    "--books",
    type=_FOLDER,
    help="The folder of closed months: last month's figures, and what may not change.",
)
@click.option("--corrects", type=_FOLDER, multiple=True, metavar="DIR",
              help="A closed month built anew: its difference is booked as Correction rows; repeatable.")  # fmt: skip
@click.option("--locale", type=click.Choice(["en", "de"]), default="en", show_default=True,
              help="de: a second table with semicolons and decimal commas, for spreadsheets.")  # fmt: skip
@click.option("--tolerance", metavar="SHARE", default="1%", show_default=True,
              help="By how much records and counters may differ, for each model.")  # fmt: skip
@click.option("--max-invalid", metavar="SHARE", default="0", show_default=True,
              help="The share of records that may be invalid; they are counted and left out.")  # fmt: skip
@click.option("--memory", default="3GB", show_default=True, help="Memory for records; the rest goes to disk.")
@click.option(
    "--temp-dir", type=_FOLDER, help="Where that disk is; else the system's folder for temporary files."
)
@click.option("--dry-run", is_flag=True, help="Compute and tell, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="A summary for programs on standard output.")
@server_options
@exits
def build(
    month: str,
    cost_file: Path,
    url: str | None,
    usage: tuple[Path, ...],
    more_usage: tuple[Path, ...],
    fleet: Path | None,
    output: Path,
    books: Path | None,
    corrects: tuple[Path, ...],
    locale: "Locale",
    tolerance: str,
    max_invalid: str,
    memory: str,
    temp_dir: Path | None,
    dry_run: bool,
    as_json: bool,
    token_env: str | None,
    headers: tuple[str, ...],
    timeout: float,
) -> None:
    """Bill one month: its costs, shared out by who used what.

    Usage comes from gateway records, from a Prometheus API, or from both, which are then compared. Exit 1 where a
    stated invoice is not its lines, or where records and counters differ; nothing is written then.
    """
    paths = (*usage, *more_usage) if usage else ()
    if more_usage and not usage:
        raise click.UsageError(f"unexpected argument {str(more_usage[0])!r}: files of records follow --usage")
    if not url and not paths:
        raise click.UsageError("give --usage PATH..., --prometheus URL, or both")
    from sre.cli.chargeback_asked import Asked
    from sre.cli.chargeback_inputs import make
    from sre.cli.chargeback_view import show, summary
    from sre.cli.server import connect

    asked = Asked(
        cost_file,
        fleet,
        paths,
        _share("--tolerance", tolerance),
        _share("--max-invalid", max_invalid),
        memory,
        temp_dir,
        books,
        corrects,
        locale,
    )
    server = connect(url, token_env, headers, timeout) if url else None
    with _balanced():
        made = make(asked, month, output, server, datetime.now(UTC))
    report(made.findings)
    written = [] if dry_run else _write(made.files, output)
    if made.pages:
        made.pages.forget()
    if as_json:
        click.echo(json.dumps(summary(made, written), indent=2, ensure_ascii=True))
    else:
        show(made.bill, None if dry_run else output)


class _balanced:  # noqa: N801 - reads as what it promises
    """Turns an invoice that is not its lines, and sources that disagree, into exit 1 with the report."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: object, _trace: object) -> None:
        from sre.finance.lines import Unbalanced

        if isinstance(error, Unbalanced):
            report(error.findings)
            click.echo("The month does not close; nothing was written.", err=True)
            sys.exit(FOUND)


def _share(option: str, text: str) -> Decimal:
    from sre.units import parse_ratio

    try:
        share = parse_ratio(text)
    except ValueError:
        share = Decimal(-1)
    if not 0 <= share <= 1:
        raise Refused([Finding(option, f"{text!r} is not a share", "", "write it like 0.5% or 0.005")])
    return share


def _write(files: dict[str, bytes], output: Path) -> Sequence[str]:
    from sre.books.closing import is_closed
    from sre.write import Artefact, write

    if is_closed(output):
        raise Refused(
            [
                Finding(
                    str(output),
                    "is a closed month",
                    "it is never written again",
                    "name another folder with -o; differences are booked with --corrects",
                )
            ]
        )
    done = write([Artefact(name, "", content) for name, content in files.items()], output)
    return [*done.written, *done.unchanged]
