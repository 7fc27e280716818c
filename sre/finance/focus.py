"""The bill as FOCUS, the FinOps Open Cost and Usage Specification: cost and usage rows of 1.2, and of 1.4.

1.2 is what the official validator can check offline; 1.4 has columns of its own for shares of a cost, which 1.2
carries with the prefix ``x_``. Both files hold the same rows and the same numbers.

Showback invoices nobody, so its BilledCost is 0: an issuer that may not invoice must not add to what is payable
when files are merged (https://focus.finops.org/, BilledCost). Corrections are rows of their own in a later period,
with the charge period of what they correct.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Literal

from sre.finance.bill import IDLE, PLATFORM, UNTAGGED, Bill, Row
from sre.finance.money import Money
from sre.finance.months import Month
from sre.finance.shares import quantity, ratios
from sre.finance.table import inert
from sre.finance.weights import scale_of

Version = Literal["1.2", "1.4"]
FILES: Mapping[Version, str] = {"1.2": "focus.csv", "1.4": "focus-1.4.csv"}

ACCOUNT = "llm-platform"
"""Billing account and provider of every row: the platform that runs the cards."""
_SERVICE = "Self-hosted inference"
_NAMES = {IDLE: "Idle cards", PLATFORM: "Held by the platform", UNTAGGED: "Usage without a team"}


@dataclass(frozen=True)
class _Charge:
    """A row with what its cells are made from; times are written as they stand in the file."""

    row: Row
    bill: Bill
    start: str
    end: str
    billing_start: str
    billing_end: str
    ratio: Decimal
    """Of its origin's cost."""
    scale: int
    """Of weights of tokens."""

    @cached_property
    def category(self) -> str:
        """A correction has the category of what it corrects, which its line tells."""
        kind, line = self.row.kind, self.row.line
        if kind == "correction":
            return "Usage" if line in ("gpus", "power") else "Adjustment"
        # A fixed cost pays for its own month: 1.2 would have a Purchase cover later ones, with an EffectiveCost of 0.
        return {"credit": "Credit", "tax": "Tax", "adjustment": "Adjustment"}.get(kind, "Usage")

    @cached_property
    def cost(self) -> str:
        """With all digits of the currency."""
        return str(self.row.cost)

    @cached_property
    def tags(self) -> str:
        """Whose it is, as JSON."""
        row = self.row
        tags = {"team": row.team, "model": row.model, "pool": row.pool, "line": row.line}
        return _json({name: value for name, value in tags.items() if value})


_json = json.JSONEncoder(sort_keys=True).encode


def focus(bill: Bill, version: Version = "1.2") -> str:
    """All rows with a header (RFC 4180). Costs are plain decimals with all digits of the currency, times are UTC."""
    text = io.StringIO()
    columns = _COLUMNS[version]
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    months = {name: Month(name, bill.timezone) for name in {row.charge_month for row in bill.rows}}
    times = {name: (_instant(month.start), _instant(month.end)) for name, month in months.items()}
    billing = _instant(bill.start), _instant(bill.end)
    parts, scale = ratios(bill), scale_of(bill.weights)
    for row in bill.rows:
        charge = _Charge(row, bill, *times[row.charge_month], *billing, parts[row.id], scale)
        writer.writerow([read(charge) for read in columns.values()])
    return text.getvalue()


