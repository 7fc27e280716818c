"""The files behind `--usage`: JSON lines, gzipped or not, and Parquet, each as one SELECT of plain columns."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sre.finance.bill import TOKEN_CLASSES
from sre.findings import Finding, Refused
from sre.metering.statements import TEXT_MOMENT

_ENDINGS = (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz", ".parquet")
_PARQUET = b"PAR1"
MIXED = ("input", "input_tokens", "prompt_tokens", "output_tokens", "completion_tokens")
"""What other formats call sums of classes: in our `tokens` they would be counted twice, or dropped unseen."""
MOMENT = "TIMESTAMP WITH TIME ZONE"
"""The type of a Parquet file's times that are moments, not text."""
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
"""Types whose numbers are whole and exact as they are: to make floats of them, and whole ones again, takes as long as
the rest of the check."""
_TEXTS = ("id", "time", "team", "model", "pool", "outcome")


@dataclass(frozen=True)
class RecordFile:
    """One file of usage records."""

    path: Path
    form: Literal["json", "parquet"]


def find(paths: Iterable[Path]) -> list[RecordFile]:
    """The files that are named, and those in folders that are named, each once, in the order of their names.

    Raises ``Refused`` for what is not there, and for a folder without any.
    """
    found, findings = set[Path](), list[Finding]()
    for path in paths:
        inside = sorted(p for p in path.rglob("*") if p.name.endswith(_ENDINGS)) if path.is_dir() else [path]
        findings += [] if inside else [_nothing(path)]
        found |= {one.resolve() for one in inside}
    files, wrong = list[RecordFile](), findings
    for path in sorted(found):
        try:
            files.append(RecordFile(path, "parquet" if _head(path) == _PARQUET else "json"))
        except OSError as error:
            wrong.append(
                Finding(
                    str(path),
                    f"cannot be read: {error.strerror}",
                    "its usage would be free of charge",
                    "check path and permissions",
                )
            )
    if wrong:
        raise Refused(wrong)
    return files


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def select(
    form: Literal["json", "parquet"], files: Sequence[RecordFile], columns: Mapping[str, str] | None = None
) -> str:
    """A SELECT of id, time, team, model, pool, outcome, tokens and seconds from files of one form.

    ``columns`` are those of the Parquet files, name -> type.
    """
    listed = "[" + ", ".join(literal(_unglobbed(str(one.path))) for one in files) + "]"
    if form == "parquet":
        return _from_parquet(listed, columns or {})
    tokens = ", ".join(f'"{name}" VARCHAR' for name in (*TOKEN_CLASSES, *MIXED))
    shape = ", ".join(
        [
            *(f"{name}: 'VARCHAR'" for name in _TEXTS),
            f"tokens: 'STRUCT({tokens})'",
            "duration_seconds: 'DOUBLE'",
        ]
    )
    return (
        f"SELECT {', '.join(_TEXTS)}, {TEXT_MOMENT} AS moment, {_fields()}, duration_seconds "
        f"FROM read_json({listed}, columns = {{{shape}}}, format = 'newline_delimited', ignore_errors = true)"
    )


def schema(files: Sequence[RecordFile], what: str = "*") -> str:
    """The query for the columns of Parquet files; files that differ are brought together by name."""
    listed = "[" + ", ".join(literal(_unglobbed(str(one.path))) for one in files) + "]"
    return f"DESCRIBE SELECT {what} FROM read_parquet({listed}, union_by_name = true)"


def literal(text: str) -> str:
    """Text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def _from_parquet(listed: str, columns: Mapping[str, str]) -> str:
    """Tokens are a struct, as in the record, or flat columns as in our own CSV: `output_tokens`."""
    texts = ", ".join(_text(name, columns) for name in _TEXTS)
    struct = {name.partition(".")[2]: kind for name, kind in columns.items() if name.startswith("tokens.")}
    tokens = _fields(struct) if "tokens" in columns else _flat(columns)
    seconds = 'CAST("duration_seconds" AS DOUBLE)' if "duration_seconds" in columns else "NULL::DOUBLE"
    source = f"read_parquet({listed}, union_by_name = true)"
    moment = 'epoch_us("time")' if columns.get("time") == MOMENT else TEXT_MOMENT
    return f"SELECT {texts}, {moment} AS moment, {tokens}, {seconds} AS duration_seconds FROM {source}"


def _flat(columns: Mapping[str, str]) -> str:
    def number(name: str) -> str:
        kind = columns.get(f"{name}_tokens")
        return "NULL::BIGINT" if kind is None else _number(f'"{name}_tokens"', kind, "CAST")

    classes = ", ".join(f"{number(name)} AS {name}" for name in TOKEN_CLASSES)
    return f"{classes}, NULL::DOUBLE AS mixed, NULL::DOUBLE AS mixed_input, false AS broken"


def _text(name: str, columns: Mapping[str, str]) -> str:
    if name == "time" and columns.get("time") == MOMENT:
        # Only whether it is there matters: as text, it would be written and read again for nothing.
        return "CASE WHEN \"time\" IS NOT NULL THEN '' END AS time"
    return f'CAST("{name}" AS VARCHAR) AS {name}' if name in columns else f"NULL::VARCHAR AS {name}"


def _number(cell: str, kind: str, cast: str = "TRY_CAST") -> str:
    return f"{cell}::BIGINT" if kind in _WHOLE else f"{cast}({cell} AS DOUBLE)"


def _fields(kinds: Mapping[str, str] | None = None) -> str:
    """The classes out of the struct `tokens`; ``kinds`` are the types of its fields, None for text in all.

    ``broken`` is true where a class is there and no number: it must not count as if it were missing.
    """

    def kind(name: str) -> str | None:
        return "VARCHAR" if kinds is None else kinds.get(name)

    def number(name: str) -> str:
        known = kind(name)
        return "NULL::BIGINT" if known is None else _number(f'tokens."{name}"', known)

    doubtful = [name for name in TOKEN_CLASSES if kind(name) not in (None, *_WHOLE)]
    broken = [f'(tokens."{name}" IS NOT NULL AND {number(name)} IS NULL)' for name in doubtful]
    classes = ", ".join(f"{number(name)} AS {name}" for name in TOKEN_CLASSES)
    mixed = ", ".join(number(name) for name in MIXED)
    inputs = ", ".join(number(name) for name in ("input", "input_tokens", "prompt_tokens"))
    return (
        f"{classes}, coalesce({mixed}) AS mixed, coalesce({inputs}) AS mixed_input, "
        f"{' OR '.join(broken) or 'false'} AS broken"
    )


def _unglobbed(path: str) -> str:
    """DuckDB reads patterns; a file's own brackets and stars are no pattern."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def _nothing(path: Path) -> Finding:
    return Finding(
        str(path),
        "the folder holds no usage records",
        "the month would be free of charge",
        f"name files, or a folder with files that end in {', '.join(_ENDINGS)}",
    )
