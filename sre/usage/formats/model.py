"""A gateway's format as its file says it: where in a record each thing stands, and in what units."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from sre.catalogue.amounts import Entry, Line
from sre.explain import objection
from sre.source import Loc, show
from sre.usage.formats.amounts import DIVISORS, Clock, Unit
from sre.usage.formats.paths import Path, split
from sre.usage.record import ErrorType, FinishReason

Required = Literal["id", "model", "tokens"]

_KEY = re.compile(r"[^\"\\\x00-\x1f]+")
_DEEPEST = 16
_RANGE = re.compile(r"(\d{1,3})-(\d{1,3})", re.ASCII)


def _paths(value: object) -> object:
    """One path, or a list of which the first that holds something counts."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        return value
    for text in value:
        if not all(_KEY.fullmatch(key) for key in split(text)) or len(split(text)) > _DEEPEST:
            fix = "join keys by `/`, like usage/prompt_tokens"
            raise objection(f"{show(text)} is no path", fix, "nothing would ever be found there")
    return tuple(split(text) for text in value)


def _words(value: object) -> object:
    """Words as text; numbers too, and `400-499` for each code of a range."""
    if not isinstance(value, list | tuple):
        return value
    found = list[object]()
    for word in value:
        codes = _RANGE.fullmatch(word) if isinstance(word, str) else None
        if codes:
            found += map(str, range(int(codes[1]), int(codes[2]) + 1))
        else:
            found.append(str(word) if isinstance(word, int) and not isinstance(word, bool) else word)
    return tuple(found)


Paths = Annotated[tuple[Path, ...], Field(min_length=1), BeforeValidator(_paths)]
Words = Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(_words)]


class Identifier(Entry):
    """Where the request's id is; ``client_set`` where a client can choose it.

    Such an id is joined with the time: who sent the same one with every request would be counted once.
    """

    at: Paths = Field(description="what tells a request from all others", examples=["request_id"])
    client_set: bool = Field(False, description="whether a client can choose the id")


class Moment(Entry):
    """When the request ended; of its start, the duration is added."""

    at: Paths = Field(description="where the time stands", examples=["end_time"])
    unit: Clock = Field(description="seconds, milliseconds and microseconds differ", examples=["iso"])
    of: Literal["start", "end"] = Field("end", description="what it is the moment of")


class Duration(Entry):
    """Seconds ``at`` a place, or from the moment ``begin`` to the moment ``end``.

    None where the same value stands in ``filler``: some gateways fill in the whole time for the first token's.
    """

    at: Paths | None = Field(None, description="where the time stands", examples=["duration_ms"])
    begin: Paths | None = Field(None, description="the moment from which it counts")
    end: Paths | None = Field(None, description="the moment to which it counts")
    unit: Unit = Field(description="seconds, milliseconds and microseconds differ", examples=["ms"])
    filler: Paths | None = Field(None, description="what a gateway fills in when it has nothing to say")
    zeros: Literal["counted", "not_reported"] = Field("counted", description="what it means that it is 0")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.at is None) == (self.begin is None) or (self.begin is None) != (self.end is None):
            what, fix = "a time is either `at` a place or from `begin` to `end`", "write `at`, or both others"
            raise objection(what, fix, "it would be a guess")
        return self

    @property
    def divisor(self) -> float:
        """Of its unit in a second."""
        return DIVISORS[self.unit]


class Team(Entry):
    """Who consumed: as the gateway ``authenticated`` it, or as a client says (on trusted routes alone)."""

    authenticated: Paths | None = Field(None, description="the team or consumer that the gateway knows")
    client_set: Paths | None = Field(None, description="what a client can choose, like a header")


class Count(Entry):
    """Where the tokens of one class are counted."""

    at: Paths = Field(description="where the count stands", examples=["usage/prompt_tokens"])


class InputCount(Count):
    holds: tuple[Literal["cached_input", "cache_write"], ...] = Field(
        (), description="classes counted inside the input, and taken out of it"
    )


class OutputCount(Count):
    holds: tuple[Literal["reasoning"], ...] = Field(
        (), description="classes counted inside the output, and taken out of it"
    )


class Counts(Entry):
    """Token classes; ``zeros`` says what it means that all are 0."""

    input: InputCount = Field(description="no token could be counted", examples=[{"at": "prompt_tokens"}])
    cached_input: Count | None = Field(None, description="input read from a cache")
    cache_write: Count | None = Field(None, description="input written to a cache")
    output: OutputCount = Field(
        description="no token could be counted", examples=[{"at": "completion_tokens"}]
    )
    reasoning: Count | None = Field(None, description="output that was thinking")
    zeros: Literal["counted", "not_reported"] = Field("counted", description="missing is not zero")


