"""What a cost file says, as frozen models: reader, JSON Schema and error texts all come from here."""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.config import JsonDict

from sre.explain import objection
from sre.finance.bill import TOKEN_CLASSES, IdlePolicy, Mode
from sre.finance.costs.values import Amount, CurrencyCode, Day, MonthName, Price, Pue, Share
from sre.finance.money import Currency, currency
from sre.fleet.hours import Zone
from sre.fleet.values import Count, Name, Text, Whole
from sre.source import suggest

Measure = Literal["tokens", "requests", "gpu_seconds"]
TokenClass = Literal["uncached_input", "cached_input", "cache_write", "output", "reasoning"]


def _token_class(name: object) -> object:
    if isinstance(name, str) and name not in TOKEN_CLASSES:
        raise objection(
            "unknown key", suggest(name, TOKEN_CLASSES), "token classes are disjoint and have one spelling"
        )
    return name


class _Part(BaseModel):
    # A file's own spelling where Python keeps a word for itself: `from`.
    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=False, validate_by_alias=True)


class Rented(_Part):
    """Cards paid by the GPU-hour."""

    per_gpu_hour: Price = Field(description="the price of one card for one hour", examples=["2.52"])
    hours: Literal["real", "month_730"] = Field(
        default="real", description="the month's real hours (743 to 745 in Berlin), or 730 for each month"
    )


class Owned(_Part):
    """Cards that were bought: straight-line depreciation."""

    purchase: Price = Field(description="what the whole pool cost", examples=["52000.00"])
    months: Count = Field(description="over how many months it is written off", examples=[48])


class GpuPrice(_Part):
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


class EnergyReading(_Part):
    """Energy of a pool's cards, where no counter is at hand."""

    month: MonthName = Field(description="the month", examples=["2026-10"])
    pool: Name = Field(description="the pool", examples=["extract-8b"])
    kwh: Price = Field(description="kilowatt-hours of its cards", examples=["412.5"])


class Power(_Part):
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


class FixedCost(_Part):
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


class _MonthLine(_Part):
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


class Tax(_Part):
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


class Fallback(_Part):
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


class Rate(_Part):
    """An exchange rate with where it comes from: an invoice is converted once, and then shared out."""

    currency: CurrencyCode = Field(description="the invoice's currency", examples=["USD"])
    rate: Price = Field(description="this file's currency for one unit of it", examples=["0.9231"])
    source: Text = Field(min_length=1, description="who says so", examples=["ECB reference rate"])
    date: Day = Field(description="of which day it is", examples=["2026-10-30"])
    month: MonthName | None = Field(
        default=None, description="the only month that it is for; else every month"
    )


class InvoiceTerms(_Part):
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


def _listed(value: object) -> object:
    """One invoice may stand there without a list around it."""
    return (value,) if isinstance(value, dict | InvoiceTerms) else value


def _one_or_many(schema: JsonDict) -> None:
    """In the JSON Schema too, one may stand without a list."""
    del schema["type"]
    items = schema.pop("items")
    schema["anyOf"] = [{"type": "array", "items": items}, items]


def _all_alike() -> dict[str, dict[TokenClass, Decimal]]:
    """A token is a token, where the file says nothing."""
    names: tuple[TokenClass, ...] = get_args(TokenClass)
    return {"default": dict.fromkeys(names, Decimal(1))}


