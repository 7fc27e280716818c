"""Faults: named ways for a fleet to go wrong, as data that proofs, the lab and the backtest share."""

from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from sre.catalogue import folders
from sre.catalogue.amounts import LabelName, Line, Seconds, Text
from sre.catalogue.entries import places_of, read_entry
from sre.catalogue.formula import Formula
from sre.explain import LOADED, objection
from sre.findings import Finding, Refused
from sre.source import show, suggest

REPLICA = {
    "arrivals": "requests per second that reach one replica",
    "prompt": "mean tokens of a prompt",
    "cached": "share of prompt tokens found in the prefix cache",
    "ttft_p95": "seconds to the first token at the 95th percentile, as the histogram shows it, without a queue",
    "itl_p95": "seconds between two tokens at the 95th percentile, as the histogram shows it",
    "e2e_p99": "seconds of a whole reply at the 99th percentile, as the histogram shows it; lengths follow from it",
    "reply": "median tokens of a reply",
    "cut": "share of replies cut at their token limit",
    "runaway": "share of replies that do not come to an end by themselves",
    "runaway_tokens": "tokens of such a reply",
    "wait": "mean seconds in the queue while the queue is short",
    "batch_limit": "most requests in the batch",
    "burst": "requests that arrive at once, beyond what the batch takes",
    "closed": "1: clients ask again when they have their reply, so that as many requests stay in flight",
    "kv_fill": "share of the KV cache that the usual load fills; above 1 the cache is full",
    "thrown_out": "requests per second that a full KV cache throws out",
    "server_errors": "share of requests answered with a server error",
    "client_errors": "share of requests refused as the caller's mistake",
    "stalled": "1: the engine core is dead behind a living endpoint",
    "unreachable": "1: scrapes fail",
    "gone": "1: the target has left service discovery",
    "restarted": "restarts so far; each sets every counter to zero",
    "skew": "seconds by which its clock is ahead of everybody else's: what it prints of its next start lies so far off",
    "renamed": "1: runs a release that calls its metrics otherwise",
    "leaked_pid": "1: exposes every gauge twice, as multi-process servers did (vllm#28792)",
}
"""What can be changed in one engine replica."""

CARD = {
    "utilization": "share of time in which the card works",
    "dram": "share of time in which its memory moves data",
    "memory_used": "share of its memory in use",
    "temperature": "degrees Celsius",
    "margin": "degrees left to its own slowdown limit",
    "clock_events": "bit mask of reasons why clocks are held down",
    "nvlink": "megabytes over the links per generated token",
    "xid": "last XID reported; 0 is none",
    "ecc_double_bit": "double-bit errors since the driver loaded",
    "rows_uncorrectable": "rows remapped after uncorrectable errors, over its life",
    "rows_correctable": "rows remapped after correctable errors, over its life",
    "row_remap_failure": "1: a row could not be remapped",
    "row_remap_pending": "1: a row waits for a reset to be remapped",
    "lost": "1: off the bus",
    "mig": "1: divided into two MIG instances",
    "unprofiled": "1: exposes no profiling counters",
    "shared": "1: shared by time-slicing, so that its series appear per device and per pod",
    "upgraded": "1: exposed by the newest exporter that the binding knows",
    "exporter_down": "1: its node's exporter does not answer",
}
"""What can be changed in one GPU card."""

FLEET = {
    "unscraped": "1: nothing is scraped",
}
"""What can be changed around them."""

GATEWAY = {
    "recorded": "share of the engines' tokens that the gateway's records hold",
    "unrecorded": "1: no record arrives any more",
    "record_age": "seconds between a request's end and the count of its record",
    "strangers": "share of records with a team that is not on the roster",
}
"""What can be changed in the gateway's records, and in the exporter that counts them."""

GIVEN = {
    "healthy": "the input's own healthy value",
    "simulated": "replicas that are simulated",
    "cards": "cards of one simulated replica",
    "running": "requests in the batch of one healthy replica",
    "capacity": "requests per second that one healthy replica can serve",
    "reply_mean": "mean tokens of a healthy reply",
}
"""Further names that a formula may use, beside inputs (their healthy values) and thresholds."""

INPUTS = {**REPLICA, **CARD, **FLEET, **GATEWAY}
SIGNED = ("margin", "temperature", "skew")
"""Inputs that may fall below zero."""
COUNTED = ("restarted", "rows_uncorrectable", "rows_correctable")
"""Inputs that never come back: what mends a fault does not undo what has been counted."""


def _formula(value: object) -> object:
    if isinstance(value, Formula):
        return value
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        try:
            return Formula(str(value))
        except ValueError as error:
            fix = "write a number, or arithmetic over thresholds such as `3 * ttft_p95`"
            raise objection(str(error), fix) from None
    raise objection(f"{show(value)} is no formula", "write a number, or arithmetic such as `3 * ttft_p95`")


