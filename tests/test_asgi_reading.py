"""What the middleware reads in an engine's answers: any API, cut into pieces anywhere."""

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.usage.asgi.call import Call
from sre.usage.asgi.events import Events
from sre.usage.asgi.kept import END, WHOLE, Kept
from sre.usage.asgi.reply import Reply
from sre.usage.asgi.settings import meter_from
from sre.usage.record import Tokens, UsageRecord, to_line


def event(data: object, name: str = "", end: str = "\n\n") -> bytes:
    """One server-sent event."""
    return (f"event: {name}\n" if name else "").encode() + f"data: {json.dumps(data)}{end}".encode()


def chunk(text: str = "", finish: str | None = None, index: int = 0, **more: object) -> dict[str, object]:
    """One piece of a streamed chat completion."""
    choice = {"index": index, "delta": {"content": text}, "finish_reason": finish}
    return {"id": "c", "model": "small", "choices": [choice], **more}


METER = meter_from({"SRE_USAGE_METRICS": "off"})
DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
CHAT = b"".join(
    (
        event(chunk()),
        b": still there\n\n",
        event(chunk('ein "usage": {"prompt_tokens": 99}')),
        event(chunk("é"), end="\r\n\r\n"),
        event(chunk("x", "length")),
        event({"id": "c", "model": "small", "choices": [], "usage": USAGE}),
        DONE,
    )
)


def read(
    pieces: Iterable[bytes], kind: str = "text/event-stream", status: int = 200, asked: object = None
) -> UsageRecord:
    """The record of one call whose answer comes in these pieces; each reading of the clock is a second later."""
    ticks = iter(range(10_000))
    call = Call("search", Reply(METER.classify, METER.finishes), lambda: float(next(ticks)))
    call.see_request({"type": "http.request", "body": json.dumps(asked or {"model": "small"}).encode()})
    headers = [(b"content-type", kind.encode())]
    call.see_answer({"type": "http.response.start", "status": status, "headers": headers})
    for piece in pieces:
        call.see_answer({"type": "http.response.body", "body": piece, "more_body": True})
    call.see_answer({"type": "http.response.body"})
    return METER.record(call)


def read_answer(answer: object, status: int = 200) -> UsageRecord:
    return read([json.dumps(answer).encode()], "application/json; charset=utf-8", status)


def said(record: UsageRecord) -> dict[str, object]:
    """A record without what differs from one time to the next; of the time to first token, whether there is one."""
    fields = msgspec.structs.asdict(record)
    return {
        **fields,
        "ttft_seconds": record.ttft_seconds is not None,
        "id": 0,
        "time": 0,
        "duration_seconds": 0,
    }


def cut(whole: bytes, places: Iterable[int]) -> list[bytes]:
    ends = [0, *sorted(place % (len(whole) + 1) for place in places), len(whole)]
    return [whole[start:end] for start, end in pairwise(ends)]


@given(st.lists(st.integers(0, 10_000), max_size=40))
def test_a_stream_reads_the_same_however_it_is_cut(places: Sequence[int]) -> None:
    """Wherever a server or proxy cuts the bytes of a stream, the record is that of the whole stream."""
    assert said(read(cut(CHAT, places))) == said(read([CHAT]))


def test_a_stream_reads_the_same_byte_by_byte() -> None:
    """One byte a message: text in a string is no usage, a line end may come in halves, the last usage counts."""
    record = read([CHAT[at : at + 1] for at in range(len(CHAT))])
    assert record.tokens == Tokens(uncached_input=7, output=3)
    assert (record.finish_reason, record.model, record.outcome) == ("length", "small", "success")


@given(
    st.lists(st.sampled_from([b"data: a", b"data:b", b"\n", b"\r", b"\r\n", b": c", b"x", b"data"])),
    st.data(),
)
def test_any_bytes_give_the_same_events_however_they_are_cut(
    parts: Sequence[bytes], data: st.DataObject
) -> None:
    """The events of a stream do not depend on its pieces, whatever kind of line ends it mixes."""
    whole = b"".join(parts)
    places = data.draw(st.lists(st.integers(0, len(whole)), max_size=10))
    assert events(cut(whole, places)) == events([whole])


