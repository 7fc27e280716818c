"""What is said of records that cannot be billed: how many, why, where the first ones stand, what to write instead."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sre.finance.bill import TOKEN_CLASSES
from sre.finance.usage import Counts
from sre.findings import Finding
from sre.source import show

_FREE = "what they used would be free of charge"
_MODEL = "no_pool", "unknown_model"
"""Reasons that lie in the model."""

_WORDS = {
    "not_json": (
        "no JSON object, or one without id, time and outcome",
        "write one record a line; where the file ends here, it is torn",
    ),
    "missing": ("id, time, outcome, model or tokens missing", "a success names its model and tokens as well"),
    "time": ("a time without zone or none", "write it with its zone: 2026-10-01T08:00:00Z"),
    "wrong_type": (
        "a value of the wrong type", "`outcome` is success or error, tokens are whole numbers, the rest is text",
    ),
    "negative": ("negative tokens", "write 0 or more: what is given back is a credit of the cost file"),
    "not_finite": ("tokens that are no number", "write a whole number"),
    "too_large": ("tokens beyond 2^53", "nobody can use so many: look at what the gateway sends"),
    "cached_exceeds_input": (
        "cached tokens above the input", "write disjoint classes: uncached_input is input less cached_input",
    ),
    "unknown_class": ("token classes that are not disjoint", f"write {', '.join(TOKEN_CLASSES)}"),
    "no_pool": (
        "no pool, and none known for the model",
        "write the record's `pool`, give --fleet, or write `models: {model: pool}` in the cost file",
    ),
    "unknown_model": ("a model that is not known", "add it, or `default`, under `rate_card` of the cost file"),
}  # fmt: skip
"""Reason -> (what it is, what to do)."""


@dataclass(frozen=True)
class Invalid:
    """One record that cannot be billed: where it stands, why not, and the model that it names."""

    where: str
    reason: str
    model: str


def too_many(counts: Counts, allowed: Decimal) -> bool:
    """Whether more records are invalid than the share that is put up with."""
    return sum(counts.invalid.values()) > allowed * counts.read


def tell_invalid(counts: Counts, allowed: Decimal, first: Sequence[Invalid] = ()) -> list[Finding]:
    """Nothing, a warning where they are put up with, or errors: the number of all, and where the first ones are."""
    number = sum(counts.invalid.values())
    if not number:
        return []
    said = ", ".join(f"{_what(reason)}: {n}" for reason, n in sorted(counts.invalid.items()))
    what = f"{number} of {counts.read} records cannot be billed ({said})"
    if not too_many(counts, allowed):
        fix = "without --max-invalid it is said where the first of them stand"
        return [Finding("--usage", what, "they are left out, and the manifest counts them", fix, "warning")]
    fix = "mend them, or say how many are put up with: --max-invalid 0.1%"
    return [Finding("--usage", what, _FREE, fix), *map(_place, first)]


def _place(one: Invalid) -> Finding:
    model = f": {show(one.model)}" if one.reason in _MODEL else ""
    return Finding(one.where, f"{_what(one.reason)}{model}", "this record cannot be billed", _fix(one.reason))


def _what(reason: str) -> str:
    return _WORDS[reason][0] if reason in _WORDS else reason


def _fix(reason: str) -> str:
    return _WORDS[reason][1] if reason in _WORDS else ""
