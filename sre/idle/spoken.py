"""The report's numbers as words, the same in every output for people."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from sre.finance.money import Money
from sre.idle.break_even import BreakEven
from sre.idle.report import Account, Report
from sre.idle.states import BUSY, PER_HOUR, UNDERUSED, UNKNOWN, idle_hours, idle_share
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
    """Against the period before; why not, where too little of that was recorded; empty where it was not asked for."""
    before = report.idle_before
    if before is None:
        return _no_trend(report)
    change = float(report.idle - before) * 100
    if abs(change) < 0.05:
        return f"In the period before it was as much: {share(before)}."
    return f"In the period before it was {share(before)}, {abs(change):.1f} points {'less' if change > 0 else 'more'}."


def _no_trend(report: Report) -> str:
    if not report.trend:
        return ""
    held = share(Fraction(report.trend.looked))
    return (
        f"No trend is told: of the period before {held if report.trend.looked else 'nothing'} was recorded."
    )


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
    worked = total.parts[BUSY] + total.parts[UNDERUSED]
    line = f"Cards had work for {share(total.used)} of the time"
    open_ = sum(total.business)
    if open_ and open_ != sum(total.parts):
        line += f", for {share(Fraction(total.business[BUSY] + total.business[UNDERUSED], open_))} of business hours"
    if report.bill is not None and worked:
        each = report.bill.amount / (Decimal(worked) / PER_HOUR)
        line += f"; an hour of work cost {each:,.2f} {report.bill.currency}"
    return f"{line}."


def unknown(report: Report) -> str:
    """What is in no idle figure because nobody knows of it; empty where that is nothing."""
    lost = report.total.hours["unknown"]
    whole = Fraction(report.total.parts[UNKNOWN], sum(report.total.parts) or 1)
    return (
        f"Nothing is known of {hours(lost)} GPU-hours ({share(whole)}): they count as neither idle nor busy."
        if lost
        else ""
    )


def by_hours(report: Report) -> str:
    """Idle time in business hours and outside, each with its share; empty where all time is the one or the other."""
    inside, outside = report.total.business, report.total.outside
    if not sum(inside) or not sum(outside):
        return ""
    return f"In business hours {_idle(inside)} stood idle, outside them {_idle(outside)}."


def _idle(parts: tuple[int, ...]) -> str:
    return f"{hours(idle_hours(parts))} GPU-hours ({share(idle_share(parts))})"


def lines(told: Told) -> list[str]:
    """What stands under the headline."""
    report = told.report
    held = (against(report, one) for one in told.break_evens)
    found = (trend(report), by_hours(report), use(report), *held, unknown(report), left_out(report))
    return [line for line in found if line]


def against(report: Report, one: BreakEven) -> str:
    """Work against the share from which self-hosting pays.

    That share is one of what cards can do, and theirs here is of the time: more than what they did, never less.
    """
    api = f"Against {one.api} s" if one.api else "S"
    costs = f", at the costs of {one.month}" if one.month else ""
    if one.share is None:
        return (
            f"{api}elf-hosting never pays{costs}: a token of one's own costs as much before any card is paid."
        )
    if one.share > 1:
        return f"{api}elf-hosting does not pay{costs}: cards would have to do {share(one.share)} of what they can."
    return f"{api}elf-hosting pays from {share(one.share)} on{costs}: {_held(report.total, one.share)}."


def _held(total: Account, least: Fraction) -> str:
    used, most = total.used, total.used + Fraction(total.parts[UNKNOWN], sum(total.parts) or 1)
    points = f"these cards are {abs(float(used - least)) * 100:.1f} points"
    if used >= least:
        return f"{points} above it, if they were full while they worked"
    if most >= least:
        return f"whether these cards are above it is not known, as {share(most - used)} of the time is not"
    return f"{points} below it, however full they were"


def _of(part: Money, whole: Money) -> Fraction:
    return Fraction(part.minor, whole.minor or 1)