def test_a_line_end_may_come_in_halves() -> None:
    """Between a carriage return and its line feed no event ends: data of two lines stays one event."""
    whole = b"data: a\r\ndata: b\r\n\r\n"
    for at in range(len(whole) + 1):
        assert events([whole[:at], whole[at:]]) == [b"a\nb"]


def events(pieces: Iterable[bytes]) -> list[bytes]:
    stream = Events()
    return [data for piece in pieces for data in stream.feed(piece)] + list(stream.rest())


def test_a_stream_is_counted_once_where_every_chunk_repeats_the_usage() -> None:
    """With forced usage vLLM sends running totals in every chunk: the last one is what was used."""
    running = [
        event(chunk("x", usage={"prompt_tokens": 1, "completion_tokens": n, "total_tokens": n + 1}))
        for n in range(1, 21)
    ]
    assert read([*running, DONE]).tokens == Tokens(uncached_input=1, output=20)


def test_the_first_token_is_the_first_content() -> None:
    """A chunk that only opens the answer, or a comment that keeps it alive, is no first token."""
    pieces = [event(chunk()), b": wait\n\n", event(chunk("H")), event(chunk("i")), DONE]
    # The clock is asked at the start, at the first content and at the end.
    assert read(pieces).ttft_seconds == 1.0
    assert read([event(chunk()), DONE]).ttft_seconds is None


def test_several_choices_end_for_the_reason_that_tells_most() -> None:
    """Of a request for three replies one is cut at its limit: the request counts as cut."""
    ends = [event(chunk("a", "stop", 0)), event(chunk("b", "length", 1)), event(chunk("c", "stop", 2))]
    assert read([*ends, event({"choices": [], "usage": USAGE}), DONE]).finish_reason == "length"


DETAILED = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 60, "created_cache_tokens": 10},
    "completion_tokens_details": {"reasoning_tokens": 30},
}
RESPONSES = {
    "input_tokens": 100,
    "output_tokens": 50,
    "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
    "output_tokens_details": {"reasoning_tokens": 30},
}
MESSAGES = {
    "input_tokens": 30,
    "output_tokens": 50,
    "cache_read_input_tokens": 60,
    "cache_creation_input_tokens": 10,
}


@pytest.mark.parametrize(
    ("answer", "tokens", "finish"),
    [
        ({"choices": [{"finish_reason": "stop"}], "usage": DETAILED}, Tokens(30, 60, 10, 20, 30), "stop"),
        ({"choices": [{"text": "x", "finish_reason": "length"}], "usage": USAGE}, Tokens(7, 0, 0, 3), "length"),
        ({"status": "completed", "error": None, "usage": RESPONSES}, Tokens(30, 60, 10, 20, 30), "stop"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "usage": RESPONSES},
            Tokens(30, 60, 10, 20, 30),
            "length",
        ),
        (
            {"type": "message", "stop_reason": "max_tokens", "usage": MESSAGES},
            Tokens(30, 60, 10, 50),
            "length",
        ),
        ({"data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 9, "total_tokens": 9}}, Tokens(9), None),
        ({"results": [], "usage": {"total_tokens": 9}}, Tokens(9), None),
        ({"answers": {}, "usage": {"input_tokens": 5, "output_tokens": 1}}, Tokens(5, 0, 0, 1), None),
        ({"embeddings": {}, "meta": {"billed_units": {"input_tokens": 4.0}}}, Tokens(4), None),
        (
            {"message": {}, "finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": 4, "output_tokens": 2}}},
            Tokens(4, 0, 0, 2),
            "stop",
        ),
        ({"choices": [{"finish_reason": "stop"}], "usage": None}, None, "stop"),
        ({"choices": [], "usage": {"prompt_tokens": -1, "completion_tokens": 2}}, None, None),
        ({"choices": [], "usage": {"prompt_tokens": 2**70, "completion_tokens": 2}}, None, None),
        ({"choices": [], "usage": {"prompt_tokens": 1.5, "completion_tokens": 2}}, None, None),
        ({"choices": [], "usage": "none of your business"}, None, None),
    ],
)  # fmt: skip
def test_each_api_is_read(answer: object, tokens: Tokens | None, finish: str | None) -> None:
    """Chat, completions, responses, messages, embeddings, rerank, decisions, Cohere: classes come out disjoint.

    What is no count is not reported, which is not zero.
    """
    record = read_answer(answer)
    assert (record.tokens, record.finish_reason, record.outcome) == (tokens, finish, "success")


