"""The bill as JSON and back: every row with its exact numbers, for comparisons, corrections and explanations."""

import json
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from sre.finance.bill import ROW_TEXTS, TOKEN_CLASSES, Bill, Coverage, Invoice, Row, Tokens
from sre.finance.money import Currency, Money, currency, parse_money
from sre.findings import Finding, Refused

VERSION = 1
_TEXTS = ("id", *ROW_TEXTS, "corrects")
_NUMBERS = ("requests", "successful_requests", "weight", "weight_of")
_PLAIN = ("month", "timezone", "mode", "idle_policy", "source", "rate_card", "tool")


def bill_to_json(bill: Bill) -> str:
    """Canonical: one row a line, the same text for the same bill."""
    head = {
        "version": VERSION, **{name: getattr(bill, name) for name in _PLAIN}, "currency": bill.currency.code,
        "start": bill.start.isoformat(), "end": bill.end.isoformat(), "total": str(bill.total),
        "corrections": str(bill.corrections), "invoices": [_invoice(one) for one in bill.invoices],
        "weights": {model: {name: str(w) for name, w in card.items()} for model, card in bill.weights.items()},
        "coverage": {one.name: _text(getattr(bill.coverage, one.name)) for one in fields(Coverage)},
        "budgets": {team: str(cost) for team, cost in bill.budgets.items()},
        "previous": None if bill.previous is None else {team: str(cost) for team, cost in bill.previous.items()},
        "notes": list(bill.notes),
    }  # fmt: skip
    rows = ",\n  ".join(_one(_row(row)) for row in bill.rows)
    return f'{_one(head)[:-1]},"rows":[\n  {rows}\n]}}\n' if bill.rows else f'{_one(head)[:-1]},"rows":[]}}\n'


def bill_from_json(text: str, where: str) -> Bill:
    """The inverse. Raises ``Refused`` for anything that ``bill_to_json`` does not write."""
    try:
        data = json.loads(text)
        if data["version"] != VERSION:
            raise ValueError("of another version")
        return _bill(data)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Refused([Finding(where, f"is not a bill: {error}", "nothing can be compared with it",
                               "name a folder that `sre chargeback build` has written")]) from None  # fmt: skip


def _bill(data: dict[str, Any]) -> Bill:
    unit = currency(data["currency"])

    def amounts(given: dict[str, str]) -> dict[str, Money]:
        return {team: parse_money(cost, unit) for team, cost in given.items()}

    return Bill(
        **{name: data[name] for name in _PLAIN}, currency=unit, start=datetime.fromisoformat(data["start"]),
        end=datetime.fromisoformat(data["end"]), rows=tuple(_read_row(row, unit) for row in data["rows"]),
        total=parse_money(data["total"], unit), corrections=parse_money(data["corrections"], unit),
        invoices=tuple(_read_invoice(one, unit) for one in data["invoices"]),
        weights={model: {name: Decimal(w) for name, w in card.items()} for model, card in data["weights"].items()},
        coverage=Coverage(**{name: _number(share) for name, share in data["coverage"].items()}),
        budgets=amounts(data["budgets"]), notes=tuple(data["notes"]),
        previous=None if data["previous"] is None else amounts(data["previous"]),
    )  # fmt: skip


def _row(row: Row) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in (*_TEXTS, *_NUMBERS)}
    return {**values, "cost": str(row.cost), "tokens": list(row.tokens.by_class().values())}


def _read_row(data: dict[str, Any], unit: Currency) -> Row:
    if len(data["tokens"]) != len(TOKEN_CLASSES):
        raise ValueError("a row has other token classes")
    values = {name: data[name] for name in (*_TEXTS, *_NUMBERS)}
    return Row(**values, cost=parse_money(data["cost"], unit), tokens=Tokens(*data["tokens"]))


def _invoice(one: Invoice) -> dict[str, Any]:
    return {
        "id": one.id, "issuer": one.issuer, "currency": one.lines.currency.code, "stated": _text(one.stated),
        "lines": str(one.lines), "billed": str(one.billed), "rate": str(one.rate),
        "rate_source": one.rate_source, "rate_date": one.rate_date,
    }  # fmt: skip


def _read_invoice(data: dict[str, Any], home: Currency) -> Invoice:
    unit = currency(data["currency"])
    stated = None if data["stated"] is None else parse_money(data["stated"], unit)
    lines, billed = parse_money(data["lines"], unit), parse_money(data["billed"], home)
    rate = (Decimal(data["rate"]), data["rate_source"], data["rate_date"])
    return Invoice(data["id"], data["issuer"], stated, lines, billed, *rate)


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _one(data: object) -> str:
    return json.dumps(data, ensure_ascii=True, separators=(",", ":"))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
