"""One request as every route gives it: who asked which model for how many tokens, and what came of it."""

from datetime import UTC, datetime
from typing import Literal, get_args

import msgspec

TokenClass = Literal["uncached_input", "cached_input", "cache_write", "output", "reasoning"]
"""Disjoint: a cached token is not among the uncached ones, a reasoning token not among the output."""

ErrorType = Literal[
    "oom",
    "engine_dead",
    "timeout",
    "client_cancelled",
    "invalid_input",
    "context_length",
    "auth",
    "rate_limited",
    "overloaded",
    "model_not_found",
    "upstream_unreachable",
    "content_filter",
    "server_error",
    "unknown",
]

FinishReason = Literal[
    "stop", "length", "tool_calls", "content_filter", "abort", "error", "repetition", "other"
]
"""Why an answer ended; `other` stands for a word that no gateway was known to write."""

Outcome = Literal["success", "error"]

TOKEN_CLASSES: tuple[TokenClass, ...] = get_args(TokenClass)
ERROR_TYPES: tuple[ErrorType, ...] = get_args(ErrorType)
FINISH_REASONS: tuple[FinishReason, ...] = get_args(FinishReason)


class Tokens(msgspec.Struct, gc=False):
    """Counts of one request, one for each of ``TOKEN_CLASSES``; none is negative."""

    uncached_input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0


class UsageRecord(msgspec.Struct, gc=False):
    """``id`` is empty where the gateway gives none; ``time`` is when the request ended, in epoch seconds.

    ``team`` is what the gateway authenticated, unchecked against any roster. ``tokens`` is None where nothing
    was reported, which is not zero. Seconds are finite and not negative. ``error_type`` is one of
    ``ERROR_TYPES`` for an error and None for a success, ``finish_reason`` one of ``FINISH_REASONS`` or None.
    """

    id: str
    time: float
    outcome: Outcome
    team: str | None = None
    model: str | None = None
    requested_model: str | None = None
    pool: str | None = None
    tokens: Tokens | None = None
    ttft_seconds: float | None = None
    duration_seconds: float | None = None
    finish_reason: str | None = None
    error_type: str | None = None


def to_line(record: UsageRecord) -> bytes:
    """One JSON line of ``contracts/usage.jsonl``, without the line's end; the format ``usage`` reads it back.

    Exact for times in whole microseconds. Tokens and model that a success does not have are written as null:
    that they were not reported is known, so the line is not taken for one that lacks them by mistake.
    """
    moment = datetime.fromtimestamp(record.time, UTC)
    digits = "microseconds" if moment.microsecond % 1000 else "milliseconds"
    fields = msgspec.structs.asdict(record) | {
        "time": moment.isoformat(timespec=digits).replace("+00:00", "Z")
    }
    known = ("model", "tokens") if record.outcome == "success" else ()
    return msgspec.json.encode(
        {key: value for key, value in fields.items() if value is not None or key in known}
    )
