"""Cost lines of one month: from prices and periods to amounts, each with its arithmetic in words."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from sre.finance.bill import Invoice
from sre.finance.costs.model import Costs
from sre.finance.costs.parts import FixedCost, GpuPrice, InvoiceTerms, period_end
from sre.finance.money import Currency, Money, close, currency, round_half_away, round_money, total
from sre.finance.months import Month, add_months
from sre.findings import Finding

LineKind = Literal["gpus", "power", "fixed", "fallback", "credit", "tax", "adjustment"]
_CONVENTION_HOURS = 730
"""The 730-hour month: 365 days of 24 hours over 12 months."""


class Unbalanced(Exception):
    """A stated total that the lines do not come to; carries the findings. The month does not close."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        super().__init__("; ".join(f"{one.where}: {one.what}" for one in findings))


@dataclass(frozen=True)
class Line:
    """One amount to be shared out. ``amount`` is in the bill's currency, ``original`` in its invoice's.

    ``pool`` is empty where all pools share it by GPU time; ``held`` lines stay with the platform.
    """

    kind: LineKind
    name: str
    pool: str
    invoice: str
    original: Money
    amount: Money
    terms: str
    held: bool = False

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells lines of one month apart."""
        return self.invoice, self.kind, self.name, self.pool


@dataclass(frozen=True)
class Charges:
    """The month's lines and invoices in the bill's currency, the GPU time that is paid, and what is not known."""

    lines: tuple[Line, ...]
    invoices: tuple[Invoice, ...]
    paid: Mapping[str, int]
    """Pool -> card-seconds paid for."""
    notes: tuple[str, ...]


def charge(costs: Costs, month: Month, energy: Mapping[str, int]) -> Charges:
    """All lines of the month; ``energy`` is pool -> watt-hours. Raises ``Unbalanced``."""
    invoices = costs.invoices(month.name) or (
        InvoiceTerms.model_construct(id="", issuer="", total=None, currency=None, month=None),
    )
    units = {one.id: currency(one.currency or costs.currency) for one in invoices}
    home = Money(0, costs.unit)

    def line(kind: LineKind, name: str, amount: Decimal | Fraction, terms: str, invoice: str, pool: str = "", *,
             held: bool = False) -> Line:  # fmt: skip
        on = invoice if invoice in units else invoices[0].id
        return Line(kind, name, pool, on, round_money(amount, units[on]), home, terms, held)

    watt_hours, notes = _energy(costs, month, energy)
    lines = [*_gpus(costs, month, line), *_power(costs, watt_hours, line), *_fixed(costs, month, line),
             *_month_lines(costs, month, line)]  # fmt: skip
    lines = _merged([*lines, *_taxes(costs, month, lines, line)])
    _reconcile(invoices, lines, units)
    billed, converted = list[Invoice](), list[Line]()
    for terms in invoices:
        invoice, own = _convert(
            costs, month, terms, [one for one in lines if one.invoice == terms.id], units[terms.id]
        )
        billed.append(invoice)
        converted += own
    paid = {pool: _paid(entries, month) for pool, entries in sorted(costs.gpus.items())}
    return Charges(tuple(sorted(converted, key=lambda one: one.key)), tuple(billed), paid, tuple(notes))


_Make = Callable[..., Line]


def segments(entries: tuple[GpuPrice, ...], month: Month) -> Iterator[tuple[GpuPrice, int]]:
    """The entries that hold in the month, each with its seconds in it."""
    for index, entry in enumerate(entries):
        if seconds := month.within(entry.start, period_end(entries, index)):
            yield entry, seconds


def _paid(entries: tuple[GpuPrice, ...], month: Month) -> int:
    return sum(entry.gpus * seconds for entry, seconds in segments(entries, month))


def _gpus(costs: Costs, month: Month, line: _Make) -> Iterator[Line]:
    for pool, entries in sorted(costs.gpus.items()):
        by_invoice = dict[str, list[tuple[Fraction, str]]]()
        for index, entry in enumerate(entries):
            seconds = month.within(entry.start, period_end(entries, index))
            if seconds and entry.gpus:
                cost = (
                    _rent(entry, seconds, month) if entry.rented else _depreciation(costs, pool, index, month)
                )
                by_invoice.setdefault(entry.invoice, []).append(cost)
        for invoice, parts in by_invoice.items():
            yield line("gpus", "gpus", sum((amount for amount, _ in parts), Fraction(0)),
                       "; ".join(words for _, words in parts), invoice, pool)  # fmt: skip


def _rent(entry: GpuPrice, seconds: int, month: Month) -> tuple[Fraction, str]:
    assert entry.rented
    hours = Fraction(seconds, 3600)
    if entry.rented.hours == "month_730":
        hours = _CONVENTION_HOURS * Fraction(seconds, month.seconds)
    price = entry.rented.per_gpu_hour
    return entry.gpus * Fraction(price) * hours, f"{entry.gpus} cards x {_plain(hours)} h x {price}"


def _depreciation(costs: Costs, pool: str, index: int, month: Month) -> tuple[Fraction, str]:
    entries = costs.gpus[pool]
    entry, end = entries[index], period_end(entries, index)
    assert entry.owned
    amount, months = entry.owned.purchase, entry.owned.months
    part = written_off(amount, months, entry.start, end, month, costs.unit.digits)
    return part, f"{amount} over {months} months"


def written_off(
    amount: Decimal, months: int, start: date, until: date | None, month: Month, digits: int
) -> Fraction:
    """Straight-line: an even part for each whole month, by its seconds for one that begins or ends within it.

    Where the months are whole, the last one takes what rounding has left: all of them are the amount.
    """
    end, even = add_months(start, months), Fraction(amount) / months
    if start.day == 1 and month.next.first == end and not (until and until < end):
        booked = Fraction(round_half_away(even * 10**digits), 10**digits)
        return Fraction(amount) - (months - 1) * booked
    return even * Fraction(month.within(start, min(end, until or end)), month.seconds)


def _energy(costs: Costs, month: Month, measured: Mapping[str, int]) -> tuple[dict[str, Fraction], list[str]]:
    """Pool -> kilowatt-hours that are paid apart, and what is not known of them. A reading in the file wins."""
    if not costs.power:
        return {}, []
    pools = [pool for pool, entries in sorted(costs.gpus.items()) if _paid(entries, month)]
    wanted = [pool for pool in pools if costs.power.pools is None or pool in costs.power.pools]
    known = {pool: Fraction(measured[pool], 1000) for pool in wanted if pool in measured}
    known |= {one.pool: Fraction(one.kwh) for one in costs.power.readings if one.month == month.name}
    missing = [pool for pool in wanted if pool not in known]
    note = (
        f"power is not billed for {', '.join(missing)}: no energy counter was read and the cost file has no reading; "
        "the bill is too low by it"
    )
    return known, [note] if missing else []


def _power(costs: Costs, kwh: Mapping[str, Fraction], line: _Make) -> Iterator[Line]:
    power = costs.power
    if power:
        for pool, energy in sorted(kwh.items()):
            amount = energy * Fraction(power.per_kwh) * Fraction(power.pue)
            words = f"{_plain(energy)} kWh x {power.per_kwh} x PUE {power.pue}"
            yield line("power", "power", amount, words, power.invoice, pool)


def _fixed(costs: Costs, month: Month, line: _Make) -> Iterator[Line]:
    sums = dict[tuple[str, str, str], list[tuple[Fraction, str]]]()
    for one in costs.fixed:
        if part := _fixed_part(one, month, costs.unit.digits):
            sums.setdefault((one.name, one.invoice, one.pool or ""), []).append(part)
    for (name, invoice, pool), parts in sums.items():
        yield line("fixed", name, sum((amount for amount, _ in parts), Fraction(0)),
                   "; ".join(words for _, words in parts), invoice, pool)  # fmt: skip


def _fixed_part(one: FixedCost, month: Month, digits: int) -> tuple[Fraction, str] | None:
    start = one.start or date.min.replace(year=1971)
    if one.amount is not None and one.months:
        amount = written_off(one.amount, one.months, start, one.until, month, digits)
        return (amount, f"{one.amount} over {one.months} months from {start}") if amount else None
    seconds = month.within(start, one.until)
    if not seconds or one.per_month is None:
        return None
    part = Fraction(seconds, month.seconds)
    return Fraction(one.per_month) * part, f"{one.per_month} a month" + (
        f" x {part} of it" if part != 1 else ""
    )


def _month_lines(costs: Costs, month: Month, line: _Make) -> Iterator[Line]:
    for credit in costs.credits:
        if credit.month == month.name:
            yield line("credit", credit.name, -abs(credit.amount), "given back", credit.invoice, credit.pool or "",
                       held=credit.held)  # fmt: skip
    for one in costs.adjustments:
        if one.month == month.name:
            yield line(
                "adjustment", one.name, one.amount, one.reason, one.invoice, one.pool or "", held=one.held
            )
    for api in costs.fallback:
        if api.month == month.name:
            yield line("fallback", api.name, api.amount, "spent on an API", api.invoice, api.name)


def _taxes(costs: Costs, month: Month, before: list[Line], line: _Make) -> list[Line]:
    found = list[Line]()
    for tax in costs.taxes:
        if tax.month not in (None, month.name):
            continue
        if tax.amount is not None:
            found.append(line("tax", tax.name, tax.amount, "as stated", tax.invoice, held=tax.held))
        elif tax.rate is not None:
            empty = line("tax", tax.name, Decimal(0), "", tax.invoice, held=tax.held)
            base = total(
                (one.original for one in before if one.invoice == empty.invoice), empty.original.currency
            )
            amount = round_money(Fraction(base.amount) * Fraction(tax.rate), base.currency)
            found.append(replace(empty, original=amount, terms=f"{tax.rate} of {base}"))
    return found


def _merged(lines: list[Line]) -> list[Line]:
    """Lines of one name on one invoice as one, whether they name it or leave it out: a name is an identity."""
    found = dict[tuple[str, str, str, str], Line]()
    for one in lines:
        before = found.get(one.key)
        if before:
            one = replace(one, original=before.original + one.original, terms=f"{before.terms}; {one.terms}")
        found[one.key] = one
    return list(found.values())


def _reconcile(invoices: tuple[InvoiceTerms, ...], lines: list[Line], units: Mapping[str, Currency]) -> None:
    """Every stated total is what its lines come to, to the minor unit."""
    findings = list[Finding]()
    for terms in invoices:
        own = [one for one in lines if one.invoice == terms.id]
        found = total((one.original for one in own), units[terms.id])
        if terms.total is not None and terms.total != found.amount:
            listed = "; ".join(
                f"{one.name}{f' ({one.pool})' if one.pool else ''} {one.original}" for one in own
            )
            findings.append(Finding(
                f"invoice {terms.id}",
                f"it says {terms.total} {units[terms.id]}, and the lines come to {found}: "
                f"the difference is {terms.total - found.amount:+f}",
                f"a bill that is not the invoice cannot be booked; the lines: {listed}",
                "correct the line that is wrong, or state the difference under `adjustments:` with its reason",
            ))  # fmt: skip
    if findings:
        raise Unbalanced(findings)


def _convert(
    costs: Costs, month: Month, terms: InvoiceTerms, lines: list[Line], unit: Currency
) -> tuple[Invoice, list[Line]]:
    """The invoice and its lines in the bill's currency: the sum is converted once, the lines close to it."""
    rate = costs.exchange(unit.code, month.name) if unit != costs.unit else None
    factor = Fraction(rate.rate) if rate else Fraction(1)
    factor *= Fraction(10) ** (costs.unit.digits - unit.digits)
    whole = total((one.original for one in lines), unit)
    billed = Money(round_half_away(whole.minor * factor), costs.unit)
    parts = close({one.key: one.original.minor * factor for one in lines}, billed.minor)
    stated = None if terms.total is None else round_money(terms.total, unit)
    source = (rate.rate, rate.source, rate.date.isoformat()) if rate else (Decimal(1), "", "")
    converted = [replace(one, amount=Money(parts[one.key], costs.unit)) for one in lines]
    return Invoice(terms.id, terms.issuer, stated, whole, billed, *source), converted


def _plain(number: Fraction) -> str:
    """A number as a person writes it: exact where it has few digits, else with four."""
    if number.denominator == 1:
        return str(number.numerator)
    return format(Decimal(round_half_away(number * 10_000)).scaleb(-4).normalize(), "f")
