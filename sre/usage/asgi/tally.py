"""From an API's usage object to the five disjoint token classes."""

from sre.usage.asgi.shapes import Answer, Billed, Details, Number, Usage
from sre.usage.record import Tokens

_MOST = 2**53
"""Counts above it are no counts: floating point cannot hold them exactly."""


def tokens_of(usage: Usage, start: Usage | None = None) -> Tokens | None:
    """Disjoint classes; None where nothing was reported, or what was reported is no count.

    ``start`` is what Anthropic's first event said of the input: its last one may repeat the output alone.
    """
    if usage.tokens:
        return _tokens(usage.tokens.input_tokens, 0, 0, usage.tokens.output_tokens, 0)
    if usage.prompt_tokens is None and usage.input_tokens is None and start is None:
        return _tokens(usage.total_tokens, 0, 0, 0, 0)
    given = _input(usage) or (_input(start) if start else None)
    if given is None:
        return None
    output = usage.output_tokens if usage.completion_tokens is None else usage.completion_tokens
    details = usage.completion_tokens_details or usage.output_tokens_details or Details()
    return _tokens(*given, output or 0, details.reasoning_tokens or 0)


def _input(usage: Usage) -> tuple[Number, Number, Number] | None:
    """All input with the cached and the written part of it; None where the object does not say."""
    if usage.prompt_tokens is not None:
        return (usage.prompt_tokens, *_cached(usage.prompt_tokens_details))
    if usage.input_tokens is None:
        return None
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    if read or written:  # Anthropic counts what comes from the cache beside the input, not in it.
        return usage.input_tokens + read + written, read, written
    return (usage.input_tokens, *_cached(usage.input_tokens_details))


def _cached(details: Details | None) -> tuple[Number, Number]:
    if details is None:
        return 0, 0
    return details.cached_tokens or 0, details.cache_write_tokens or details.created_cache_tokens or 0


def _tokens(
    given: Number, cached: Number, written: Number, output: Number, reasoning: Number
) -> Tokens | None:
    counts = [_count(number) for number in (given, cached, written, output, reasoning)]
    if any(count is None for count in counts):
        return None
    given, cached, written, output, reasoning = (count or 0 for count in counts)
    # A part that is larger than its whole is cut down to it: totals are what the engine generated.
    cached = min(cached, given)
    written = min(written, given - cached)
    reasoning = min(reasoning, output)
    return Tokens(given - cached - written, cached, written, output - reasoning, reasoning)


def _count(number: Number) -> int | None:
    if number is None or not 0 <= number < _MOST or number != int(number):
        return None
    return int(number)


def billed(answer: Answer) -> Usage | None:
    """The usage of Cohere's embeddings, which stands elsewhere."""
    units = answer.meta.billed_units if answer.meta else None
    return Usage(tokens=Billed(units.input_tokens, units.output_tokens or 0)) if units else None
