"""Where the first invalid records stand: the files once more, with the same checks, and the lines counted.

Only a reading that found invalid records needs this: to keep each record's place would slow down all the others.
"""

import gzip
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from sre.finance.bill import TOKEN_CLASSES
from sre.finance.months import Month
from sre.metering.database import Error, Limits, database
from sre.metering.invalid import Invalid
from sre.metering.records import Pools
from sre.metering.sources import RecordFile, find, literal, select
from sre.metering.statements import CHECKED

MOST = 5
"""Places that are told: enough to see what is wrong."""


def first_invalid(
    paths: Sequence[Path], month: Month, pools: Pools, limits: Limits, most: int = MOST
) -> list[Invalid]:
    """The first ones of JSON lines, in the order of the files; rows of Parquet files have no line."""
    with database(limits) as (db, _):
        # Only in its order does the number of a record tell its line.
        db.execute("SET preserve_insertion_order = true")
        return list(islice(_found(db, paths, _reason(month, pools), most), most))


def _found(db: Any, paths: Sequence[Path], reason: str, most: int) -> Iterator[Invalid]:
    for file in find(paths):
        rows = list[tuple[int, str, str]]()
        # The month is refused either way: what cannot be read a second time only goes without its line.
        with suppress(Error):
            rows = db.execute(_query(file, reason, most)).fetchall() if file.form == "json" else []
        lines = _lines(file.path, {number for number, *_ in rows})
        for number, why, model in rows:
            yield Invalid(f"{_named(file.path, paths)}:{lines[number]}", why, model)


def _query(file: RecordFile, reason: str, most: int) -> str:
    checked = CHECKED.format(source=select("json", [file]))
    return (
        f"SELECT number, reason, model FROM (SELECT row_number() OVER () AS number, {reason} AS reason, model "
        f"FROM ({checked})) WHERE reason IS NOT NULL LIMIT {most}"
    )


def _reason(month: Month, pools: Pools) -> str:
    """Why a checked record cannot be billed, what only its group shows included; NULL where it can."""
    start, end = (round(moment.timestamp() * 1_000_000) for moment in (month.start, month.end))
    cases = [f"WHEN bad IS NOT NULL THEN bad WHEN moment < {start} OR moment >= {end} THEN NULL"]
    if pools.models is not None:
        cases.append(f"WHEN model <> '' AND NOT {_among(pools.models)} THEN 'unknown_model'")
    if not pools.only:
        known = _among([model for model, pool in pools.of_model.items() if pool])
        used = f"(ok OR {' + '.join(TOKEN_CLASSES)} > 0)"
        cases.append(f"WHEN pool = '' AND NOT {known} AND {used} THEN 'no_pool'")
    return f"CASE {' '.join(cases)} END"


def _among(models: Any) -> str:
    return f"list_contains([{', '.join(map(literal, sorted(models)))}]::VARCHAR[], model)"


def _lines(path: Path, records: set[int]) -> dict[int, int]:
    """Number of a record -> its line: the reader passes over lines with nothing on them."""
    found, number = dict[int, int](), 0
    if not records:
        return found
    with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
        for line, text in enumerate(file, 1):
            number += bool(text.strip())
            if number in records:
                found.setdefault(number, line)
            if number >= max(records):
                break
    return found


def _named(path: Path, given: Sequence[Path]) -> str:
    """A file as it was named on the command line, or by the folder that was."""
    for one in given:
        whole = one.resolve()
        if path.is_relative_to(whole):
            return str(one / path.relative_to(whole))
    return str(path)
