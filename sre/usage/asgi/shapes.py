"""What is read of an API's answers: OpenAI's chat, completions and responses, Anthropic's messages, pooling, Cohere.

One shape for all of them, because names do not clash and one path can serve several (/invocations). Members that
are not named here are skipped by the decoder; texts stay undecoded bytes (``Raw``), seen and dropped.
"""

from typing import Any

import msgspec

Number = int | float | None


class Shape(msgspec.Struct, gc=False):
    """A JSON object of which the named members are read."""


class Details(Shape):
    cached_tokens: Number = None
    cache_write_tokens: Number = None
    created_cache_tokens: Number = None
    reasoning_tokens: Number = None


class Billed(Shape):
    """Cohere's two numbers."""

    input_tokens: Number = None
    output_tokens: Number = None


class Usage(Shape):
    prompt_tokens: Number = None
    completion_tokens: Number = None
    total_tokens: Number = None
    prompt_tokens_details: Details | None = None
    completion_tokens_details: Details | None = None
    input_tokens: Number = None
    output_tokens: Number = None
    input_tokens_details: Details | None = None
    output_tokens_details: Details | None = None
    cache_read_input_tokens: Number = None
    cache_creation_input_tokens: Number = None
    tokens: Billed | None = None


class Delta(Shape):
    content: msgspec.Raw = msgspec.Raw()
    reasoning: msgspec.Raw = msgspec.Raw()
    reasoning_content: msgspec.Raw = msgspec.Raw()
    tool_calls: msgspec.Raw = msgspec.Raw()
    refusal: msgspec.Raw = msgspec.Raw()
    stop_reason: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None


class Choice(Shape):
    finish_reason: str | None = None
    text: msgspec.Raw = msgspec.Raw()
    delta: Delta | None = None
    token_ids: msgspec.Raw = msgspec.Raw()


class Incomplete(Shape):
    reason: str | None = None


class Inner(Shape):
    """What answers and the objects inside events share (``response`` of OpenAI, ``message`` of Anthropic)."""

    model: str | None = None
    usage: Usage | None = None
    status: str | int | None = None
    incomplete_details: Incomplete | None = None
    error: msgspec.Raw = msgspec.Raw()


class Meta(Shape):
    billed_units: Billed | None = None


class Answer(Inner):
    """A whole answer, or the data of one event."""

    type: Any = None
    choices: list[Choice] | None = None
    delta: Delta | str | None = None
    message: Inner | str | None = None
    response: Inner | None = None
    stop_reason: str | None = None
    finish_reason: str | None = None
    meta: Meta | None = None


class Problem(Shape):
    """What went wrong: the object under ``error``, or the answer itself where an API has its members at the top."""

    message: str | None = None
    type: str | None = None
    code: int | str | None = None


class Failed(Shape):
    """An answer that holds a problem: an object, or a sentence."""

    error: Problem | str | None = None
    detail: msgspec.Raw = msgspec.Raw()


class Question(Shape):
    """What is read of a request: which model it asks for."""

    model: str | None = None


UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises; the last one for arrays in arrays without end, which a client can send."""

decode_answer = msgspec.json.Decoder(Answer).decode
decode_usage = msgspec.json.Decoder(Usage).decode
decode_failed = msgspec.json.Decoder(Failed).decode
decode_problem = msgspec.json.Decoder(Problem).decode
decode_question = msgspec.json.Decoder(Question).decode
