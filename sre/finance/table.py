"""The bill as CSV (RFC 4180), and as the variant that spreadsheets of a locale open with a double click."""

import csv
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from sre.finance.bill import TOKEN_CLASSES, Bill, Row

Locale = Literal["en", "de"]

_FORMULA = re.compile(r"^[\s\x00-\x1f]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]")
"""What a spreadsheet may take for a formula (OWASP, CSV Injection), full-width signs too."""


@dataclass(frozen=True)
class Dialect:
    """How a table is written: ``start`` are the bytes before it, ``point`` the decimal sign of money."""

    delimiter: str
    point: str
    start: str = ""


DIALECTS: Mapping[Locale, Dialect] = {
    "en": Dialect(",", "."),
    # Excel of such a locale reads a comma as the decimal sign, and UTF-8 only behind a byte order mark.
    "de": Dialect(";", ",", "\ufeff"),
}


@lru_cache(maxsize=1 << 16)
def inert(text: str) -> str:
    """Text that no spreadsheet runs: an apostrophe goes before what could begin a formula, as OWASP advises.

    Control characters, which could hide such a beginning or break the line, become the mark of a lost letter.
    """
    plain = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return f"'{plain}" if _FORMULA.match(text) or _FORMULA.match(plain) else plain


_COLUMNS: Mapping[str, Callable[[Row], str | int]] = {
    "month": lambda row: row.month,
    "team": lambda row: inert(row.team),
    "model": lambda row: inert(row.model),
    "pool": lambda row: inert(row.pool),
    "kind": lambda row: row.kind,
    "line": lambda row: inert(row.line),
    "state": lambda row: row.state,
    "currency": lambda row: row.cost.currency.code,
    "cost": lambda row: str(row.cost),
    "requests": lambda row: row.requests,
    "successful_requests": lambda row: row.successful_requests,
    **{f"{name}_tokens": lambda row, name=name: getattr(row.tokens, name) for name in TOKEN_CLASSES},  # type: ignore[misc]
    "invoice": lambda row: inert(row.invoice),
    "charge_month": lambda row: row.charge_month,
    "method": lambda row: row.method,
    "weight": lambda row: row.weight,
    "weight_of": lambda row: row.weight_of,
    "row_id": lambda row: row.id,
    "corrects": lambda row: row.corrects,
}


def table(bill: Bill, locale: Locale = "en") -> str:
    """All rows with a header, lines ending in CRLF. Money has the currency's digits and no separators."""
    dialect = DIALECTS[locale]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=dialect.delimiter, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for row in bill.rows:
        cells = {name: read(row) for name, read in _COLUMNS.items()}
        cells["cost"] = str(cells["cost"]).replace(".", dialect.point)
        writer.writerow(cells.values())
    return dialect.start + text.getvalue()
