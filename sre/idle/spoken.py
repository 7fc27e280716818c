"""The report's numbers as words, the same in every output for people."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from sre.finance.money import Money
from sre.idle.report import Report
from sre.idle.told import Told

SIGNALS = {
    "activity": "activity of the card",
    "engine": "requests of its engine",
    "memory": "its memory",
    "power": "its power",
    "declared": "the fleet file",
    "none": "nothing",
}
"""What told the state of a card; anything else is the metric itself."""

REASONS = {
    "min_replicas": "kept for availability (`min_replicas`)",
    "young": "replicas that had just started",
    "burn_in": "cards under test (`burn_in`)",
    "scaled_in": "replicas that a pool may be without",
}


def money(amount: Money | None) -> str:
    """With its currency; a dash where nothing is known."""
    return "-" if amount is None else f"{amount.amount:,} {amount.currency}"


def share(part: Fraction) -> str:
    return f"{float(part):.1%}"


def hours(number: Decimal) -> str:
    return f"{number:,.1f}"


def period(report: Report) -> str:
    """Local time, to the minute."""
    return f"{_moment(report.start)} to {_moment(report.end)}"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"


def headline(report: Report) -> str:
    """One sentence: how much stood still, and what it cost."""
    total = report.total
    cost = f" and cost {money(report.cost)}" if report.cost is not None else ""
    bill = (
        f", {share(_of(report.cost, report.bill))} of what all cards cost"
        if report.cost and report.bill
        else ""
    )
    of = f"{hours(total.idle_hours)} of {hours(total.hours['total'])} GPU-hours ({share(total.idle)})"
    return f"{of} stood idle{cost}{bill}."


def trend(report: Report) -> str:
    """Against the period before; empty where that is not known."""
    before = report.idle_before
    if before is None:
        return ""
    change = float(report.idle - before) * 100
    if abs(change) < 0.05:
        return f"In the period before it was as much: {share(before)}."
    return f"In the period before it was {share(before)}, {abs(change):.1f} points {'less' if change > 0 else 'more'}."


def left_out(report: Report) -> str:
    """What is in no idle figure, and why; empty where nothing is."""
    parts = [
        f"{hours(Decimal(minutes) / 60)} h {REASONS.get(reason, reason)}"
        for reason, minutes in report.reasons.items()
        if minutes
    ]
    return f"Left out: {'; '.join(parts)}." if parts else ""


def use(report: Report) -> str:
    """How much of the card-time had work, in all and in business hours, and what an hour of it cost."""
    total = report.total
    worked = total.parts[0] + total.parts[1]
    line = f"Cards had work for {share(total.used)} of the time"
    open_ = sum(total.business)
    if open_ and open_ != sum(total.parts):
        line += f", for {share(Fraction(total.business[0] + total.business[1], open_))} of business hours"
    if report.bill is not None and worked:
        each = report.bill.amount / (Decimal(worked) / 50_400)
        line += f"; an hour of work cost {each:,.2f} {report.bill.currency}"
    return f"{line}."


def lines(told: Told) -> list[str]:
    """What stands under the headline."""
    report = told.report
    found = (trend(report), use(report), against(report, told.break_even), left_out(report))
    return [line for line in found if line]


def against(report: Report, break_even: Fraction | None) -> str:
    """Work against the share from which self-hosting pays; empty where nobody has said it."""
    if break_even is None:
        return ""
    used = report.total.used
    points = abs(float(used - break_even)) * 100
    if used >= break_even:
        return f"Self-hosting pays from {share(break_even)} on: these cards are {points:.1f} points above it."
    return f"Self-hosting pays from {share(break_even)} on: these cards are {points:.1f} points below it."


def _of(part: Money, whole: Money) -> Fraction:
    return Fraction(part.minor, whole.minor or 1)
