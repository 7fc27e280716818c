"""The bill's rows as Parquet, with costs as decimals: for warehouses that would make floats of a CSV."""

import json
from collections.abc import Iterator
from pathlib import Path

from sre.finance.bill import ROW_TEXTS, TOKEN_CLASSES, Bill, Row
from sre.metering.database import Limits, database

FILE = "chargeback.parquet"

# 38 digits are what DuckDB, Spark and BigQuery keep alike; 12 behind the point hold any currency's minor unit.
_COST = "DECIMAL(38, 12)"
_WEIGHT = "DECIMAL(38, 0)"
_TEXTS = (*ROW_TEXTS, "id", "corrects")
_COUNTS = ("requests", "successful_requests", *(f"{name}_tokens" for name in TOKEN_CLASSES))


def parquet(bill: Bill) -> bytes:
    """One file; the same rows give the same bytes for the same release of DuckDB."""
    kinds = _kinds()
    texts = ", ".join(f"\"{name}\": 'VARCHAR'" for name in kinds)
    cells = ", ".join(f'CAST("{name}" AS {kind}) AS "{name}"' for name, kind in kinds.items())
    # It writes to files only, and reads a file a thousand times faster than rows one by one.
    with database(Limits(threads=1)) as (base, folder):
        source, path = folder / "rows.jsonl", folder / FILE
        with source.open("w", encoding="ascii") as file:
            file.writelines(
                json.dumps(dict(zip(kinds, _cells(row), strict=True))) + "\n" for row in bill.rows
            )
        base.execute("SET preserve_insertion_order = true")
        rows = f"read_json({_quoted(source)}, columns = {{{texts}}}, format = 'newline_delimited')"
        query = f"COPY (SELECT {cells} FROM {rows}) TO {_quoted(path)} (FORMAT parquet, COMPRESSION zstd)"
        base.execute(query)
        return path.read_bytes()


def _kinds() -> dict[str, str]:
    """Column -> its type."""
    return {
        **dict.fromkeys(_TEXTS, "VARCHAR"), "currency": "VARCHAR", "cost": _COST,
        **dict.fromkeys(_COUNTS, "BIGINT"), "weight": _WEIGHT, "weight_of": _WEIGHT,
    }  # fmt: skip


def _quoted(path: Path) -> str:
    text = str(path).replace("'", "''")
    return f"'{text}'"


def _cells(row: Row) -> Iterator[str]:
    """As text: a number would pass through a float."""
    yield from (getattr(row, name) for name in _TEXTS)
    yield row.cost.currency.code
    numbers = (
        row.cost.amount, row.requests, row.successful_requests, *row.tokens.by_class().values(),
        row.weight, row.weight_of,
    )  # fmt: skip
    yield from map(str, numbers)
