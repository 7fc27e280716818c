"""What a cost file says, as frozen models: reader, JSON Schema and error texts all come from here."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field
from pydantic.config import JsonDict

from sre.explain import objection
from sre.finance.bill import TOKEN_CLASSES, IdlePolicy, Mode
from sre.finance.costs.parts import (
    Adjustment,
    Credit,
    Fallback,
    FixedCost,
    GpuPrice,
    InvoiceTerms,
    Part,
    Power,
    Rate,
    Tax,
)
from sre.finance.costs.values import CurrencyCode, Price, Share
from sre.finance.money import Currency, currency
from sre.fleet.hours import Zone
from sre.fleet.values import Count, Name, Whole
from sre.source import suggest

__all__ = ("Costs", "GpuPrice", "Measure", "json_schema")

Measure = Literal["tokens", "requests", "gpu_seconds"]
TokenClass = Literal["uncached_input", "cached_input", "cache_write", "output", "reasoning"]


def _token_class(name: object) -> object:
    if isinstance(name, str) and name not in TOKEN_CLASSES:
        raise objection(
            "unknown key", suggest(name, TOKEN_CLASSES), "token classes are disjoint and have one spelling"
        )
    return name


ClassName = Annotated[TokenClass, BeforeValidator(_token_class)]
"""A token class as the key of a mapping that a person writes."""


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


class Costs(Part):
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
    rate_card: dict[Name, dict[ClassName, Price]] = Field(
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


def json_schema() -> str:
    """The JSON Schema of a cost file, as editors read it."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Costs.model_json_schema(by_alias=True),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
