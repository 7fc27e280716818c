"""From a parsed line to one record: what each key of a format's file asks for, as steps of one function."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct
from pydantic import BaseModel

from sre.usage.formats import amounts
from sre.usage.formats.endings import Endings
from sre.usage.formats.errors import ErrorRules
from sre.usage.formats.invalid import Invalid
from sre.usage.formats.model import Counts, Duration, GatewayFormat, Identifier, Moment, Requirements
from sre.usage.formats.paths import Path, tree
from sre.usage.formats.words import LONGEST, Memory, identify, name
from sre.usage.formats.writing import Writing
from sre.usage.record import Tokens, UsageRecord

Read = tuple[UsageRecord, str | None]
"""A record and the key it came with: a secret, to be forgotten as soon as the team is known."""

_NAMES = ("team", "model", "requested_model", "pool")


def make_reader(
    called: str, spec: GatewayFormat, rules: ErrorRules, finishes: Mapping[str, str], *, trusted: bool
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
    _time(writing, spec.time)
    _id(writing, spec.id, absent)
    _tokens(writing, spec.tokens)
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


def _outcome(writing: Writing, spec: GatewayFormat, rules: ErrorRules, absent: frozenset[object]) -> None:
    ending, failure, endings = spec.outcome, spec.error, Endings(spec.outcome, rules, absent)
    given = {"word": ending.word, "code": ending.code, "flags": ending.flags, "error": ending.error}
    for variable, paths in given.items():
        writing.pick(variable, paths)
    seen = [variable for variable, paths in given.items() if paths]
    known = writing.bind(Memory(endings.remembered(seen)))
    writing.add(f"outcome = {known}[{', '.join(seen) or None}]", "error_type = None")
    with writing.inside("if outcome == 'error':"):
        writing.pick("decided", failure.type)
        writing.pick("kind", failure.class_)
        writing.pick("code", (*(failure.code or ()), *(ending.code or ())))
        writing.pick("message", failure.message)
        writing.add(f"error_type = {writing.bind(endings.error)}(decided, kind, code, flags, message)")


def _seconds(writing: Writing, variable: str, spec: Sequence[Duration], absent: frozenset[object]) -> None:
    """The first of the alternatives that says something."""
    writing.add(f"{variable} = None")
    with ExitStack() as around:
        for number, one in enumerate(spec):
            if number:
                around.enter_context(writing.inside(f"if {variable} is None:"))
            _span(writing, variable, one, absent)


def _span(writing: Writing, variable: str, spec: Duration, absent: frozenset[object]) -> None:
    writing.pick("end", spec.at or spec.end)
    if spec.filler:
        writing.pick("filler", spec.filler)
        writing.add("if end == filler: end = None")
    if spec.begin:
        writing.pick("begin", spec.begin)
        writing.add(f"{variable} = {writing.bind(amounts.between(spec.unit, absent))}(begin, end)")
        return
    # Python compares numbers of one kind much faster than an int with a float.
    longest = int(amounts.LONGEST * spec.divisor)
    for word, kind, least, most in (("if", "float", "0.0", f"{longest}.0"), ("elif", "int", "0", longest)):
        with writing.inside(f"{word} end.__class__ is {kind} and {least} <= end <= {most}:"):
            writing.add(f"{variable} = end / {spec.divisor}")
    with writing.inside("elif end not in absent:"):
        writing.add(f"{variable} = {writing.bind(amounts.seconds(spec.unit))}(end)")


def _time(writing: Writing, spec: Sequence[Moment]) -> None:
    writing.add("time = None")
    with ExitStack() as around:
        for number, one in enumerate(spec):
            if number:
                around.enter_context(writing.inside("if time is None:"))
            writing.pick("moment", one.at)
            if one.unit == "iso":
                _iso(writing)
            with writing.inside("if time is None and moment not in absent:"):
                writing.add(f"time = {writing.bind(amounts.moment(one.unit))}(moment)")
            if one.of == "start":
                writing.add("if duration is not None and time is not None: time += duration")
    writing.add(f"if time is None: raise {writing.bind(Invalid)}('missing')")


def _iso(writing: Writing) -> None:
    """What nearly every time is, without a call; the rest is left to ``amounts.moment``."""
    with writing.inside("try:"):
        writing.add(f"stamp = {writing.bind(datetime.fromisoformat)}(moment)")
        writing.add("time = None if stamp.tzinfo is None else stamp.timestamp()")
        writing.add("if time is not None and time < 0.0: time = None")
    with writing.inside("except (TypeError, ValueError, OverflowError):"):
        writing.add("time = None")


def _id(writing: Writing, spec: Identifier | None, absent: frozenset[object]) -> None:
    writing.pick("id", spec.at if spec else None)
    # Longer than any word that stands for nothing: an id is new in every line, and would be hashed to ask.
    least = max(len(word) for word in absent if isinstance(word, str))
    plain = f"id.__class__ is str and {least} < len(id) <= {LONGEST}"
    writing.add(f"if not ({plain}): id = {writing.bind(identify(absent))}(id)")
    if spec and spec.client_set:
        writing.add("if id: id = f'{id}@{moment}'")


def _tokens(writing: Writing, spec: Counts | None) -> None:
    """Disjoint classes: what a gateway counts inside another class is taken out of it."""
    writing.add("tokens = given_input = None")
    if spec is None:
        return
    count, invalid = writing.bind(amounts.count), writing.bind(Invalid)
    parts = {"input": spec.input, "cached_input": spec.cached_input, "cache_write": spec.cache_write,
             "output": spec.output, "reasoning": spec.reasoning}  # fmt: skip
    for variable, one in parts.items():
        writing.pick(variable, one.at if one else None)
        if variable in {"input", "output"} and spec.zeros == "counted":
            writing.add(f"given_{variable} = {variable}")
        reading = (
            f"{variable} = 0 if {variable} in absent else {count}({variable})" if one else f"{variable} = 0"
        )
        writing.add(f"if {variable}.__class__ is not int: {reading}")
    read = [variable for variable, one in parts.items() if one]
    writing.add(*(f"input -= {held}" for held in spec.input.holds))
    writing.add(*(f"output -= {held}" for held in spec.output.holds))
    writing.add(f"if {' or '.join(f'{one} < 0' for one in read)}: raise {invalid}('negative')")
    writing.add(f"total = {' + '.join(read)}")
    writing.add(f"if total > {amounts.LARGEST_COUNT}: raise {invalid}('too_large')")
    zeros = "given_input not in absent or given_output not in absent" if spec.zeros == "counted" else "False"
    with writing.inside(f"if total or {zeros}:"):
        writing.add(f"tokens = {writing.bind(Tokens)}({', '.join(parts)})")


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
