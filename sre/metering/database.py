"""The only file that imports DuckDB: a database of its own for one reading, bounded in memory, gone afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from sre.findings import Finding, Refused

Error = duckdb.Error


@dataclass(frozen=True)
class Limits:
    """What a reading may use: memory such as ``3GB``, a folder for what does not fit, threads (None: all cores)."""

    memory: str = "3GB"
    folder: Path | None = None
    threads: int | None = None


@contextmanager
def database(limits: Limits) -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """A database and the temporary folder that it spills into. Raises ``Refused`` for limits it cannot keep.

    No extension is loaded or fetched, and nothing but the files that are named to it is read.
    """
    try:
        folder = TemporaryDirectory(prefix="sre-chargeback-", dir=limits.folder)
    except OSError as error:
        raise Refused(
            [
                Finding(
                    str(limits.folder),
                    f"cannot hold temporary files: {error.strerror}",
                    "a month of records is larger than memory",
                    "name a folder with room with --temp-dir",
                )
            ]
        ) from None
    with folder as path:
        options: dict[str, Any] = {
            "memory_limit": limits.memory,
            "temp_directory": path,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        if limits.threads:
            options["threads"] = limits.threads
        try:
            connection = duckdb.connect(":memory:", config=options)
        except duckdb.Error as error:
            raise Refused(
                [
                    Finding(
                        "--memory",
                        f"the database does not start: {words(error)}",
                        "",
                        "write an amount like 3GB",
                    )
                ]
            ) from None
        try:
            # Times of Parquet files pass through text, which is in the session's zone.
            connection.execute("SET TimeZone = 'UTC'")
            yield connection, Path(path)
        finally:
            connection.close()


def words(error: duckdb.Error) -> str:
    """Its first line, on one line, of bounded length: the rest repeats the query."""
    first = str(error).partition("\n")[0]
    return "".join(c if c.isprintable() else " " for c in first)[:300]