class Costs(_Part):
    """Everything that finance says: what is paid, and by which rules it is shared out."""

    version: Literal[1] = Field(description="the version of this format", examples=[1])
    currency: CurrencyCode = Field(description="the bill's currency, an ISO 4217 code", examples=["EUR"])
    timezone: Zone = Field(
        default="UTC", description="IANA name: months begin at its midnight", examples=["Europe/Berlin"]
    )
    gpus: dict[Name, Annotated[tuple[GpuPrice, ...], Field(min_length=1)]] = Field(
        min_length=1, description="what each pool's cards cost, from when on",
        examples=[{"chat-70b": [{"from": "2026-01-01", "gpus": 8, "rented": {"per_gpu_hour": "2.52"}}]}],
    )  # fmt: skip
    power: Power | None = Field(
        default=None, description="energy, where it is not in the rent", examples=[{"per_kwh": "0.24"}]
    )
    fixed: tuple[FixedCost, ...] = Field(default=(), description="what is paid whatever is used")
    credits: tuple[Credit, ...] = Field(default=(), description="what was given back")
    taxes: tuple[Tax, ...] = Field(default=(), description="taxes that are a cost")
    adjustments: tuple[Adjustment, ...] = Field(
        default=(), description="known differences to the invoice, with a reason"
    )
    fallback: tuple[Fallback, ...] = Field(default=(), description="what was spent on APIs beside the pools")
    fx: tuple[Rate, ...] = Field(default=(), description="exchange rates of invoices in other currencies")
    invoice: Annotated[tuple[InvoiceTerms, ...], BeforeValidator(_listed)] = Field(
        default=(), description="the invoice that the lines must add up to, or a list of them",
        examples=[{"id": "INV-2026-10", "issuer": "Example Cloud GmbH"}],
        json_schema_extra=_one_or_many,
    )  # fmt: skip
    rate_card: dict[Name, dict[Annotated[TokenClass, BeforeValidator(_token_class)], Price]] = Field(
        default_factory=_all_alike,
        description="weights of the disjoint token classes, by model or `default`",
        examples=[{"default": {"uncached_input": "1", "output": "4"}}],
    )
    allocate_by: Measure = Field(
        default="tokens", description="tokens by the rate card, requests, or the seconds that requests took"
    )
    failed: Literal["charge", "free"] = Field(
        default="charge", description="whether failed requests weigh by the tokens that they did use"
    )
    idle: IdlePolicy = Field(default="platform", description="who pays for time in which cards did no work")
    idle_shares: dict[Name, Share] = Field(
        default_factory=dict, description="for `idle: fixed`: team -> share, adding up to 1"
    )
    reservations: dict[Name, dict[Name, Count]] = Field(
        default_factory=dict, description="for `idle: by_reservation`: pool -> team -> cards reserved"
    )
    unknown: Literal["as_measured", "busy", "idle"] = Field(
        default="as_measured",
        description="how card time without telemetry is priced: like the rest, as busy or as idle",
    )
    untagged_limit: Share = Field(
        default=Decimal(1), description="the largest share of usage without a team that is billed"
    )
    models: dict[Name, Name] = Field(
        default_factory=dict, description="model -> pool, for records that name no pool"
    )
    budgets: dict[Name, Price] = Field(
        default_factory=dict, description="team -> what it may spend in a month"
    )
    grace_days: Whole = Field(default=0, description="days after a month's end before it may be closed")
    mode: Mode = Field(
        default="showback", description="showback (nothing is invoiced), or an internal invoice"
    )

    @property
    def unit(self) -> Currency:
        """The bill's currency."""
        return currency(self.currency)

    @property
    def weights(self) -> Mapping[str, Mapping[str, Decimal]]:
        """The rate card, with a weight for each class."""
        return {
            model: {name: Decimal(weights.get(name, 0)) for name in TOKEN_CLASSES}  # type: ignore[call-overload]
            for model, weights in sorted(self.rate_card.items())
        }

    def invoices(self, month: str) -> tuple[InvoiceTerms, ...]:
        """Those of one month; the first is that of lines which name none."""
        return tuple(one for one in self.invoice if one.month in (None, month))

    def exchange(self, code: str, month: str) -> Rate | None:
        """The rate of a currency: the month's own before one that holds always."""
        rates = [rate for rate in self.fx if rate.currency == code and rate.month in (month, None)]
        return min(rates, key=lambda rate: rate.month is None, default=None)


def period_end(entries: tuple[GpuPrice, ...], index: int) -> date | None:
    """The first day on which an entry no longer holds: its own end, or the next entry's beginning."""
    following = entries[index + 1].start if index + 1 < len(entries) else None
    return entries[index].until or following


def json_schema() -> str:
    """The JSON Schema of a cost file, as editors read it."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Costs.model_json_schema(by_alias=True),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
