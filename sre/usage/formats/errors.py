"""Why a request failed, by ordered rules: the first one that holds decides, and the text is only looked at."""

from collections.abc import Sequence

from sre.usage.formats.model import Rule
from sre.usage.formats.words import Memory
from sre.usage.record import ErrorType

_LOOKED_AT = 4096
"""Characters of a message: what says why comes early, and a client can make it as long as it likes."""

_Question = tuple[tuple[str, ...], ErrorType]
"""Parts of which the message must hold one (none: any message will do), and what it is then."""


class ErrorRules:
    """Decides in time that is proportional to the rules, whatever the message holds; of which it keeps nothing."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._open = Memory(lambda seen: self._questions(*seen))

    def decide(self, kind: str, code: str, flags: str, message: str) -> ErrorType:
        """One of ``ERROR_TYPES``, from texts that are empty where a gateway says nothing."""
        text = message[:_LOOKED_AT].casefold()
        for parts, decided in self._open[kind, code, flags]:
            if not parts or any(part in text for part in parts):
                return decided  # type: ignore[no-any-return]
        return "unknown"

    def _questions(self, kind: str, code: str, flags: str) -> tuple[_Question, ...]:
        """What is left to ask of the message, once class, code and flags are known."""
        said = flags.split(",")
        found = list[_Question]()
        for rule in self._rules:
            if (
                (rule.class_ is None or kind.rpartition(".")[2] in rule.class_)
                and (rule.code is None or (code or "none") in rule.code)
                and (rule.flags is None or not set(rule.flags).isdisjoint(said))
            ):
                found.append((tuple(part.casefold() for part in rule.message or ()), rule.type))
                if not rule.message:
                    break
        return tuple(found)