Number = Annotated[Formula, BeforeValidator(_formula)]
OneLine = Annotated[Line, AfterValidator(lambda text: " ".join(text.split()))]
Target = Literal["pool", "replica", "card", "neighbour"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def _inputs(value: dict[str, Formula]) -> dict[str, Formula]:
    for name, formula in value.items():
        if name not in INPUTS:
            raise objection(
                f"`{name}` is no input of the simulated fleet", suggest(name, INPUTS), "nothing would change"
            )
        if name not in SIGNED and not formula.names and (formula.value({}) or 0) < 0:
            raise objection(
                f"`{name}` of {formula.text} is less than nothing", "write 0 or more", INPUTS[name]
            )
    return value


Changes = Annotated[dict[str, Number], AfterValidator(_inputs)]


class Step(_Model):
    """A change ``at`` seconds after the fault's start, to the whole pool or to one replica or card of it."""

    at: Seconds = Field(0, description="seconds after the start")
    on: Target = Field(
        "pool",
        description="what is hit: the pool, a replica with its cards, one of its cards, or the pool's last card",
    )
    set: Changes = Field(
        default_factory=dict, description="inputs of the simulated fleet and their new values"
    )
    hide: tuple[str, ...] = Field((), description="signals that are no longer exposed")


class Story(_Model):
    """What happens: one change, or several one after the other."""

    on: Target = Field("pool", description="what is hit by `set` and `hide`")
    set: Changes = Field(default_factory=dict, description="inputs that change at the start")
    hide: tuple[str, ...] = Field((), description="signals that vanish at the start")
    then: tuple[Step, ...] = Field((), description="later changes")
    before: Changes = Field(default_factory=dict, description="inputs that differ from health all along")
    also: tuple[str, ...] = Field(
        (), description="alerts that rightly fire beside it: `Name`, or `Name part`"
    )

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        first = Step(at=0, on=self.on, set=self.set, hide=self.hide)
        return (first, *self.then)


class Fault(Story):
    """A story with its proof: which alerts fire, with which labels, and in which neighbouring stories they
    stay silent.

    The rules that name it as their `fault` fire; ``fires`` adds alerts that have another fault for a name. A
    fault that fires nothing is one that alerts must sit through.
    """

    name: Annotated[str, LOADED] = ""
    says: OneLine = Field(
        description="what goes wrong, in one sentence", examples=["The pool is overloaded."]
    )
    history: Seconds = Field(360, description="seconds of health before the start")
    quiet: Seconds = Field(
        0, description="seconds without any request between the healthy history and the start"
    )
    clock: Literal["any", "business", "night"] = Field(
        "any", description="when it starts, in the fleet's business hours"
    )
    onset: Seconds = Field(
        0, description="seconds from the start until the fault has happened: `within` counts from here"
    )
    lasts: Seconds = Field(
        1200, description="seconds that alerts must sit through a fault that fires nothing"
    )
    fires: tuple[str, ...] = Field((), description="alerts that it must fire beside those that name it")
    labels: dict[str, tuple[dict[LabelName, Text], ...]] = Field(
        default_factory=dict,
        description="by alert: labels that the fired alerts carry beside their place, one entry each",
    )
    value: Number | None = Field(
        None,
        description="the number in the sentence, over recorded series, where it is not the series that the alert shows",
    )
    numbers: bool = Field(
        True, description="false: the numbers are in motion, only that the alert fires is asserted"
    )
    asserted: Seconds | None = Field(
        None,
        description="when the sentence is asserted, where its numbers move again before `within` is over",
    )
    fades: Seconds | None = Field(
        None,
        description="seconds until its alerts resolve although nothing is mended: they tell news, not states",
    )
    heals: Seconds = Field(
        600,
        description="seconds in which its alerts resolve once it is mended, beside the time that they are kept "
        "firing; 0: nothing mends it within hours",
    )
    holds: dict[str, Number] = Field(
        default_factory=dict, description="PromQL and the number that it must give meanwhile"
    )
    missed: OneLine = Field(
        "",
        description="why its alerts may miss it in traffic that comes by chance: the table of quality says it",
    )
    silent: dict[str, Story] = Field(
        default_factory=dict, description="neighbours in which its alerts stay silent"
    )


def load_faults(folder: Path, places: dict[str, str]) -> tuple[dict[str, Fault], list[Finding]]:
    """Faults of ``faults.yaml`` in a rules folder, by name, and what is wrong with them.

    ``places`` gains where each fault and everything in it stands.
    """
    path = folder / "faults.yaml"
    if not path.exists():
        return {}, []
    try:
        text = folders.read(path)
    except Refused as refused:
        return {}, list(refused.findings)
    entries = text.data.get("faults") if isinstance(text.data, dict) else None
    if not isinstance(entries, dict) or len(text.data) > 1:
        why, fix = (
            "no alert could be proven by anything else",
            "write one mapping `faults:` with a name for each",
        )
        return {}, [text.finding((), "this file holds `faults:` alone", why, fix)]
    found, findings = dict[str, Fault](), list[Finding]()
    for name, entry in entries.items():
        fault, said = read_entry(Fault, text, ("faults", name), entry, name=name)
        findings += said
        if fault:
            found[name] = fault
            places.update(places_of(text, ("faults", name)))
    return found, findings
