"""The price file: what APIs ask for, what is asked of them in a month, and what one's own cards can do.

Nothing in it has a default that decides the answer: a price, a volume or a speed that nobody wrote is an error.
"""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sre.explain import explain
from sre.finance.costs.model import ClassName
from sre.finance.costs.values import CurrencyCode, Price
from sre.findings import Finding, Refused
from sre.fleet.hours import Day
from sre.fleet.values import Name, Text
from sre.source import Source, read, show

MILLION = 1_000_000


_Counted = Annotated[int, Field(strict=True, ge=0, le=10**15)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Exchange(_Part):
    """What one unit of the price file's currency is in that of the cost file."""

    rate: Price = Field(
        gt=0, description="the cost file's currency for one unit of this one", examples=["0.9231"]
    )
    source: Text = Field(min_length=1, description="who says so", examples=["ECB reference rate"])
    date: Day = Field(description="of which day it is", examples=["2026-10-30"])


class Api(_Part):
    """What one API asks for."""

    name: Name = Field(description="what it is called in the answer", examples=["gpt-4o"])
    per_million: dict[ClassName, Price] = Field(
        min_length=1,
        description="price of a million tokens of each class",
        examples=[{"uncached_input": "2.50", "cached_input": "1.25", "output": "10.00"}],
    )
    source: Text = Field(
        min_length=1, description="where the price stands", examples=["the provider's price page"]
    )
    date: Day = Field(description="of which day it is", examples=["2026-11-01"])


class Capacity(_Part):
    """What all cards of the pools make together when they are full, as it was measured under such a mix."""

    tokens_per_second: Price = Field(
        gt=0, description="at full load, all replicas together", examples=["2400"]
    )
    of: Literal["output", "total"] = Field("output", description="which tokens were counted: replies, or all")
    source: Text = Field(
        min_length=1, description="how it was measured", examples=["vllm bench serve, 2026-10-12"]
    )


class Prices(_Part):
    """Everything that the comparison needs beside the cost file."""

    version: Literal[1] = Field(description="the version of this format", examples=[1])
    currency: CurrencyCode = Field(
        description="of all prices in this file, an ISO 4217 code", examples=["USD"]
    )
    exchange: Exchange | None = Field(None, description="needed where the cost file has another currency")
    apis: tuple[Api, ...] = Field(min_length=1, description="the APIs that are compared")
    workload: dict[ClassName, _Counted] = Field(
        min_length=1,
        description="tokens of a month by class: what is asked for, and in which mix",
        examples=[{"uncached_input": 85_000_000, "output": 22_000_000}],
    )
    requests: _Counted | None = Field(
        None, description="requests of that month, to speak of requests as well"
    )
    capacity: Capacity = Field(description="what the cards can do")
    marginal: Price = Field(
        Decimal(0),
        description="what a million tokens of one's own cost beside the month's costs, in the cost file's currency",
    )

    @property
    def tokens(self) -> int:
        """Of a month, all classes together."""
        return sum(self.workload.values())


def load(path: Path, home: str) -> Prices:
    """The file; ``home`` is the currency of the cost file. Raises ``Refused`` with every error."""
    source = read(path)
    try:
        prices = Prices.model_validate(source.data)
    except ValidationError as error:
        raise Refused(explain(error, source, Prices)) from None
    if found := list(_check(prices, home, source)):
        raise Refused(found)
    return prices


def _check(prices: Prices, home: str, source: Source) -> list[Finding]:
    found = list[Finding]()
    if not prices.tokens:
        found.append(
            source.finding(
                ("workload",),
                "there is no token in the workload",
                "there is nothing to compare",
                "write the tokens of a month",
            )
        )
    if prices.currency != home and not prices.exchange:
        found.append(source.finding(
            ("currency",), f"prices are in {prices.currency} and costs in {home}", "they cannot be compared",
            'add `exchange: {rate: "...", source: ..., date: ...}`',
        ))  # fmt: skip
    if prices.currency == home and prices.exchange and prices.exchange.rate != 1:
        found.append(
            source.finding(
                ("exchange", "rate"),
                f"prices and costs are both in {home}",
                "a rate would change the prices",
                "leave it out",
            )
        )
    if prices.capacity.of == "output" and not replies(prices):
        found.append(
            source.finding(
                ("capacity", "of"),
                "the workload has no replies, and capacity counts replies",
                "full cards could not be told",
                "write `of: total`",
            )
        )
    used = {name for name, count in prices.workload.items() if count}
    for index, api in enumerate(prices.apis):
        if missing := sorted(used - set(api.per_million)):
            found.append(source.finding(
                ("apis", index, "per_million"), f"{show(api.name)} has no price for {', '.join(missing)}",
                "the workload has such tokens, and they would be free of charge",
                "add it; a class that is not billed apart has the price of another",
            ))  # fmt: skip
        if api.name in {other.name for other in prices.apis[:index]}:
            found.append(
                source.finding(
                    ("apis", index, "name"),
                    f"{show(api.name)} stands here twice",
                    "nobody could tell them apart",
                    "give each its own name",
                )
            )
    return found


def replies(prices: Prices) -> int:
    """Tokens of replies in the workload: what ``capacity: {of: output}`` counts."""
    return sum(prices.workload.get(name, 0) for name in ("output", "reasoning"))
