"""From a parsed line to one record: what each key of a format's file asks for, as steps of one function."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any

from msgspec import UNSET, Struct

from sre.usage.formats import amounts
from sre.usage.formats.endings import Endings
from sre.usage.formats.errors import ErrorRules
from sre.usage.formats.invalid import Invalid
from sre.usage.formats.model import Duration, GatewayFormat, paths_of
from sre.usage.formats.paths import tree
from sre.usage.formats.words import LONGEST, Memory, identify, name
from sre.usage.formats.writing import Writing
from sre.usage.record import Tokens, UsageRecord

Read = tuple[UsageRecord, str | None]
"""A record and the key it came with: a secret, to be forgotten as soon as the team is known."""


def make_reader(
    called: str, spec: GatewayFormat, rules: ErrorRules, finishes: Mapping[str, str], *, trusted: bool
) -> tuple[type[Struct], Callable[[Any], Read]]:
    """The struct that a line is parsed into, and a function from it to a record, which raises ``Invalid``."""
    reader = _Reader(spec)
    reader.names(trusted=trusted)
    reader.finish(finishes)
    reader.outcome(rules)
    reader.seconds("duration", spec.duration)
    reader.seconds("ttft", spec.ttft)
    reader.time()
    reader.id()
    reader.tokens()
    reader.required()
    reader.result()
    return reader.root.struct, reader.write.compile(called)


class _Reader:
    """Writes the steps. In them, variables are called as the fields of a record, and ``given_`` is what was there."""

    def __init__(self, spec: GatewayFormat) -> None:
        self.spec = spec
        self.absent: frozenset[object] = frozenset({UNSET, None, "", "-", "None", *(spec.absent or ())})
        fields = (path for loc, path in paths_of(spec) if loc != ("loose",))
        self.root = tree(fields, spec.embedded, spec.loose or ())
        self.write = Writing(self.root, self.absent)
        self.invalid = self.write.bind(Invalid)

    def names(self, *, trusted: bool) -> None:
        spec, clean = self.spec, self.write.bind(Memory(name(self.absent)))
        team = (*(spec.team.authenticated or ()), *((spec.team.client_set if trusted else None) or ()))
        given = {
            "team": team,
            "model": spec.model,
            "requested_model": spec.requested_model,
            "pool": spec.pool,
        }
        for variable, paths in given.items():
            self.write.pick(f"given_{variable}", paths)
            self.write.add(f"{variable} = {clean}[given_{variable}]" if paths else f"{variable} = None")

    def finish(self, finishes: Mapping[str, str]) -> None:
        clean = name(self.absent)

        def reason(value: Any) -> str | None:
            word = clean(value)
            return None if word is None else finishes.get(word.casefold(), "other")

        self.write.pick("finish", self.spec.finish_reason)
        self.write.add(f"finish = {self.write.bind(Memory(reason))}[finish]")

    def outcome(self, rules: ErrorRules) -> None:
        write, ending, failure = self.write, self.spec.outcome, self.spec.error
        endings = Endings(ending, rules, self.absent)
        given = {"word": ending.word, "code": ending.code, "flags": ending.flags, "error": ending.error}
        for variable, paths in given.items():
            write.pick(variable, paths)
        if ending.error:
            # That there is one is all that is asked and remembered: it may be a text.
            write.add("error = error not in absent or None")
        seen = [variable for variable, paths in given.items() if paths]
        known = write.bind(Memory(endings.remembered(seen)))
        write.add(f"outcome = {known}[{', '.join(seen) or None}]", "error_type = None")
        with write.inside("if outcome == 'error':"):
            write.pick("decided", failure.type)
            write.pick("kind", failure.class_)
            write.pick("code", (*(failure.code or ()), *(ending.code or ())))
            write.pick("message", failure.message)
            write.add(f"error_type = {write.bind(endings.error)}(decided, kind, code, flags, message)")

    def seconds(self, variable: str, spec: Sequence[Duration]) -> None:
        """The first of the alternatives that says something."""
        self.write.add(f"{variable} = None")
        with ExitStack() as around:
            for number, one in enumerate(spec):
                if number:
                    around.enter_context(self.write.inside(f"if {variable} is None:"))
                self._span(variable, one)
                if one.zeros == "not_reported":
                    self.write.add(f"if not {variable}: {variable} = None")

    def _span(self, variable: str, spec: Duration) -> None:
        write, text = self.write, self.spec.text_numbers
        write.pick("end", spec.at or spec.end)
        if spec.filler:
            write.pick("filler", spec.filler)
            write.add("if end == filler: end = None")
        if spec.begin:
            write.pick("begin", spec.begin)
            span = write.bind(amounts.between(spec.unit, self.absent, text=text))
            write.add(f"{variable} = {span}(begin, end)")
            return
        # Python compares numbers of one kind much faster than an int with a float.
        longest = int(amounts.LONGEST * spec.divisor)
        for word, kind, least, most in (
            ("if", "float", "0.0", f"{longest}.0"),
            ("elif", "int", "0", longest),
        ):
            with write.inside(f"{word} end.__class__ is {kind} and {least} <= end <= {most}:"):
                write.add(f"{variable} = end / {spec.divisor}")
        with write.inside("elif end not in absent:"):
            write.add(f"{variable} = {write.bind(amounts.seconds(spec.unit, text=text))}(end)")

    def time(self) -> None:
        write = self.write
        write.add("time = None")
        with ExitStack() as around:
            for number, one in enumerate(self.spec.time, 1):
                if number > 1:
                    around.enter_context(write.inside("if time is None:"))
                write.pick("given_time", one.at)
                if one.unit == "iso":
                    self._iso()
                # The same field may hold a number elsewhere: another alternative says so.
                alone = one.unit != "iso" or number == len(self.spec.time)
                kind = "" if alone else " and given_time.__class__ is str"
                with write.inside(f"if time is None and given_time not in absent{kind}:"):
                    convert = amounts.moment(one.unit, text=self.spec.text_numbers)
                    write.add(f"time = {write.bind(convert)}(given_time)")
                if one.of == "start":
                    write.add("if duration is not None and time is not None: time += duration")
        write.add(f"if time is None: raise {self.invalid}('missing')")

    def _iso(self) -> None:
        """What nearly every time is, without a call; the rest is left to ``amounts.moment``."""
        with self.write.inside("try:"):
            self.write.add(f"stamp = {self.write.bind(datetime.fromisoformat)}(given_time)")
            self.write.add("time = None if stamp.tzinfo is None else stamp.timestamp()")
            self.write.add("if time is not None and time < 0.0: time = None")
        with self.write.inside("except (TypeError, ValueError, OverflowError):"):
            self.write.add("time = None")

    def id(self) -> None:
        spec, write = self.spec.id, self.write
        write.pick("id", spec.at if spec else None)
        # Longer than any word that stands for nothing: an id is new in every line, and asking would hash it.
        least = max(len(word) for word in self.absent if isinstance(word, str))
        with write.inside(f"if not (id.__class__ is str and {least} < len(id) <= {LONGEST}):"):
            write.add(f"id = {write.bind(identify(self.absent))}(id)")
        if spec and spec.client_set:
            write.add("if id: id = f'{id}@{given_time}'")

    def tokens(self) -> None:
        """Disjoint classes: what a gateway counts inside another class is taken out of it."""
        spec, write = self.spec.tokens, self.write
        write.add("tokens = given_input = None")
        if spec is None:
            return
        count = write.bind(amounts.counter(text=self.spec.text_numbers))
        parts = {"input": spec.input, "cached_input": spec.cached_input, "cache_write": spec.cache_write,
                 "output": spec.output, "reasoning": spec.reasoning}  # fmt: skip
        read = {variable: one for variable, one in parts.items() if one}
        write.add(*(f"{variable} = 0" for variable in parts))
        for variable, one in read.items():
            given = f"given_{variable}"
            write.pick(given, one.at)
            write.add(f"if {given}.__class__ is int: {variable} = {given}")
            write.add(f"elif {given} not in absent: {variable} = {count}({given})")
        write.add(*(f"input -= {held}" for held in spec.input.holds))
        write.add(*(f"output -= {held}" for held in spec.output.holds))
        negative = " or ".join(f"{variable} < 0" for variable in read)
        write.add(f"if {negative}: raise {self.invalid}('negative')", f"total = {' + '.join(read)}")
        write.add(f"if total > {amounts.LARGEST_COUNT}: raise {self.invalid}('too_large')")
        zeros = " or given_input not in absent or given_output not in absent"
        with write.inside(f"if total{zeros if spec.zeros == 'counted' else ''}:"):
            write.add(f"tokens = {write.bind(Tokens)}({', '.join(parts)})")

    def required(self) -> None:
        """A key that is not there is missing; a null is an answer: it is known that there is nothing to report."""
        lacks = {
            "id": "not id",
            "model": "(model is None and given_model is not None)",
            "tokens": f"(tokens is None and given_input is {self.write.bind(UNSET)})",
        }
        always, success = self.spec.required.always, self.spec.required.success
        for needed, when in ((always, ""), (success, "outcome == 'success' and ")):
            for key in needed:
                self.write.add(f"if {when}{lacks[key]}: raise {self.invalid}('missing')")

    def result(self) -> None:
        self.write.pick("key", self.spec.key)
        self.write.add("key = None if key in absent else str(key)")
        fields = "id, time, outcome, team, model, requested_model, pool, tokens, ttft, duration, finish, error_type"
        self.write.add(f"return {self.write.bind(UsageRecord)}({fields}), key")
