"""The report as a table for machines and spreadsheets: one row for each card and pool (RFC 4180)."""

import csv
import io

from sre.idle.report import CardLine
from sre.idle.states import STATES, idle_hours
from sre.idle.told import Told

_COLUMNS = (
    "uuid",
    "mig",
    "pool",
    "owner",
    "type",
    "host",
    "gpu",
    "signal",
    *STATES,
    "total",
    "idle_in_business_hours",
)
_ACTIVE = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def as_csv(told: Told) -> str:
    """Hours by state; what nobody saw has a row for each pool without a UUID, so that columns add up to the totals."""
    into = io.StringIO()
    rows = csv.writer(into)
    rows.writerow(_COLUMNS)
    for card in (*told.report.cards, *told.report.unseen):
        rows.writerow(_row(card))
    return into.getvalue()


def _row(card: CardLine) -> list[str]:
    texts = (card.uuid, card.mig, card.pool, card.owner, card.kind, card.host, card.gpu, card.signal)
    hours = card.hours
    told = (str(hours[name]) for name in (*STATES, "total"))
    return [*map(inert, texts), *told, str(idle_hours(card.business))]


def inert(text: str) -> str:
    """Names come from outside: none of them is a formula."""
    return f"'{text}" if text.startswith(_ACTIVE) else text
