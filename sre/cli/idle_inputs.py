"""What the command line of `sre idle` asks for: a period, prices, limits; and what can be wrong with it."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from sre.cli.inputs import Inputs
from sre.cli.period import stretch
from sre.findings import Finding, Refused
from sre.units import parse_ratio

if TYPE_CHECKING:
    from sre.finance.costs import Costs
    from sre.idle.break_even import BreakEven
    from sre.idle.prices import Prices
    from sre.idle.windows import Window


@dataclass(frozen=True)
class Asked:
    """``limit`` is a share of all card-time."""

    windows: "tuple[Window, ...]"
    prices: "Prices | None"
    limit: Fraction | None
    break_evens: "tuple[BreakEven, ...]"
    warnings: tuple[Finding, ...]


def asked_for(
    inputs: Inputs, since: str, until: str | None, costs: Path | None, prices: Path | None, break_even: str | None,
    fail_above: str | None,
) -> Asked:  # fmt: skip
    """Before a server is asked. Raises ``Refused``."""
    from sre.idle.prices import Prices

    _check_declared(inputs)
    period, limit = _period(inputs, since, until), _share("--fail-above", fail_above)
    said = _share("--break-even", break_even)
    _check_together(costs, prices, break_even)
    found, warnings = _costs(costs, inputs)
    return Asked(
        period, Prices(found, inputs.fleet) if found else None, limit, _break_evens(found, prices, said, period[0]),
        warnings,
    )  # fmt: skip


def _check_declared(inputs: Inputs) -> None:
    from sre.idle.declared import declared_cards

    if not declared_cards(inputs.fleet):
        raise Refused([Finding(inputs.source.where(("pools",)),
                               "no cards are declared, by no pool and under no `capacity`",
                               "totals are declared cards times hours: there would be none",
                               "write `gpus: {type: ..., per_replica: ..., replicas: ...}` in each pool")])  # fmt: skip


def _period(inputs: Inputs, since: str, until: str | None) -> "tuple[Window, ...]":
    from sre.idle.windows import MINUTE, Calendar, windows

    # The last minutes may not have been recorded yet.
    latest = datetime.fromtimestamp((time.time() - 2 * MINUTE) // MINUTE * MINUTE, UTC)
    start, end = (
        round(at.timestamp()) // MINUTE * MINUTE for at in stretch(since, until, latest, inputs.fleet.zone)
    )
    if end - start < MINUTE:
        raise Refused([Finding("--since", "the period is shorter than a minute", "states are told by the minute",
                               "ask for an hour or more")])  # fmt: skip
    return windows(start, end, inputs.fleet.zone, Calendar(inputs.fleet).cuts)


def _costs(path: Path | None, inputs: Inputs) -> "tuple[Costs | None, tuple[Finding, ...]]":
    if path is None:
        return None, ()
    from sre.finance.costs import load

    found, warnings = load(path, pools=[pool.name for pool in inputs.fleet.pools])
    return found, tuple(warnings)


def _check_together(costs: Path | None, prices: Path | None, break_even: str | None) -> None:
    if prices and break_even is not None:
        raise Refused([Finding("--break-even", "it is given beside --prices",
                               "the price file makes a break-even of its own", "give one of the two")])  # fmt: skip
    if prices and not costs:
        raise Refused([Finding("--prices", "there is no cost file beside it",
                               "a break-even is where these costs and an API's meet",
                               "add --costs FILE, or give the share itself with --break-even")])  # fmt: skip


def _break_evens(
    costs: "Costs | None", prices: Path | None, said: Fraction | None, first: "Window"
) -> "tuple[BreakEven, ...]":
    from sre.idle.break_even import BreakEven, break_evens

    if costs and prices:
        from sre.finance.breakeven.prices import load

        return break_evens(costs, load(prices, costs.currency), first.start)
    return (BreakEven(said),) if said is not None else ()


def _share(option: str, text: str | None) -> Fraction | None:
    if text is None:
        return None
    try:
        ratio = Fraction(parse_ratio(text))
    except ValueError:
        ratio = Fraction(-1)
    if not 0 <= ratio <= 1:
        raise Refused([Finding(option, f"{text!r} is no share", "a share of all card-time is compared with it",
                               "write it like 20% or 0.2")])  # fmt: skip
    return ratio
