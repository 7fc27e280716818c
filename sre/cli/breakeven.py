"""`sre breakeven`: one's own cards against APIs, with every input shown."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from sre.cli.report import exits, report


@click.command()
@click.option("--costs", "cost_file", metavar="FILE", type=click.Path(path_type=Path), required=True,
              help="What the cards cost: finance's costs.yaml.")  # fmt: skip
@click.option("--prices", "price_file", metavar="FILE", type=click.Path(path_type=Path), required=True,
              help="What APIs ask for, what is asked of them, and what the cards can do.")  # fmt: skip
@click.option("--pool", "pools", metavar="POOL", multiple=True,
              help="Only the cards of this pool; may be given several times.")  # fmt: skip
@click.option(
    "--month", "name", metavar="YYYY-MM", help="The month whose costs are taken. Default: the last whole one."
)
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the comparison into this SVG file.",
)
@click.option(
    "--json",
    "into",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the answer into this file, as JSON.",
)
@exits
def breakeven(
    cost_file: Path,
    price_file: Path,
    pools: tuple[str, ...],
    name: str | None,
    picture: Path | None,
    into: Path | None,
) -> None:
    """Say at which volume and which utilisation one's own cards are cheaper than an API, and what that hangs on.

    No threshold is built in: everything follows from the two files, and all of it is printed.
    """
    # Imported late: a wrong command line should be told at once.
    from sre.cli.breakeven_table import show, tell
    from sre.cli.output_file import check_file, write_file
    from sre.finance.breakeven.answer import compare
    from sre.finance.breakeven.picture import draw
    from sre.finance.breakeven.prices import load as load_prices
    from sre.finance.costs import load as load_costs
    from sre.finance.lines import Unbalanced
    from sre.finance.months import parse_month
    from sre.findings import Finding, Refused

    costs, warnings = load_costs(cost_file)
    prices = load_prices(price_file, costs.currency)
    for option, path in (("--picture", picture), ("--json", into)):
        check_file(option, path)
    try:
        month = parse_month(name or f"{datetime.now(UTC):%Y-%m}", costs.timezone)
    except ValueError:
        raise Refused(
            [
                Finding(
                    "--month", f"{name!r} is not a month", "its costs are compared", "write it like 2026-10"
                )
            ]
        ) from None
    try:
        answer = compare(costs, prices, month if name else month.before, pools)
    except Unbalanced as unbalanced:
        raise Refused(unbalanced.findings) from None
    write_file(
        picture, draw(answer.own, answer.rivals, answer.swings[answer.rivals[0].api.name], costs.currency)
    )
    write_file(into, json.dumps(tell(answer, costs, prices), indent=2, ensure_ascii=False) + "\n")
    show(answer, costs, prices)
    report(warnings)
