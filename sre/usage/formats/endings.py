"""How a request ended: success or error, and an error of which type."""

from collections.abc import Callable, Sequence
from typing import Any

from sre.usage.formats.errors import Symptoms, decide
from sre.usage.formats.invalid import Invalid
from sre.usage.formats.model import Ending, GatewayFormat, Rule
from sre.usage.formats.slots import Slots, Values
from sre.usage.formats.words import Memory, weigh
from sre.usage.record import ERROR_TYPES, ErrorType, Outcome


def make_outcome(spec: Ending, slots: Slots) -> Callable[[Values], Outcome]:
    """A function that tells success from failure. It raises ``Invalid`` where nothing does."""
    word, code, flags, error = (
        slots.add(*(paths or ())) for paths in (spec.word, spec.code, spec.flags, spec.error)
    )
    known = Memory(lambda seen: _outcome(spec, slots, *seen), weigh)

    def outcome(values: Values) -> Outcome:
        return known[values[word], values[code], values[flags], values[error]]  # type: ignore[no-any-return]

    return outcome


def _outcome(spec: Ending, slots: Slots, word: Any, code: Any, flags: Any, error: Any) -> Outcome:
    if spec.failure_flags and any(flag in spec.failure_flags for flag in _text(flags, slots).split(",")):
        return "error"
    if _text(error, slots):
        return "error"
    if said := _text(word, slots):
        if said not in (*spec.success, *spec.failure):
            raise Invalid("wrong_type")
        return "success" if said in spec.success else "error"
    if said := _text(code, slots):
        return "success" if said in spec.success_codes else "error"
    if spec.otherwise is None:
        raise Invalid("missing")
    return spec.otherwise


def make_error(spec: GatewayFormat, slots: Slots, rules: Sequence[Rule]) -> Callable[[Values], ErrorType]:
    """A function that tells why it failed."""
    failure, ending = spec.error, spec.outcome
    decided, kind, message, flags = (
        slots.add(*(paths or ())) for paths in (failure.type, failure.class_, failure.message, ending.flags)
    )
    code = slots.add(*(failure.code or ()), *(ending.code or ()))
    types = {known: known for known in ERROR_TYPES}

    def error(values: Values) -> ErrorType:
        said = _text(values[decided], slots)
        if said in types:
            return types[said]
        return decide(rules, Symptoms(*(_text(values[slot], slots) for slot in (kind, code, flags, message))))

    return error


def _text(value: Any, slots: Slots) -> str:
    return "" if value in slots.absent else str(value)