def test_a_streamed_response_is_read_from_its_last_event() -> None:
    """OpenAI's responses: the first delta is the first token, usage and end stand inside `response.completed`."""
    last = {"model": "small", "status": "incomplete", "usage": RESPONSES}
    last["incomplete_details"] = {"reason": "max_output_tokens"}
    record = read(
        [
            event({"type": "response.created", "response": {"model": "small", "status": "in_progress", "usage": None}}),
            event({"type": "response.output_text.delta", "delta": "Hi"}, "response.output_text.delta"),
            event({"type": "response.completed", "response": last}, "response.completed"),
        ]
    )  # fmt: skip
    assert (record.tokens, record.finish_reason) == (Tokens(30, 60, 10, 20, 30), "length")
    assert record.ttft_seconds == 1.0


def test_a_streamed_message_joins_input_and_output() -> None:
    """Anthropic's messages: the first event counts the input, the last one may count the output alone."""
    opening = {"model": "small", "usage": MESSAGES | {"output_tokens": 1}}
    stream = [
        event({"type": "message_start", "message": opening}, "message_start"),
        event({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hi"}}),
        event(
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 50}}
        ),
    ]
    assert read(stream).tokens == Tokens(30, 60, 10, 50)
    assert read(stream).finish_reason == "stop"
    assert read(stream[:2]).tokens is None, "output that nobody counted is not zero output"


