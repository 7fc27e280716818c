"""From a parsed line to one record: what each key of a format's file asks for, as steps of one function."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from msgspec import UNSET, Struct
from pydantic import BaseModel

from sre.usage.formats import amounts
from sre.usage.formats.endings import Endings
from sre.usage.formats.invalid import Invalid
from sre.usage.formats.model import Counts, Duration, GatewayFormat, Identifier, Moment, Requirements, Rule
from sre.usage.formats.paths import Path, tree
from sre.usage.formats.words import LONGEST, Memory, identify, name
from sre.usage.formats.writing import Writing
from sre.usage.record import Tokens, UsageRecord

Read = tuple[UsageRecord, str | None]
"""A record and the key it came with: a secret, to be forgotten as soon as the team is known."""

_NAMES = ("team", "model", "requested_model", "pool")


def make_reader(
    called: str, spec: GatewayFormat, rules: Sequence[Rule], finishes: Mapping[str, str], *, trusted: bool
) -> tuple[type[Struct], Callable[[Any], Read]]:
    """The struct that a line is parsed into, and a function from it to a record, which raises ``Invalid``."""
    absent = frozenset({UNSET, None, "", "-", "None", *(spec.absent or ())})
    root = tree(all_paths(spec), spec.embedded)
    writing = Writing(root, absent)
    _names(writing, spec, absent, trusted=trusted)
    _finish(writing, spec, absent, finishes)
    _outcome(writing, spec, rules, absent)
    _seconds(writing, "duration", spec.duration, absent)
    _seconds(writing, "ttft", spec.ttft, absent)
    _time(writing, spec.time, absent)
    _id(writing, spec.id, absent)
    _tokens(writing, spec.tokens, absent)
    _required(writing, spec.required)
    writing.pick("key", spec.key)
    writing.add("key = None if key in absent else str(key)")
    made = f"{writing.bind(UsageRecord)}(id, time, outcome, team, model, requested_model, pool, tokens, "
    writing.add(f"return {made}ttft, duration, finish, error_type), key")
    return root.struct, writing.compile(called)


def all_paths(value: Any) -> Iterator[Path]:
    """Every path of a format."""
    if isinstance(value, BaseModel):
        for key in type(value).model_fields:
            yield from all_paths(getattr(value, key))
    elif isinstance(value, tuple) and value and isinstance(value[0], tuple):
        yield from value
    elif isinstance(value, tuple):
        for item in value:
            yield from all_paths(item)


def _names(writing: Writing, spec: GatewayFormat, absent: frozenset[object], *, trusted: bool) -> None:
    clean = writing.bind(Memory(name(absent)))
    client_set = (spec.team.client_set if trusted else None) or ()
    team = (*(spec.team.authenticated or ()), *client_set)
    for variable, paths in zip(_NAMES, (team, spec.model, spec.requested_model, spec.pool), strict=True):
        writing.pick(variable, paths)
        if paths and variable == "model" and spec.required.success:
            writing.add("given_model = model")
        if paths:
            writing.add(f"{variable} = {clean}[{variable}]")


def _finish(
    writing: Writing, spec: GatewayFormat, absent: frozenset[object], finishes: Mapping[str, str]
) -> None:
    clean = name(absent)

    def reason(value: Any) -> str | None:
        word = clean(value)
        return None if word is None else finishes.get(word.casefold(), "other")

    writing.pick("finish", spec.finish_reason)
    if spec.finish_reason:
        writing.add(f"finish = {writing.bind(Memory(reason))}[finish]")


def _outcome(
    writing: Writing, spec: GatewayFormat, rules: Sequence[Rule], absent: frozenset[object]
) -> None:
    ending, failure, endings = spec.outcome, spec.error, Endings(spec.outcome, rules, absent)
    given = {"word": ending.word, "code": ending.code, "flags": ending.flags, "error": ending.error}
    for variable, paths in given.items():
        writing.pick(variable, paths)
    writing.add(f"outcome = {writing.bind(Memory(endings.outcome))}[{', '.join(given)}]", "error_type = None")
    with writing.inside("if outcome == 'error':"):
        writing.pick("decided", failure.type)
        writing.pick("kind", failure.class_)
        writing.pick("code", (*(failure.code or ()), *(ending.code or ())))
        writing.pick("message", failure.message)
        writing.add(f"error_type = {writing.bind(endings.error)}(decided, kind, code, flags, message)")


def _seconds(
    writing: Writing, variable: str, spec: Sequence[Duration], absent: frozenset[object]
) -> None:
    """The first of the alternatives that says something."""
    writing.add(f"{variable} = None")
    with ExitStack() as around:
        for number, one in enumerate(spec):
            if number:
                around.enter_context(writing.inside(f"if {variable} is None:"))
            _span(writing, variable, one, absent)


def _span(writing: Writing, variable: str, spec: Duration, absent: frozenset[object]) -> None:
    writing.pick("end", spec.at or spec.end)
    writing.pick("begin", spec.begin)
    if spec.begin:
        found = f"{writing.bind(amounts.between(spec.unit, absent))}(begin, end)"
    else:
        found = f"{writing.bind(amounts.seconds(spec.unit, absent))}(end)"
    if spec.filler:
        writing.pick("filler", spec.filler)
        found = f"None if end == filler else {found}"
    writing.add(f"{variable} = {found}")


def _time(writing: Writing, spec: Sequence[Moment], absent: frozenset[object]) -> None:
    with ExitStack() as around:
        for number, one in enumerate(spec):
            if number:
                around.enter_context(writing.inside("if time is None:"))
            writing.pick("given_time", one.at)
            writing.add(f"time = {writing.bind(amounts.moment(one.unit, absent))}(given_time)")
            if one.of == "start":
                writing.add("if duration is not None and time is not None: time += duration")
    writing.add(f"if time is None: raise {writing.bind(Invalid)}('missing')")


def _id(writing: Writing, spec: Identifier | None, absent: frozenset[object]) -> None:
    writing.pick("id", spec.at if spec else None)
    plain = f"id.__class__ is str and len(id) <= {LONGEST} and id not in absent"
    writing.add(f"if not ({plain}): id = {writing.bind(identify(absent))}(id)")
    if spec and spec.client_set:
        writing.add("if id: id = f'{id}@{given_time}'")


def _tokens(writing: Writing, spec: Counts | None, absent: frozenset[object]) -> None:
    """Disjoint classes: what a gateway counts inside another class is taken out of it."""
    writing.add("tokens = given_input = None")
    if spec is None:
        return
    count, invalid = writing.bind(amounts.counter(absent)), writing.bind(Invalid)
    parts = {"input": spec.input, "cached_input": spec.cached_input, "cache_write": spec.cache_write,
             "output": spec.output, "reasoning": spec.reasoning}  # fmt: skip
    for variable, one in parts.items():
        writing.pick(variable, one.at if one else None)
        if variable == "input":
            writing.add("given_input = input")
        if one:
            writing.add(f"if {variable}.__class__ is not int: {variable} = {count}({variable})")
    absent_ones = " and ".join(f"{variable} is None" for variable, one in parts.items() if one)
    with writing.inside(f"if not ({absent_ones}):"):
        writing.add(*(f"if {variable} is None: {variable} = 0" for variable in parts))
        writing.add(*(f"input -= {held}" for held in spec.input.holds))
        writing.add(*(f"output -= {held}" for held in spec.output.holds))
        negative = " or ".join(f"{variable} < 0" for variable in parts)
        writing.add(f"if {negative}: raise {invalid}('negative')", f"total = {' + '.join(parts)}")
        writing.add(f"if total > {amounts.LARGEST_COUNT}: raise {invalid}('too_large')")
        made = f"tokens = {writing.bind(Tokens)}({', '.join(parts)})"
        writing.add(made if spec.zeros == "counted" else f"if total: {made}")


def _required(writing: Writing, spec: Requirements) -> None:
    """A key that is not there is missing; a null is an answer: it is known that there is nothing to report."""
    lacks = {
        "id": "not id",
        "model": "(model is None and given_model is not None)",
        "tokens": f"(tokens is None and given_input is {writing.bind(UNSET)})",
    }
    for needed, when in ((spec.always, ""), (spec.success, "outcome == 'success' and ")):
        for key in needed:
            writing.add(f"if {when}{lacks[key]}: raise {writing.bind(Invalid)}('missing')")
