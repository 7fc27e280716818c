"""The utilisation from which self-hosting pays: what somebody says it is, or what costs and an API's prices make."""

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from sre.finance.breakeven.answer import Answer, compare
from sre.finance.breakeven.prices import Prices
from sre.finance.costs.model import Costs
from sre.finance.lines import Unbalanced
from sre.finance.months import Month
from sre.findings import Finding, Refused
from sre.fleet.hours import zone_info


@dataclass(frozen=True)
class BreakEven:
    """``share`` of what the cards can do: above 1 not even full ones pay, None where nothing makes them pay.

    ``api`` and ``month`` are empty where somebody has said the share himself.
    """

    share: Fraction | None
    api: str = ""
    month: str = ""


def break_evens(costs: Costs, prices: Prices, start: int) -> tuple[BreakEven, ...]:
    """Against each API of the price file, with the costs of the month of ``start``, in Unix time. Raises ``Refused``.

    Where that month costs nothing, those of the last month before it that cost something.
    """
    month = datetime.fromtimestamp(start, zone_info(costs.timezone)).strftime("%Y-%m")
    answer = _answer(costs, prices, Month(month, costs.timezone))
    return tuple(BreakEven(one.utilization, one.api.name, answer.month.name) for one in answer.rivals)


def _answer(costs: Costs, prices: Prices, month: Month) -> Answer:
    first = min((entry.start for entries in costs.gpus.values() for entry in entries), default=month.first)
    wanted = month.name
    while month.next.first > first:
        try:
            return compare(costs, prices, month, ())
        except Unbalanced as unbalanced:
            raise Refused(unbalanced.findings) from None
        except Refused:
            month = month.before
    raise Refused([Finding(
        "--prices", f"no card costs anything in {wanted} or before it",
        "a break-even is where these costs and an API's meet",
        "write the price under `gpus` in the cost file, from the day on that it holds; or ask for a later period",
    )])  # fmt: skip
