"""What is to happen to a simulated fleet: a YAML list of which fault, to which pool, when, and for how long."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from sre import source
from sre.catalogue.amounts import Line, Seconds
from sre.catalogue.entries import places_of, read_entry
from sre.catalogue.fault_review import review_faults
from sre.catalogue.faults import FLEET, GATEWAY, Fault
from sre.catalogue.model import Catalogue
from sre.findings import Finding, Refused, errors
from sre.fleet import Fleet
from sre.simulate.course import Happening
from sre.source import Source, show, suggest

_EXAMPLE = "- {fault: kv_thrash, pool: chat-70b, at: 5m, for: 10m}"
Happenings = dict[str, tuple[Happening, ...]]
"""By pool, in the order of the file."""


class Planned(BaseModel):
    """One entry of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fault: Line = Field(
        description="what goes wrong: a fault of the catalogue, or one written out as in rules/faults.yaml",
        examples=["kv_thrash"],
    )
    pool: Line = Field(description="the pool to which it happens", examples=["chat-70b"])
    at: Seconds = Field(0, description="seconds of virtual time after which it begins", examples=["5m"])
    for_: Seconds | None = Field(
        None,
        gt=0,
        alias="for",
        description="seconds until it is mended; never, where it is left out",
        examples=["10m"],
    )


def read_happenings(path: Path, fleet: Fleet, catalogue: Catalogue) -> tuple[Happenings, list[Finding]]:
    """What the file asks for, and warnings. Raises ``Refused`` with everything that is wrong in it."""
    text = source.read(path)
    if not isinstance(text.data, list):
        why, fix = "nothing else is read", f"write one entry a line, like `{_EXAMPLE}`"
        raise Refused([text.finding((), "a list of what happens belongs here", why, fix)])
    found, findings = Happenings(), list[Finding]()
    for number, entry in enumerate(text.data):
        happening, pool, said = _entry(text, number, entry, fleet, catalogue)
        findings += said
        if happening:
            found[pool] = (*found.get(pool, ()), happening)
    if errors(findings):
        raise Refused(findings)
    return found, findings


def _entry(
    text: Source, number: int, entry: Any, fleet: Fleet, catalogue: Catalogue
) -> tuple[Happening | None, str, list[Finding]]:
    fault, said = None, list[Finding]()
    if isinstance(entry, dict) and isinstance(entry.get("fault"), dict):
        fault, said = _written_out(text, number, entry["fault"], catalogue)
        entry = {**entry, "fault": "written out"}
    planned, more = read_entry(Planned, text, (number,), entry)
    said += more
    if planned is None:
        return None, "", said
    pools = [pool.name for pool in fleet.pools]
    if planned.pool not in pools:
        what, why = f"{show(planned.pool)} is no pool of this fleet", "it would happen to nobody"
        said.append(text.finding((number, "pool"), what, why, suggest(planned.pool, pools)))
    if fault is None and isinstance(entry["fault"], str) and entry["fault"] != "written out":
        fault = catalogue.faults.get(planned.fault)
        if fault is None:
            what, why = f"{show(planned.fault)} is no fault of the catalogue", "nothing would happen"
            said.append(text.finding((number, "fault"), what, why, suggest(planned.fault, catalogue.faults)))
    if fault is None or errors(said):
        return None, "", said
    said += _without_effect(text, number, fault)
    return Happening(fault, planned.at, planned.for_), planned.pool, said


def _written_out(
    text: Source, number: int, entry: dict[str, Any], catalogue: Catalogue
) -> tuple[Fault | None, list[Finding]]:
    at, name = (number, "fault"), f"fault {number + 1}"
    fault, said = read_entry(Fault, text, at, entry, name=name)
    if fault is None:
        return None, said
    head = f"{number}.fault"
    places = {f"faults.{name}{p.removeprefix(head)}": where for p, where in places_of(text, at).items()}
    return fault, [*said, *review_faults(replace(catalogue, faults={name: fault}, places=places))]


def _without_effect(text: Source, number: int, fault: Fault) -> list[Finding]:
    """Inputs of what stands around the fleet: no page of the fleet shows them."""
    names = {name for step in fault.steps for name in step.set if name in FLEET or name in GATEWAY}
    if not names:
        return []
    what = f"{', '.join(f'`{name}`' for name in sorted(names))} of this fault changes nothing here"
    why = (
        "it lies with the Prometheus that scrapes, or with a gateway, and only replicas and cards are served"
    )
    return [text.finding((number, "fault"), what, why, "stop the scrapes yourself to see it", "warning")]
