"""A month's files from its inputs: what `build` writes, and what `verify` compares with, byte for byte."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sre.books.folder import CONTEXT, COSTS, MANIFEST, USAGE, Built
from sre.finance.bill import Bill
from sre.finance.building import build
from sre.finance.corrections import correct
from sre.finance.costs import Costs
from sre.finance.exports import exports
from sre.finance.manifest import manifest
from sre.finance.money import Currency, parse_money
from sre.finance.saved import to_json
from sre.finance.stored import bill_from_json, bill_to_json
from sre.finance.table import Locale
from sre.finance.usage import Usage
from sre.metering.parquet import FILE as PARQUET
from sre.metering.parquet import parquet


@dataclass(frozen=True)
class Context:
    """What a bill is computed from beside costs and usage: texts only, so that it can be written and read."""

    locale: Locale = "en"
    previous: Mapping[str, str] | None = None
    """Team -> cost of the month before, where that is closed."""
    restated: tuple[str, ...] = ()
    """Bills of closed months as they would be today, as JSON."""
    closed: tuple[str, ...] = ()
    """The bills that the books held, as JSON; only where something is restated."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Name -> SHA-256 of every file that was read."""
    reconciled: Mapping[str, Any] | None = None
    """What the comparison of two sources came to."""
    models: Mapping[str, str] = field(default_factory=dict)
    """Model -> pool, as the fleet file had them: by that, records without a pool found theirs."""


def make_bill(costs: Costs, usage: Usage, context: Context) -> Bill:
    """The bill with its corrections. Raises what ``build`` raises."""
    bill = build(costs, usage, previous=_amounts(context.previous, costs.unit))
    closed = [bill_from_json(text, CONTEXT) for text in context.closed]
    for text in context.restated:
        bill = correct(bill, bill_from_json(text, CONTEXT), closed)
    return bill


def make_files(
    bill: Bill, cost_file: bytes, costs: Costs, usage: Usage, context: Context
) -> dict[str, bytes]:
    """Path -> content of everything in a month's folder, the manifest last."""
    files = {
        **exports(bill, context.locale),
        PARQUET: parquet(bill),
        COSTS: cost_file,
        USAGE: to_json(usage).encode(),
        CONTEXT: _to_json(context).encode(),
    }
    text = manifest(bill, costs, usage, context.inputs, files, context.reconciled)
    return {**files, MANIFEST: text.encode()}


def recompute(built: Built, usage: Usage | None = None) -> dict[str, bytes]:
    """The files of a built month once more, from its own inputs, or from usage that was read anew."""
    context, costs = context_of(built), built.costs
    usage = usage or built.usage
    return make_files(make_bill(costs, usage, context), built.files[COSTS], costs, usage, context)


def context_of(built: Built) -> Context:
    """The context that a month was built in."""
    data = dict(built.context)
    return Context(**{**data, "restated": tuple(data["restated"]), "closed": tuple(data["closed"])})


def as_text(bill: Bill) -> str:
    """A bill in the form that a context holds."""
    return bill_to_json(bill)


def _to_json(context: Context) -> str:
    data = {
        "locale": context.locale, "previous": context.previous, "restated": list(context.restated),
        "closed": list(context.closed), "inputs": dict(context.inputs), "reconciled": context.reconciled,
        "models": dict(context.models),
    }  # fmt: skip
    return json.dumps(data, sort_keys=True, ensure_ascii=True, indent=1) + "\n"


def _amounts(given: Mapping[str, str] | None, unit: Currency) -> dict[str, Any] | None:
    return None if given is None else {team: parse_money(cost, unit) for team, cost in sorted(given.items())}