@pytest.mark.parametrize("pieces", [1, 50])
def test_a_long_answer_is_read_from_its_end_and_not_kept(pieces: int) -> None:
    """A hundred thousand embeddings: usage stands at the end, and memory stays small whatever comes."""
    vectors = [[0.123456789] * 64] * 2000
    answer = json.dumps(
        {"data": vectors, "model": "small", "usage": {"prompt_tokens": 9, "total_tokens": 9}}
    ).encode()
    assert len(answer) > WHOLE
    assert read(
        cut(answer, range(0, len(answer), len(answer) // pieces)), "application/json"
    ).tokens == Tokens(9)
    kept = Kept()
    for _ in range(200):
        kept.add(b"x" * END)
        assert len(kept) <= WHOLE
    assert len(kept) <= 2 * END


def test_a_stream_that_never_ends_a_line_takes_no_memory() -> None:
    """An event of 20 MB passes; its end is still read."""
    tail = json.dumps({"usage": USAGE}).encode()[1:]
    pieces = [b'data: {"choices": [], "x": "', *[b"y" * 100_000] * 200, b'", ' + tail, b"\n\n"]
    assert read(pieces).tokens == Tokens(7, 0, 0, 3)


def test_the_model_that_was_asked_for_is_found_in_a_long_question() -> None:
    """Clients put the model after megabytes of pictures; a schema's own `model` is not mistaken for it."""
    asked = {
        "messages": ["x" * 3_000_000],
        "tools": [{"properties": {"model": {"type": "string"}}}],
        "model": "small",
    }
    assert read([CHAT], asked=asked).requested_model == "small"
    assert (
        read([CHAT], asked={"messages": [{"content": '"model": "evil"'}], "model": 5}).requested_model is None
    )


def test_an_error_inside_a_stream_is_an_error() -> None:
    """The status was sent long ago: what fails later stands in the stream, as vLLM writes it."""
    problem = {"message": "EngineCore encountered an issue. See stack trace for the root cause.", "code": 500}
    record = read([event(chunk("Hi")), event({"error": problem | {"type": "InternalServerError"}}), DONE])
    assert (record.outcome, record.error_type) == ("error", "engine_dead")
    assert record.tokens is None


def problem(message: str, **more: object) -> dict[str, object]:
    """An error as OpenAI and vLLM write it."""
    return {"error": {"message": message, **more}}


TOO_LONG = "This model's maximum context length is 1024 tokens. However, your prompt contains 1500"


@pytest.mark.parametrize(
    ("status", "body", "error_type"),
    [
        (401, {"error": "Unauthorized"}, "auth"),
        (404, problem("The model `x` does not exist.", type="NotFoundError", code=404), "model_not_found"),
        (400, problem("max_tokens must be at least 1", type="BadRequestError"), "invalid_input"),
        (400, problem(TOO_LONG, type="BadRequestError", code=400), "context_length"),
        (
            400,
            problem("long", type="invalid_request_error", code="context_length_exceeded"),
            "context_length",
        ),
        (400, {"object": "error", "message": TOO_LONG, "code": 400}, "context_length"),
        (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, "invalid_input"),
        (429, problem("slow down"), "rate_limited"),
        (500, problem("CUDA out of memory. Tried to allocate 2 GiB"), "oom"),
        (500, problem("EngineCore encountered an issue."), "engine_dead"),
        (500, "Internal Server Error", "server_error"),
        (503, {"error": "Service Unavailable"}, "overloaded"),
    ],
)
def test_errors_are_told_apart(status: int, body: object, error_type: str) -> None:
    """The rules of exporters/gateways/errors.yaml decide by status, class and text; the text goes no further."""
    record = read_answer(body, status)
    assert (record.outcome, record.error_type) == ("error", error_type)
    assert "memory" not in repr(record)


def test_an_answer_in_a_code_of_its_own_is_not_guessed_at() -> None:
    """Compressed by a layer further in: the request counts, its tokens are missing and not zero."""
    call = Call("search", Reply(METER.classify, METER.finishes), lambda: 0.0)
    headers = [(b"content-type", b"application/json"), (b"Content-Encoding", b"gzip")]
    call.see_answer({"type": "http.response.start", "status": 200, "headers": headers})
    call.see_answer({"type": "http.response.body", "body": b'{"usage": {"prompt_tokens": 1}}'})
    record = METER.record(call)
    assert (record.outcome, record.tokens) == ("success", None)


def test_arrays_without_end_do_not_hide_a_request() -> None:
    """A client cannot get around the counting by sending what no decoder follows."""
    for asked in (
        b'{"model": "small", "metadata": ' + b"[" * 50_000,
        b'{"x": "' + b"y" * WHOLE + b'", "model": ' + b"[" * 50_000,
    ):
        call = Call("search", Reply(METER.classify, METER.finishes), lambda: 0.0)
        call.see_request({"type": "http.request", "body": asked})
        headers = [(b"content-type", b"application/json")]
        call.see_answer({"type": "http.response.start", "status": 200, "headers": headers})
        call.see_answer({"type": "http.response.body", "body": json.dumps({"usage": USAGE}).encode()})
        assert METER.record(call).tokens == Tokens(7, 0, 0, 3)


NAMES = [
    *("model", "usage", "choices", "delta", "message", "response", "error", "status", "type", "stop_reason"),
    *("finish_reason", "prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens"),
    *(
        "tokens",
        "meta",
        "billed_units",
        "prompt_tokens_details",
        "cached_tokens",
        "incomplete_details",
        "reason",
    ),
    *("content", "text", "code", "detail"),
]
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(NAMES)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=20,
)


@given(JSON, st.binary(max_size=50), st.sampled_from([0, 200, 404, 500]), st.booleans())
def test_whatever_is_sent_can_be_read(answer: object, noise: bytes, status: int, streamed: bool) -> None:
    """Any JSON with the names that mean something, any bytes: a record comes out, whose tokens are counts."""
    kind = "text/event-stream" if streamed else "application/json"
    pieces = [event(answer), noise, b"\n\n"] if streamed else [json.dumps(answer).encode(), noise]
    record = read(pieces, kind, status, asked=answer)
    assert record.outcome in {"success", "error"}
    assert (record.error_type is None) == (record.outcome == "success")
    if record.tokens:
        assert all(count >= 0 for count in msgspec.structs.astuple(record.tokens))
    to_line(record)
