"""A month of gateway records, counted by DuckDB: checked, each id once, grouped by pool, team and model.

Three steps: every record is read once into a table of a few columns on disk; ids that stand there twice are
found; the rest is summed. What comes out depends on the records alone, not on the order of files or threads.
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
from sre.metering.sources import TIMES, RecordFile, find, schema, select
from sre.metering.statements import CHECKED, COLUMNS, ORDER, SUMS

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
        with database(limits) as db:
            tell(0, 3, "reading records")
            for statement in _table(db, files):
                db.execute(statement)
            tell(1, 3, "finding duplicates")
            duplicates = _mark_duplicates(db)
            tell(2, 3, "summing up")
            return _sum(db, month, pools, duplicates)
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


def _table(db: Any, files: Sequence[RecordFile]) -> list[str]:
    """CREATE and INSERT for each form of file."""
    statements = [f"CREATE TABLE records ({COLUMNS})"]
    for form in ("json", "parquet"):
        own = [one for one in files if one.form == form]
        if own:
            columns = _parquet_columns(db, own) if form == "parquet" else ()
            source = select(form, own, columns)
            statements.append(f"INSERT INTO records {CHECKED.format(source=source)}")
    return statements


def _parquet_columns(db: Any, files: Sequence[RecordFile]) -> list[str]:
    """Names, with those of the fields of `tokens` behind a point. Raises ``Refused`` for times without a zone."""
    found, names = db.execute(schema(files)).fetchall(), list[str]()
    for name, kind, *_ in found:
        names.append(name)
        names += [TIMES] if (name, kind) == ("time", "TIMESTAMP WITH TIME ZONE") else []
        if name == "time" and kind.startswith("TIMESTAMP") and "TIME ZONE" not in kind:
            raise Refused(
                [
                    Finding(
                        str(files[0].path),
                        f"its times are {kind}, without a time zone",
                        "a record could belong to the month beside",
                        "write them as TIMESTAMPTZ, or as text with Z",
                    )
                ]
            )
        if name == "tokens" and kind.startswith("STRUCT"):
            names += [
                f"tokens.{field}" for field, *_ in db.execute(schema(files, "unnest(tokens)")).fetchall()
            ]
    missing = [name for name in ("id", "time", "outcome") if name not in names]
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
    return names


def _mark_duplicates(db: Any) -> int:
    """Make `counted`, a view of every valid id once; the value is how many records it leaves out.

    Ids are compared by two hashes of 64 bits: two different ids among 50 million are taken for one with a
    probability below 1e-20.
    """
    db.execute(
        "CREATE TEMP TABLE twice AS SELECT h1, h2, count(*) AS n FROM records WHERE bad IS NULL "
        "GROUP BY h1, h2 HAVING count(*) > 1"
    )
    extra = db.execute("SELECT coalesce(sum(n - 1), 0)::BIGINT FROM twice").fetchone()[0]
    once = "SELECT * FROM records WHERE bad IS NULL"
    if extra:
        # Nearly all are the same record twice: those fold cheaply, and only the rest has to be ordered.
        db.execute(
            "CREATE TEMP TABLE several AS SELECT DISTINCT * FROM records SEMI JOIN twice USING (h1, h2) "
            "WHERE bad IS NULL"
        )
        db.execute(
            "CREATE TEMP TABLE unlike AS SELECT h1, h2 FROM several GROUP BY h1, h2 HAVING count(*) > 1"
        )
        db.execute(
            f"CREATE TEMP TABLE first AS SELECT DISTINCT ON (h1, h2) * FROM several SEMI JOIN unlike "
            f"USING (h1, h2) ORDER BY h1, h2, {ORDER}"
        )
        once = (
            "SELECT * FROM records ANTI JOIN twice USING (h1, h2) WHERE bad IS NULL "
            "UNION ALL SELECT * FROM several ANTI JOIN unlike USING (h1, h2) UNION ALL FROM first"
        )
    db.execute(f"CREATE TEMP VIEW counted AS {once}")
    return int(extra)


def _sum(db: Any, month: Month, pools: Pools, duplicates: int) -> Usage:
    invalid = {
        str(reason): int(n)
        for reason, n in db.execute(
            "SELECT bad, count(*) FROM records WHERE bad IS NOT NULL GROUP BY bad"
        ).fetchall()
    }
    read = int(db.execute("SELECT count(*) FROM records").fetchone()[0])
    start, end = (round(moment.timestamp() * 1_000_000) for moment in (month.start, month.end))
    groups = db.execute(
        f"{SUMS} WHERE moment >= {start} AND moment < {end} GROUP BY pool, team, model LIMIT {MOST_GROUPS + 1}"
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
    uses, seen = dict[tuple[str, str, str], Use](), dict[str, tuple[int, int]]()
    inside = 0
    for group in groups:
        inside += group[3]
        _take(group, pools, uses, seen, invalid)
    outside = read - sum(n for reason, n in invalid.items() if reason not in _LATER) - duplicates - inside
    counts = Counts(read, duplicates, outside, dict(sorted(invalid.items())))
    return Usage(
        month.name, "usage", tuple(uses[key] for key in sorted(uses)), counts, seen=dict(sorted(seen.items()))
    )


_LATER = ("no_pool", "unknown_model")
"""Reasons that show only when a record's group is known."""


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
