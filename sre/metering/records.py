"""A month of gateway records, counted by DuckDB: checked, each id once, grouped by pool, team and model.

Three steps: JSON is read once, into a Parquet file of a few columns; ids that stand in the records twice are found;
the rest is summed. Parquet can be scanned again for each step, which costs less than a copy of it. What comes out
depends on the records alone, not on the order of files or threads.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sre.finance.bill import Tokens
from sre.finance.months import Month
from sre.finance.usage import Counts, Usage, Use, team_of
from sre.findings import Finding, Refused
from sre.metering.database import Error, Limits, database, words
from sre.metering.duplicates import LeftOut, leave_out_duplicates
from sre.metering.sources import MOMENT, RecordFile, find, literal, schema, select
from sre.metering.statements import CHECKED, SUMS

Tell = Callable[[int, int, str], None]
"""Called with (steps done, of, what is being done)."""

MOST_GROUPS = 200_000
"""Pools x teams x models beyond this are no teams: a gateway sends users or keys instead."""


@dataclass(frozen=True)
class Pools:
    """Where a record without a pool belongs, and which models can be billed; None takes any."""

    of_model: Mapping[str, str]
    only: str = ""
    """The one pool there is; empty where there are several."""
    models: Collection[str] | None = None

    def find(self, pool: str, model: str) -> str:
        """The pool of a record, or nothing."""
        return pool or self.of_model.get(model, "") or self.only


def read_records(
    paths: Sequence[Path], month: Month, pools: Pools, limits: Limits, tell: Tell = lambda *_: None
) -> Usage:
    """The usage in the files. Raises ``Refused`` for files that cannot be read, never for a single record."""
    files = find(paths)
    try:
        with database(limits) as (db, folder):
            tell(0, 3, "reading records")
            _show_records(db, files, folder)
            tell(1, 3, "finding duplicates")
            left_out = leave_out_duplicates(db)
            tell(2, 3, "summing up")
            return _sum(db, month, pools, left_out)
    except Error as error:
        raise Refused(
            [
                Finding(
                    "--usage",
                    f"the records cannot be read: {words(error)}",
                    "half a month would be billed as a whole one",
                    "mend or leave out the file; more room is given with --temp-dir and --memory",
                )
            ]
        ) from None


def _show_records(db: Any, files: Sequence[RecordFile], folder: Path) -> None:
    """Make `records`, a view of all of them, checked."""
    shown = list[str]()
    if own := [one for one in files if one.form == "json"]:
        copy, checked = literal(str(folder / "records.parquet")), CHECKED.format(source=select("json", own))
        # Ids and times would only fill a dictionary in vain.
        db.execute(f"COPY ({checked}) TO {copy} (FORMAT parquet, DICTIONARY_SIZE_LIMIT 2000)")
        shown.append(f"SELECT * FROM read_parquet({copy})")
    if own := [one for one in files if one.form == "parquet"]:
        shown.append(CHECKED.format(source=select("parquet", own, _parquet_columns(db, own))))
    db.execute(f"CREATE TEMP VIEW records AS {' UNION ALL '.join(shown)}")


def _parquet_columns(db: Any, files: Sequence[RecordFile]) -> dict[str, str]:
    """Name -> type, with the fields of `tokens` behind a point. Raises ``Refused`` for times without a zone."""
    columns = {name: kind for name, kind, *_ in db.execute(schema(files)).fetchall()}
    time = columns.get("time", "")
    if time.startswith("TIMESTAMP") and time != MOMENT:
        raise Refused(
            [
                Finding(
                    str(files[0].path),
                    f"its times are {time}, without a time zone",
                    "a record could belong to the month beside",
                    "write them as TIMESTAMPTZ, or as text with Z",
                )
            ]
        )
    if columns.get("tokens", "").startswith("STRUCT"):
        inside = db.execute(schema(files, "unnest(tokens)")).fetchall()
        columns |= {f"tokens.{name}": kind for name, kind, *_ in inside}
    missing = [name for name in ("id", "time", "outcome") if name not in columns]
    if missing:
        raise Refused(
            [
                Finding(
                    str(files[0].path),
                    f"it has no column {', '.join(missing)}",
                    "these are not usage records",
                    "write the columns of the usage record",
                )
            ]
        )
    return columns


_INSIDE, _OUTSIDE = "", "outside"
"""What became of a record; else why it is invalid."""


def _sum(db: Any, month: Month, pools: Pools, left_out: LeftOut) -> Usage:
    invalid, outside = dict(left_out.invalid), 0
    uses, seen = dict[tuple[str, str, str], Use](), dict[str, tuple[int, int]]()
    read = left_out.duplicates + sum(invalid.values())
    for fate, *group in _groups(db, month):
        read += group[3]
        if fate == _INSIDE:
            _take(group, pools, uses, seen, invalid)
        elif fate == _OUTSIDE:
            outside += group[3]
        else:
            invalid[fate] = invalid.get(fate, 0) + group[3]
    counts = Counts(read, left_out.duplicates, outside, dict(sorted(invalid.items())))
    return Usage(
        month.name, "usage", tuple(uses[key] for key in sorted(uses)), counts, seen=dict(sorted(seen.items()))
    )


def _groups(db: Any, month: Month) -> Sequence[Sequence[Any]]:
    """Sums by what became of the records, and where they are billed by pool, team and model. Raises ``Refused``."""
    start, end = (round(moment.timestamp() * 1_000_000) for moment in (month.start, month.end))
    names = ", ".join(
        f"CASE WHEN fate = '{_INSIDE}' THEN {name} ELSE '' END AS {name}"
        for name in ("pool", "team", "model")
    )
    fate = f"coalesce(bad, CASE WHEN moment >= {start} AND moment < {end} THEN '{_INSIDE}' ELSE '{_OUTSIDE}' END)"
    groups = db.execute(
        f"SELECT fate, {SUMS} FROM (SELECT * REPLACE ({names}) FROM (SELECT *, {fate} AS fate FROM counted)) "
        f"GROUP BY fate, pool, team, model LIMIT {MOST_GROUPS + 1}"
    ).fetchall()
    if len(groups) > MOST_GROUPS:
        raise Refused(
            [
                Finding(
                    "--usage",
                    f"there are more than {MOST_GROUPS} pairs of team and model",
                    "a bill of so many parties is none that anybody pays; are users or keys sent as teams?",
                    "let the gateway send the team",
                )
            ]
        )
    return list(groups)


def _take(
    group: Sequence[Any], pools: Pools, uses: dict[tuple[str, str, str], Use], seen: dict[str, tuple[int, int]],
    invalid: dict[str, int],
) -> None:  # fmt: skip
    written, name, model, requests, good = group[:5]
    tokens, failed = Tokens(*map(int, group[5:10])), Tokens(*map(int, group[10:15]))
    pool, team = pools.find(written, model), team_of(name)
    reason = _unusable(pool, model, good, tokens, pools)
    if reason:
        invalid[reason] = invalid.get(reason, 0) + int(requests)
        return
    key, before = (pool, team, model), uses.get((pool, team, model))
    use = Use(*key, int(requests), int(good), tokens, int(group[15]), failed)
    uses[key] = added(before, use) if before else use
    first, last = int(group[16]) // 1_000_000, int(group[17]) // 1_000_000
    if pool:
        old = seen.get(pool, (first, last))
        seen[pool] = (min(first, old[0]), max(last, old[1]))


def _unusable(pool: str, model: str, good: int, tokens: Tokens, pools: Pools) -> str:
    if pools.models is not None and model and model not in pools.models:
        return "unknown_model"
    # A failed request may lack all of it; it counts, and costs nothing.
    return "no_pool" if not pool and (good or tokens.total) else ""


def added(a: Use, b: Use) -> Use:
    """Two uses of the same pool, team and model as one."""
    return Use(
        a.pool,
        a.team,
        a.model,
        a.requests + b.requests,
        a.successful_requests + b.successful_requests,
        a.tokens + b.tokens,
        a.request_microseconds + b.request_microseconds,
        a.failed_tokens + b.failed_tokens,
    )
