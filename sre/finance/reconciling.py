"""Records and counters side by side: two measurements of one month, which must agree for each model."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sre.finance.bill import TOKEN_CLASSES, Tokens
from sre.finance.lines import Unbalanced
from sre.finance.unit_costs import quotient
from sre.finance.usage import Usage
from sre.findings import Finding
from sre.source import show


@dataclass(frozen=True)
class Quantities:
    """What one source says of one model."""

    requests: int = 0
    tokens: Tokens = Tokens()  # noqa: RUF009 - frozen


def reconcile(records: Usage, counted: Usage, tolerance: Decimal) -> tuple[Usage, Mapping[str, Any]]:
    """The records, with what only the server knows of the cards, and the comparison for the manifest.

    Raises ``Unbalanced`` where a model's requests, or its tokens of a class, differ by more than the tolerance.
    """
    ours, theirs = _by_model(records), _by_model(counted)
    report, findings = dict[str, Any](), list[Finding]()
    for model in sorted(ours.keys() | theirs.keys()):
        compared = _compare(ours.get(model, Quantities()), theirs.get(model, Quantities()))
        report[model] = compared
        findings += [
            _finding(model, what, *pair, tolerance)
            for what, pair in compared.items()
            if _far(*pair, tolerance)
        ]
    if findings:
        raise Unbalanced(findings)
    whole = replace(
        records, source="both", cards=counted.cards, energy=counted.energy, counted=counted.counted
    )
    return whole, {"tolerance": str(tolerance), "models": report}


def _by_model(usage: Usage) -> dict[str, Quantities]:
    found = defaultdict[str, Quantities](Quantities)
    for use in usage.uses:
        if use.model:
            before = found[use.model]
            found[use.model] = Quantities(before.requests + use.requests, before.tokens + use.tokens)
    return found


def _compare(ours: Quantities, theirs: Quantities) -> dict[str, tuple[int, int]]:
    """What -> (records, counters)."""
    a, b = ours.tokens.by_class(), theirs.tokens.by_class()
    return {
        "requests": (ours.requests, theirs.requests),
        **{name: (a[name], b[name]) for name in TOKEN_CLASSES},
    }


def _far(records: int, counters: int, tolerance: Decimal) -> bool:
    return abs(records - counters) > tolerance * max(records, counters)


def _finding(model: str, what: str, records: int, counters: int, tolerance: Decimal) -> Finding:
    share = quotient(abs(records - counters) * 100, max(records, counters), 2)
    return Finding(
        f"model {show(model)}", f"{what}: the records say {records}, the counters {counters}: {share} % apart",
        f"the tolerance is {tolerance * 100:f} %; one of them lost or doubled something",
        "look for files that are missing or given twice, and for times when the exporter was down",
    )  # fmt: skip