def _instant(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _billed(charge: _Charge) -> str:
    return charge.cost if charge.bill.mode == "internal_invoice" else str(Money(0, charge.bill.currency))


def _class(charge: _Charge) -> str:
    return "Correction" if charge.row.kind == "correction" else ""


def _frequency(charge: _Charge) -> str:
    if charge.row.kind == "fixed":
        return "Recurring"
    return "Usage-Based" if charge.category == "Usage" else "One-Time"


def _description(charge: _Charge) -> str:
    row = charge.row
    what = {"used": "used", "wasted": "loaded without a request", "idle": "idle"}[row.state]
    words = f"{row.line} of {row.pool}, {what}" if row.pool else row.line
    return inert(f"{words}; corrects {row.corrects}" if row.corrects else words)


def _quantity(charge: _Charge) -> str:
    """Tokens where the row carries them; 1 month of the service elsewhere, for usage has to have a quantity.

    With a point: readers that guess a column's type would take whole numbers for something else than decimals.
    """
    return f"{charge.row.tokens.total or 1}.0" if _measured(charge) else ""


def _unit(charge: _Charge) -> str:
    unit = "Tokens" if charge.row.tokens.total else "Months"
    return unit if _measured(charge) else ""


def _measured(charge: _Charge) -> bool:
    return charge.category == "Usage" and charge.row.kind != "correction"


def _invoice(charge: _Charge) -> str:
    row = charge.row
    return inert(row.invoice or f"{charge.bill.month}") if charge.bill.mode == "internal_invoice" else ""


def _team(charge: _Charge) -> str:
    return inert(_NAMES.get(charge.row.team, charge.row.team))


def _details(charge: _Charge) -> str:
    """How much of the origin's cost this row is, and by which quantity (1.4, AllocatedMethodDetails)."""
    amount, unit = quantity(charge.row, charge.scale)
    words = (
        f'"AllocatedRatio": {charge.ratio:f}',
        f'"UsageUnit": {json.dumps(unit)}',
        f'"UsageQuantity": {amount:f}',
    )
    return f'{{"Elements": [{{{", ".join(words)}}}]}}'


_SPLIT: Mapping[str, Callable[[_Charge], str]] = {
    "AllocatedMethodId": lambda charge: charge.row.method,
    "AllocatedMethodDetails": _details,
    "AllocatedResourceId": lambda charge: inert(charge.row.pool or charge.row.line),
    "AllocatedResourceName": lambda charge: inert(charge.row.pool or charge.row.line),
    "AllocatedTags": lambda charge: charge.tags,
}
"""Whose cost this row is a share of, and by which method."""

_OWN: Mapping[str, Callable[[_Charge], str]] = {
    "x_RowId": lambda charge: charge.row.id,
    "x_CorrectsRowId": lambda charge: charge.row.corrects,
    "x_CostLine": lambda charge: inert(charge.row.line),
    "x_State": lambda charge: charge.row.state,
    "x_Model": lambda charge: inert(charge.row.model),
    "x_Requests": lambda charge: str(charge.row.requests),
    "x_UncachedInputTokens": lambda charge: str(charge.row.tokens.uncached_input),
    "x_CachedInputTokens": lambda charge: str(charge.row.tokens.cached_input),
    "x_CacheWriteTokens": lambda charge: str(charge.row.tokens.cache_write),
    "x_OutputTokens": lambda charge: str(charge.row.tokens.output),
    "x_ReasoningTokens": lambda charge: str(charge.row.tokens.reasoning),
}
"""What no FOCUS column holds: tokens by class and direction, and where the row stands in the bill."""

_SHARED: Mapping[str, Callable[[_Charge], str]] = {
    "BilledCost": _billed,
    "BillingAccountId": lambda _: ACCOUNT,
    "BillingAccountName": lambda _: ACCOUNT,
    "BillingAccountType": lambda _: "Platform",
    "BillingCurrency": lambda charge: charge.bill.currency.code,
    "BillingPeriodEnd": lambda charge: charge.billing_end,
    "BillingPeriodStart": lambda charge: charge.billing_start,
    "ChargeCategory": lambda charge: charge.category,
    "ChargeClass": _class,
    "ChargeDescription": _description,
    "ChargeFrequency": _frequency,
    "ChargePeriodEnd": lambda charge: charge.end,
    "ChargePeriodStart": lambda charge: charge.start,
    "ConsumedQuantity": _quantity,
    "ConsumedUnit": _unit,
    "ContractedCost": lambda charge: charge.cost,
    "EffectiveCost": lambda charge: charge.cost,
    "InvoiceId": _invoice,
    "InvoiceIssuerName": lambda _: ACCOUNT,
    "ListCost": lambda charge: charge.cost,
    "PricingQuantity": _quantity,
    "PricingUnit": _unit,
    "ResourceId": lambda charge: inert(charge.row.pool),
    "ResourceName": lambda charge: inert(charge.row.pool),
    "ResourceType": lambda charge: "GPU pool" if charge.row.pool else "",
    "ServiceCategory": lambda _: "AI and Machine Learning",
    "ServiceName": lambda _: _SERVICE,
    "ServiceSubcategory": lambda _: "Generative AI",
    "SubAccountId": lambda charge: inert(charge.row.team),
    "SubAccountName": _team,
    "SubAccountType": lambda _: "Team",
    "Tags": lambda charge: charge.tags,
}

_COLUMNS: Mapping[Version, Mapping[str, Callable[[_Charge], str]]] = {
    "1.2": {
        **_SHARED,
        "ProviderName": lambda _: ACCOUNT,
        "PublisherName": lambda _: ACCOUNT,
        **{f"x_{name}": read for name, read in _SPLIT.items()},
        **_OWN,
    },
    # ProviderName and PublisherName are gone in 1.4.
    "1.4": {
        **_SHARED,
        "HostProviderName": lambda _: ACCOUNT,
        "ServiceProviderName": lambda _: ACCOUNT,
        **_SPLIT,
        **_OWN,
    },
}
