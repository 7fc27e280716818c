"""The bill's rows as Parquet, with costs as decimals: for warehouses that would make floats of a CSV."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from sre.finance.bill import TOKEN_CLASSES, Bill, Row

FILE = "chargeback.parquet"

# 38 digits are what DuckDB, Spark and BigQuery keep alike; 12 behind the point hold any currency's minor unit.
_COST = "DECIMAL(38, 12)"
_WEIGHT = "DECIMAL(38, 0)"
_TEXTS = (
    "month",
    "charge_month",
    "invoice",
    "line",
    "kind",
    "state",
    "team",
    "model",
    "pool",
    "method",
    "id",
    "corrects",
)
_COUNTS = ("requests", "successful_requests", *(f"{name}_tokens" for name in TOKEN_CLASSES))


def parquet(bill: Bill) -> bytes:
    """One file; the same rows give the same bytes for the same release of DuckDB."""
    import duckdb

    columns = [f'"{name}" VARCHAR NOT NULL' for name in _TEXTS]
    columns += ["currency VARCHAR NOT NULL", f"cost {_COST} NOT NULL"]
    columns += [f'"{name}" BIGINT NOT NULL' for name in _COUNTS]
    columns += [f"weight {_WEIGHT} NOT NULL", f"weight_of {_WEIGHT} NOT NULL"]
    # It can write to files only.
    with tempfile.TemporaryDirectory(prefix="sre-parquet-") as folder, duckdb.connect() as base:
        base.execute("SET threads = 1")
        base.execute(f"CREATE TABLE rows ({', '.join(columns)})")
        if bill.rows:
            marks = ", ".join("?" * len(columns))
            base.executemany(f"INSERT INTO rows VALUES ({marks})", [list(_cells(row)) for row in bill.rows])  # noqa: S608 - marks are question marks
        path = Path(folder) / FILE
        quoted = str(path).replace("'", "''")
        base.execute(f"COPY rows TO '{quoted}' (FORMAT parquet, COMPRESSION zstd)")
        return path.read_bytes()


def _cells(row: Row) -> Iterator[object]:
    yield from (getattr(row, name) for name in _TEXTS)
    yield row.cost.currency.code
    yield row.cost.amount
    yield row.requests
    yield row.successful_requests
    yield from row.tokens.by_class().values()
    yield row.weight
    yield row.weight_of
