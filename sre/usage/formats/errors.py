"""Why a request failed, by ordered rules: the first one that holds decides, and the text is only looked at."""

from collections.abc import Sequence
from dataclasses import dataclass

from sre.usage.formats.model import Rule
from sre.usage.record import ErrorType

_LOOKED_AT = 4096
"""Characters of a message: what says why comes early, and a client can make it as long as it likes."""


@dataclass(frozen=True)
class Symptoms:
    """What a gateway says about a failure, as text; empty where it says nothing."""

    kind: str
    code: str
    flags: str
    message: str


def decide(rules: Sequence[Rule], seen: Symptoms) -> ErrorType:
    """One of ``ERROR_TYPES``. Takes time in proportion to the rules, whatever the message holds."""
    kind = seen.kind.rpartition(".")[2]
    code = seen.code or "none"
    flags = seen.flags.split(",")
    message = seen.message[:_LOOKED_AT].casefold()
    for rule in rules:
        if (
            (rule.class_ is None or kind in rule.class_)
            and (rule.code is None or code in rule.code)
            and (rule.flags is None or any(flag in rule.flags for flag in flags))
            and (rule.message is None or any(part.casefold() in message for part in rule.message))
        ):
            return rule.type
    return "unknown"
