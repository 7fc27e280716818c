"""The entries of a cost file: one model for each kind of price, line, rate and invoice."""

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sre.finance.costs.values import Amount, CurrencyCode, MonthName, Price, Pue, Share
from sre.fleet.hours import Day
from sre.fleet.values import Count, Name, Text, Whole


class Part(BaseModel):
    # A file's own spelling where Python keeps a word for itself: `from`.
    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=False, validate_by_alias=True)


class Rented(Part):
    """Cards paid by the GPU-hour."""

    per_gpu_hour: Price = Field(description="the price of one card for one hour", examples=["2.52"])
    hours: Literal["real", "month_730"] = Field(
        default="real", description="the month's real hours (743 to 745 in Berlin), or 730 for each month"
    )


class Owned(Part):
    """Cards that were bought: straight-line depreciation."""

    purchase: Price = Field(description="what the whole pool cost", examples=["52000.00"])
    months: Count = Field(description="over how many months it is written off", examples=[48])


class GpuPrice(Part):
    """What a pool's cards cost from a day on, until the next entry or its own end."""

    start: Day = Field(
        validation_alias="from", description="the first day it holds, in local time", examples=["2026-01-01"]
    )
    until: Day | None = Field(
        default=None, description="the first day it no longer holds; without it, the next entry's"
    )
    gpus: Whole = Field(description="how many cards are paid for", examples=[8])
    rented: Rented | None = Field(
        default=None, description="paid by the GPU-hour", examples=[{"per_gpu_hour": "2.52"}]
    )
    owned: Owned | None = Field(
        default=None, description="bought", examples=[{"purchase": "52000.00", "months": 48}]
    )
    invoice: Text = Field(default="", description="the id of the invoice that it is on; else the first one's")


class EnergyReading(Part):
    """Energy of a pool's cards, where no counter is at hand."""

    month: MonthName = Field(description="the month", examples=["2026-10"])
    pool: Name = Field(description="the pool", examples=["extract-8b"])
    kwh: Price = Field(description="kilowatt-hours of its cards", examples=["412.5"])


class Power(Part):
    """Energy from the cards' counters, times price and PUE; left out where the rent includes it."""

    per_kwh: Price = Field(description="the price of a kilowatt-hour", examples=["0.24"])
    pue: Pue = Field(
        default=Decimal(1), description="the building's energy over that of its machines", examples=["1.3"]
    )
    pools: tuple[Name, ...] | None = Field(
        default=None, description="the pools whose power is paid apart; else all", examples=[["extract-8b"]]
    )
    readings: tuple[EnergyReading, ...] = Field(
        default=(), description="energy by month and pool, where no counter says it"
    )
    invoice: Text = Field(default="", description="the id of the invoice that it is on; else the first one's")


class FixedCost(Part):
    """What is paid each month whatever is used, or once and written off (setup)."""

    name: Name = Field(description="the line's name on the bill", examples=["operations"])
    per_month: Price | None = Field(
        default=None, description="the amount of each month", examples=["3250.00"]
    )
    amount: Price | None = Field(default=None, description="what was paid once", examples=["25000.00"])
    months: Count | None = Field(
        default=None, description="over how many months it is written off", examples=[12]
    )
    start: Day | None = Field(
        default=None, validation_alias="from", description="the first day it holds", examples=["2026-01-01"]
    )
    until: Day | None = Field(default=None, description="the first day it no longer holds")
    pool: Name | None = Field(default=None, description="the only pool that it is for; else all, by GPU time")
    invoice: Text = Field(default="", description="the id of the invoice that it is on; else the first one's")


class _MonthLine(Part):
    name: Name = Field(description="the line's name on the bill", examples=["goodwill"])
    amount: Amount = Field(description="the amount", examples=["500.00"])
    month: MonthName = Field(description="the month that it belongs to", examples=["2026-10"])
    pool: Name | None = Field(default=None, description="the only pool that it is for; else all, by GPU time")
    held: bool = Field(
        default=False, strict=True, description="true: the platform keeps it, no team gets a share"
    )
    invoice: Text = Field(default="", description="the id of the invoice that it is on; else the first one's")


class Credit(_MonthLine):
    """What was given back: with or without a minus it makes the bill smaller."""


class Adjustment(_MonthLine):
    """A known difference to the invoice, with its sign."""

    reason: Text = Field(
        min_length=1, description="why the invoice differs", examples=["price of 2026-10-03 agreed later"]
    )


class Tax(Part):
    """A tax that is a cost, as a share of its invoice's other lines or as an amount."""

    name: Name = Field(description="the line's name on the bill", examples=["VAT"])
    rate: Share | None = Field(
        default=None, description="of the invoice's lines before tax", examples=["0.19"]
    )
    amount: Amount | None = Field(default=None, description="the amount, of one month", examples=["120.00"])
    month: MonthName | None = Field(
        default=None, description="the only month; a rate without it holds always"
    )
    held: bool = Field(
        default=False, strict=True, description="true: the platform keeps it, no team gets a share"
    )
    invoice: Text = Field(default="", description="the id of the invoice that it is on; else the first one's")


class Fallback(Part):
    """What was spent on an API beside the pools; its usage is billed by the same rate card."""

    name: Name = Field(
        description="the line's name, and the `pool` of its usage records", examples=["openai"]
    )
    amount: Price = Field(description="what was spent", examples=["812.40"])
    month: MonthName = Field(description="the month", examples=["2026-10"])
    models: tuple[Name, ...] = Field(
        default=(), description="models whose records without a pool belong here"
    )
    invoice: Text = Field(default="", description="the id of the invoice that it is on; else the first one's")


class Rate(Part):
    """An exchange rate with where it comes from: an invoice is converted once, and then shared out."""

    currency: CurrencyCode = Field(description="the invoice's currency", examples=["USD"])
    rate: Price = Field(description="this file's currency for one unit of it", examples=["0.9231"])
    source: Text = Field(min_length=1, description="who says so", examples=["ECB reference rate"])
    date: Day = Field(description="of which day it is", examples=["2026-10-30"])
    month: MonthName | None = Field(
        default=None, description="the only month that it is for; else every month"
    )


class InvoiceTerms(Part):
    """An invoice that the lines must add up to."""

    id: Name = Field(description="its number", examples=["INV-2026-10"])
    issuer: Name = Field(description="who sent it", examples=["Example Cloud GmbH"])
    total: Amount | None = Field(
        default=None, description="what it says is to be paid; without it, the lines are the total"
    )
    currency: CurrencyCode | None = Field(
        default=None, description="its currency; else this file's", examples=["USD"]
    )
    month: MonthName | None = Field(
        default=None, description="the only month that it is for", examples=["2026-10"]
    )


def period_end(entries: tuple[GpuPrice, ...], index: int) -> date | None:
    """The first day on which an entry no longer holds: its own end, or the next entry's beginning."""
    following = entries[index + 1].start if index + 1 < len(entries) else None
    return entries[index].until or following
