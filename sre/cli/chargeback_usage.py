"""The usage that `sre chargeback` bills: from records, from a server, or from both after they were compared."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from sre.books.folder import Built
from sre.books.recomputing import context_of
from sre.cli.chargeback_asked import Asked
from sre.cli.progress import progress
from sre.finance.costs import Costs
from sre.finance.months import Month
from sre.finance.reconciling import reconcile
from sre.finance.usage import Usage
from sre.findings import Finding, Refused, tried
from sre.fleet import Fleet
from sre.metering.database import Limits
from sre.metering.invalid import tell_invalid, too_many
from sre.metering.pages import Pages
from sre.metering.places import first_invalid
from sre.metering.records import Pools, read_records
from sre.metering.server import read_server
from sre.metering.sources import digest, find
from sre.metering.wholeness import find_torn


class Measured(NamedTuple):
    """The usage, what the comparison of two sources came to, warnings, and the SHA-256 of each file of records."""

    usage: Usage
    reconciled: Mapping[str, object] | None
    findings: list[Finding]
    hashes: Mapping[str, str]


def measure(asked: Asked, month: Month, costs: Costs, fleet: Fleet | None, pages: Pages | None) -> Measured:
    """All that is asked for. Raises ``Refused``, ``Unbalanced`` or ``Unreachable``."""
    if pages and costs.allocate_by == "gpu_seconds" and not asked.usage:
        raise Refused([_no_seconds(asked)])
    pools = known_pools(costs, month, fleet_models(fleet))
    wrong = list[Finding]()
    with ThreadPoolExecutor(1) as beside:
        # A processor of its own for the hashes: the records are read by the others meanwhile.
        files = beside.submit(hash_files, asked.usage)
        found = tried(lambda: _usage(asked, month, pools, pages, energy=costs.power is not None), wrong)
        hashes = tried(files.result, wrong)
    if found is None or hashes is None:
        raise Refused(wrong)
    return Measured(*found, hashes)


def read_again(built: Built, paths: Sequence[Path], limits: Limits) -> Usage:
    """The usage of a built month from its records. Raises ``Refused`` where they are not the ones it was built from."""
    hashes, listed = hash_files(paths), built.manifest["inputs"]
    known = {name: value for name, value in listed.items() if name.startswith("usage/")}
    if sorted(hashes.values()) != sorted(known.values()):
        raise Refused([_other_records(known)])
    costs, before = built.costs, built.usage
    month = Month(before.month, costs.timezone)
    fresh = read_records(paths, month, known_pools(costs, month, context_of(built).models), limits)
    return replace(before, uses=fresh.uses, counts=fresh.counts, seen=fresh.seen)


def hash_files(paths: Sequence[Path]) -> dict[str, str]:
    """``usage/NAME`` -> SHA-256, whatever folder they lie in and in whatever order they are named.

    Raises ``Refused`` for a file that is not whole.
    """
    files = [one.path for one in find(paths)] if paths else []
    if torn := find_torn(files):
        raise Refused(torn)
    found = dict[str, str]()
    for name, value in sorted((path.name, digest(path)) for path in files):
        key, number = f"usage/{name}", 2
        while key in found:
            key, number = f"usage/{name}#{number}", number + 1
        found[key] = value
    return found


def fleet_models(fleet: Fleet | None) -> dict[str, str]:
    """Model -> the pool that serves it; empty where two pools do, which says nothing."""
    found = dict[str, str]()
    for pool in fleet.pools if fleet else ():
        model = pool.model or pool.name
        found[model] = "" if model in found else pool.name
    return found


def known_pools(costs: Costs, month: Month, models: Mapping[str, str]) -> Pools:
    """Where records without a pool belong: by the cost file, by the fleet's models, or to the only pool there is."""
    apis = {model: one.name for one in costs.fallback if one.month == month.name for model in one.models}
    names = [*costs.gpus, *{one.name for one in costs.fallback}]
    card = None if "default" in costs.rate_card or costs.allocate_by != "tokens" else set(costs.rate_card)
    return Pools({**models, **apis, **costs.models}, names[0] if len(names) == 1 else "", card)


def _usage(
    asked: Asked, month: Month, pools: Pools, pages: Pages | None, *, energy: bool
) -> tuple[Usage, Mapping[str, object] | None, list[Finding]]:
    records, findings = _records(asked, month, pools) if asked.usage else (None, [])
    if not pages:
        assert records
        return records, None, findings
    with progress() as tell:
        counted = read_server(pages, month, pools, energy=energy, tell=tell)
    if not records:
        return counted, None, findings
    return (*reconcile(records, counted, asked.tolerance), findings)


def _records(asked: Asked, month: Month, pools: Pools) -> tuple[Usage, list[Finding]]:
    """What the records say, and what is to be said of those that are invalid or of another month."""
    limits = Limits(asked.memory, asked.temp_dir)
    with progress() as tell:
        records = read_records(asked.usage, month, pools, limits, tell)
        assert records.counts
        if too_many(records.counts, asked.max_invalid):
            tell(0, 1, "finding the invalid records")
            first = first_invalid(asked.usage, month, pools, limits)
            raise Refused(tell_invalid(records.counts, asked.max_invalid, first))
    findings = tell_invalid(records.counts, asked.max_invalid)
    return records, [*findings, *([] if records.uses else [_none_used(records, month)])]


def _none_used(records: Usage, month: Month) -> Finding:
    counts = records.counts
    assert counts
    return Finding(
        "--usage",
        f"none of {counts.read} records is of {month.name}; {counts.outside} are of other months",
        "all cards are billed as used by nobody",
        "look whether these are the files of that month",
        "warning",
    )


def _no_seconds(asked: Asked) -> Finding:
    return Finding(
        str(asked.cost_file),
        "`allocate_by: gpu_seconds` needs records, and none are given",
        "counters do not say how long requests took",
        "add --usage, or allocate by tokens",
    )


def _other_records(known: Mapping[str, str]) -> Finding:
    return Finding(
        "--usage",
        "these are not the records that the month was built from",
        f"the manifest lists {', '.join(sorted(known)) or 'none'}, by their SHA-256",
        "name the same files",
    )
