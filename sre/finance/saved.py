"""Measured usage as JSON and back: what a bill was computed from, in a form that a later check can read.

The text is canonical: sorted, whole numbers only, the same for the same usage.
"""

import json
from dataclasses import asdict, replace
from typing import Any

from sre.finance.bill import Tokens
from sre.finance.usage import CardTime, Counted, Counts, Gap, Usage, Use
from sre.findings import Finding, Refused

VERSION = 1


def to_json(usage: Usage) -> str:
    """One use a line, so that two months can be compared by eye."""
    data = asdict(replace(usage, uses=()))
    del data["uses"]
    uses = ",\n  ".join(
        _one({**vars(use), "tokens": vars(use.tokens), "failed_tokens": vars(use.failed_tokens)})
        for use in usage.uses
    )
    head = _one({"version": VERSION, **data})
    return f'{head[:-1]},"uses":[\n  {uses}\n]}}\n' if uses else f'{head[:-1]},"uses":[]}}\n'


def from_json(text: str, where: str) -> Usage:
    """The inverse. Raises ``Refused`` for anything that ``to_json`` does not write."""
    try:
        data = json.loads(text)
        if data.pop("version") != VERSION:
            raise ValueError("of another version")
        return _usage(data)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Refused([Finding(where, f"is not a saved month of usage: {error}", "a bill cannot be computed from it",
                               "build the month anew")]) from None  # fmt: skip


_one = json.JSONEncoder(sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode
"""One for all: `json.dumps` would make one for each use."""


def _usage(data: dict[str, Any]) -> Usage:
    uses = tuple(
        Use(**{**use, "tokens": Tokens(**use["tokens"]), "failed_tokens": Tokens(**use["failed_tokens"])})
        for use in data.pop("uses")
    )
    counts, counted = data.pop("counts"), data.pop("counted")
    cards = {pool: CardTime(**time) for pool, time in data.pop("cards").items()}
    seen = {pool: (times[0], times[1]) for pool, times in data.pop("seen").items()}
    return Usage(
        **data, uses=uses, cards=cards, seen=seen, counts=Counts(**counts) if counts else None,
        counted=Counted(**{**counted, "gaps": tuple(Gap(**gap) for gap in counted["gaps"])}) if counted else None,
    )  # fmt: skip
