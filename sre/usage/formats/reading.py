"""From the values of a format's fields to one record: the steps are made once and run for every line."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import UNSET

from sre.usage.formats import amounts
from sre.usage.formats.endings import make_error, make_outcome
from sre.usage.formats.invalid import Invalid
from sre.usage.formats.model import Counts, Duration, GatewayFormat, Identifier, Moment, Requirements, Rule
from sre.usage.formats.slots import Slots, Values
from sre.usage.formats.words import LONGEST, Memory, name, weigh
from sre.usage.record import Tokens, UsageRecord

Read = tuple[UsageRecord, str | None]
"""A record and the key it came with: a secret, to be forgotten as soon as the team is known."""

_Seconds = Callable[[Values], float | None]


def make_reader(
    spec: GatewayFormat, slots: Slots, rules: Sequence[Rule], finishes: Mapping[str, str], *, trusted: bool
) -> Callable[[Values], Read]:
    """A function from the values in ``slots``, which this fills in, to a record. It raises ``Invalid``."""
    nothing = slots.absent
    names = Memory(name(nothing), weigh)
    reasons = Memory(lambda word: _finish(names[word], finishes), weigh)
    client_set = spec.team.client_set if trusted else None
    team = slots.add(*(spec.team.authenticated or ()), *(client_set or ()))
    model, requested, pool, finish, key = (
        slots.add(*(paths or ()))
        for paths in (spec.model, spec.requested_model, spec.pool, spec.finish_reason, spec.key)
    )
    outcome_of, error_of = make_outcome(spec.outcome, slots), make_error(spec, slots, rules)
    time_of, id_of = _time(spec.time, slots), _id(spec.id, slots)
    duration_of, ttft_of = _seconds(spec.duration, slots), _seconds(spec.ttft, slots)
    count = slots.add(*(spec.tokens.input.at if spec.tokens else ()))
    tokens_of = _tokens(spec.tokens, slots) if spec.tokens else _none
    lacking = _lacking(spec.required, model, count)

    def read(values: Values) -> Read:
        outcome, duration = outcome_of(values), duration_of(values)
        time = time_of(values, duration)
        record = UsageRecord(
            id_of(values, time),
            time,
            outcome,
            names[values[team]],
            names[values[model]],
            names[values[requested]],
            names[values[pool]],
            tokens_of(values),
            ttft_of(values),
            duration,
            reasons[values[finish]],
            error_of(values) if outcome == "error" else None,
        )
        if lacking is not None and lacking(record, values):
            raise Invalid("missing")
        secret = values[key]
        return record, None if secret in nothing else str(secret)

    return read


def _none(_: Values) -> None:
    return None


def _finish(word: str | None, finishes: Mapping[str, str]) -> str | None:
    return None if word is None else finishes.get(word.casefold(), "other")


def _time(moments: Sequence[Moment], slots: Slots) -> Callable[[Values, float | None], float]:
    """When the request ended."""
    steps = [
        (slots.add(*one.at), amounts.moment(one.unit, slots.absent), one.of == "start") for one in moments
    ]

    def when(values: Values, duration: float | None) -> float:
        for slot, convert, begun in steps:
            time = convert(values[slot])
            if time is not None:
                return time + duration if begun and duration else time
        raise Invalid("missing")

    return when


def _id(spec: Identifier | None, slots: Slots) -> Callable[[Values, float], str]:
    slot, nothing = slots.add(*(spec.at if spec else ())), slots.absent
    client_set = spec is not None and spec.client_set

    def identify(values: Values, time: float) -> str:
        found = values[slot]
        if found in nothing:
            return ""
        if found.__class__ is not str:
            if found.__class__ is not int:
                raise Invalid("wrong_type")
            found = str(found)
        if len(found) > LONGEST:
            raise Invalid("too_long")
        return f"{found}@{time:.6f}" if client_set else found

    return identify


def _seconds(spec: Sequence[Duration], slots: Slots) -> _Seconds:
    """The first of the alternatives that says something."""
    steps = [_span(one, slots) for one in spec]
    if not steps:
        return _none
    if len(steps) == 1:
        return steps[0]

    def choose(values: Values) -> float | None:
        return next((found for step in steps if (found := step(values)) is not None), None)

    return choose


def _span(spec: Duration, slots: Slots) -> _Seconds:
    nothing = slots.absent
    filler = slots.add(*(spec.filler or ()))
    end = slots.add(*(spec.at or spec.end or ()))
    convert = amounts.seconds(spec.unit, nothing)
    if spec.begin is None and spec.filler is None:
        return lambda values: convert(values[end])
    if spec.begin is None:
        return lambda values: None if values[end] == values[filler] else convert(values[end])
    begin, span = slots.add(*spec.begin), amounts.between(spec.unit, nothing)

    def elapsed(values: Values) -> float | None:
        return None if values[end] == values[filler] else span(values[begin], values[end])

    return elapsed


def _tokens(spec: Counts, slots: Slots) -> Callable[[Values], Tokens | None]:
    """Disjoint classes: what a gateway counts inside another class is taken out of it."""
    nothing, count = slots.absent, amounts.count
    first = slots.add(*spec.input.at)
    for one in (spec.cached_input, spec.cache_write, spec.output, spec.reasoning):
        slots.add(*(one.at if one else ()))
    last = first + 5
    holds_cached, holds_write = ("cached_input" in spec.input.holds), ("cache_write" in spec.input.holds)
    holds_reasoning, zeros_count = "reasoning" in spec.output.holds, spec.zeros == "counted"

    def counts(values: Values) -> Tokens | None:
        fresh, cached, write, output, reasoning = values[first:last]
        if fresh.__class__ is not int:
            fresh = count(fresh, nothing)
        if output.__class__ is not int:
            output = count(output, nothing)
        cached = cached if cached.__class__ is int else count(cached, nothing) or 0
        write = write if write.__class__ is int else count(write, nothing) or 0
        reasoning = reasoning if reasoning.__class__ is int else count(reasoning, nothing) or 0
        reported = fresh is not None or output is not None or cached or write or reasoning
        fresh, output = fresh or 0, output or 0
        if holds_cached:
            fresh -= cached
        if holds_write:
            fresh -= write
        if holds_reasoning:
            output -= reasoning
        if fresh < 0 or cached < 0 or write < 0 or output < 0 or reasoning < 0:
            raise Invalid("negative")
        total = fresh + cached + write + output + reasoning
        if total > amounts.LARGEST_COUNT:
            raise Invalid("too_large")
        return (
            Tokens(fresh, cached, write, output, reasoning) if total or (reported and zeros_count) else None
        )

    return counts


def _lacking(spec: Requirements, model: int, count: int) -> Callable[[UsageRecord, Values], bool] | None:
    """Whether a record lacks what its format promises; null, unlike a key that is not there, is an answer."""
    if not spec.always and not spec.success:
        return None

    def lacks(record: UsageRecord, values: Values) -> bool:
        needed = spec.always if record.outcome == "error" else (*spec.always, *spec.success)
        return (
            ("id" in needed and not record.id)
            or ("model" in needed and record.model is None and values[model] is not None)
            or ("tokens" in needed and record.tokens is None and values[count] is UNSET)
        )

    return lacks