class Ending(Entry):
    """How success is told. A failure by flag, error or word weighs more than a code; `otherwise` comes last."""

    word: Paths | None = Field(None, description="where success or failure is written")
    success: Words = Field(("success",), description="words that mean success")
    failure: Words = Field(("failure", "error"), description="words that mean failure")
    code: Paths | None = Field(None, description="where the status code is")
    success_codes: Words = Field(("200-399",), description="codes of success", validate_default=True)
    flags: Paths | None = Field(None, description="where the proxy's response flags are")
    failure_flags: Words | None = Field(None, description="flags of a request that failed, whatever its code")
    error: Paths | None = Field(None, description="where an error stands, and nothing else")
    otherwise: Literal["success", "error"] | None = Field(None, description="where nothing else tells")

    @model_validator(mode="after")
    def _tells(self) -> Self:
        if self.word is None and self.code is None and self.otherwise is None:
            what, fix = "nothing tells success from failure", "give `word`, `code` or `otherwise`"
            raise objection(what, fix, "every line would be invalid")
        return self


class Failure(Entry):
    """What the rules of errors.yaml look at, beside the ending's code and flags."""

    type: Paths | None = Field(None, description="an error type of our own list, decided already")
    class_: Paths | None = Field(None, validation_alias="class", description="class of the error")
    code: Paths | None = Field(None, description="code of the error, where it is not the status")
    message: Paths | None = Field(None, description="text of the error: matched, never kept")


class Requirements(Entry):
    """Without these a line is no record."""

    always: tuple[Required, ...] = Field((), description="of every record")
    success: tuple[Required, ...] = Field((), description="of a success; a null says that it is not known")


class GatewayFormat(Entry):
    """One file of ``exporters/gateways``."""

    title: Line = Field(description="what people call it", examples=["LiteLLM proxy"])
    source: Line = Field(description="which log or callback of which release", examples=["its access log"])
    notes: tuple[Line, ...] = Field((), description="what users have to switch on, and what they cannot have")
    configure: str = Field("", description="what to write into the gateway's own configuration")
    embedded: Line | None = Field(None, description="the key whose text is JSON itself", examples=["ai_log"])
    loose: Paths | None = Field(
        None, description="what may hold anything: read where it is a mapping, passed over where it is not"
    )
    text_numbers: bool = Field(False, description="whether a number may be written as text")
    absent: Words | None = Field(None, description="words that stand for nothing, beside '', '-' and 'None'")
    id: Identifier | None = Field(None, description="nothing is taken for a duplicate without it")
    time: Annotated[tuple[Moment, ...], Field(min_length=1)] = Field(
        description="lag and months are counted by it", examples=[[{"at": "end_time", "unit": "iso"}]]
    )
    team: Team = Field(Team(authenticated=None, client_set=None), description="who consumed")
    key: Paths | None = Field(None, description="the API key or its hash, looked up in the key map")
    model: Paths | None = Field(None, description="the model that answered")
    requested_model: Paths | None = Field(None, description="the model that was asked for")
    pool: Paths | None = Field(None, description="the pool of the fleet that answered")
    tokens: Counts | None = Field(None, description="what was consumed")
    ttft: tuple[Duration, ...] = Field((), description="time to the first token, of streams")
    duration: tuple[Duration, ...] = Field((), description="time of the whole request")
    finish_reason: Paths | None = Field(None, description="why the answer ended")
    outcome: Ending = Field(description="what came of it", examples=[{"code": "status"}])
    error: Failure = Field(Failure.model_validate({}), description="why it failed")
    required: Requirements = Field(Requirements(always=(), success=()), description="a record's minimum")


class Rule(Entry):
    """All conditions that are given must hold, and of each at least one word."""

    type: ErrorType = Field(description="the type that it decides", examples=["timeout"])
    class_: Words | None = Field(None, validation_alias="class", description="last word of the class")
    code: Words | None = Field(None, description="status or code; `none` where there is none")
    flags: Words | None = Field(None, description="response flags of the proxy")
    message: Words | None = Field(None, description="part of the text, in any case")

    @model_validator(mode="after")
    def _asks(self) -> Self:
        if not any((self.class_, self.code, self.flags, self.message)):
            fix = "give `class`, `code`, `flags` or `message`"
            raise objection("the rule asks for nothing", fix, "every error would be of this type")
        return self


class ErrorsFile(Entry):
    """``errors.yaml``: the first rule that holds decides."""

    rules: Annotated[tuple[Rule, ...], Field(min_length=1)] = Field(
        description="errors would all be unknown", examples=[[{"type": "timeout", "code": [504]}]]
    )


class FinishesFile(Entry):
    """``finish_reasons.yaml``: our word -> the words that gateways have for it."""

    words: dict[FinishReason, Words] = Field(
        description="finish reasons would all be other", examples=[{"stop": ["stop", "end_turn"]}]
    )

    def by_word(self) -> dict[str, FinishReason]:
        """A gateway's word, casefolded -> ours."""
        return {word.casefold(): ours for ours, words in self.words.items() for word in words}


def paths_of(value: Any, loc: Loc = ()) -> Iterator[tuple[Loc, Path]]:
    """Every path of a format, after the place where it stands in the format's file."""
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            spelled = field.validation_alias if isinstance(field.validation_alias, str) else name
            yield from paths_of(getattr(value, name), (*loc, spelled))
    elif isinstance(value, tuple) and value and isinstance(value[0], tuple):
        yield from ((loc, path) for path in value)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from paths_of(item, (*loc, index))
