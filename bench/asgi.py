"""What the ASGI middleware costs: microseconds a chunk, and what it adds to the time to first token.

    nice -n 5 python bench/asgi.py

The same application sends the same chunks with the middleware around it and without, in turns, in one process and
over no socket. A chunk costs the difference of the best rounds of long answers, the first token that of the medians
of many short ones. Targets: under 20 microseconds a chunk, under 1 % of the time to first token.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from prometheus_client import CollectorRegistry

from sre.usage.asgi import UsageMiddleware
from sre.usage.asgi.meter import Meter
from sre.usage.asgi.settings import meter_from

CHUNKS = 2000
ROUNDS = 9
SHORT = 200
TTFT = 0.05
"""Seconds: a fast first token, of a small prompt on an idle GPU. What is added is compared with it."""

App = Callable[[Any, Any, Any], Awaitable[None]]


def chunk(**more: object) -> bytes:
    """One piece of a streamed chat completion, as vLLM 0.32 writes it."""
    choice = {
        "index": 0,
        "delta": {"content": " word"},
        "logprobs": None,
        "finish_reason": None,
        "token_ids": None,
    }
    data = {"id": "chatcmpl-9962199449b08317", "object": "chat.completion.chunk", "created": 1795293515}
    data |= {"model": "llama-3.3-70b", "choices": [choice], **more}
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"


USAGE = {"prompt_tokens": 1200, "total_tokens": 1220, "completion_tokens": 20}
MESSAGE = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " word"}}
KINDS = {
    "chat": [chunk()],
    "chat, forced usage": [chunk(usage=USAGE)],
    "messages": [b"event: content_block_delta\ndata: " + json.dumps(MESSAGE).encode() + b"\n\n"],
    "chat, cut in two": [chunk()[:100], chunk()[100:]],
}
QUESTION = json.dumps(
    {"messages": [{"role": "user", "content": "word " * 1000}], "model": "llama-3.3-70b"}
).encode()


def engine(pieces: list[bytes], chunks: int) -> App:
    """An engine that reads the question and sends its pieces, over and over."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for index in range(chunks):
            await send({"type": "http.response.body", "body": pieces[index % len(pieces)], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


async def ask(app: App) -> tuple[float, float]:
    """Seconds from the question to the first chunk, and from there to the end."""
    moments = list[float]()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": QUESTION, "more_body": False}

    async def send(message: Any) -> None:
        if not moments and message["type"] == "http.response.body":
            moments.append(time.perf_counter())

    headers = [(b"host", b"x"), (b"authorization", b"Bearer sk-0123456789abcdef0123456789abcdef")]
    begin = time.perf_counter()
    await app(
        {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": headers}, receive, send
    )
    return moments[0] - begin, time.perf_counter() - moments[0]


async def ask_often(app: App, times: int) -> list[tuple[float, float]]:
    return [await ask(app) for _ in range(times)]


def microseconds(pieces: list[bytes], meter: Meter) -> tuple[float, float, float]:
    """What a chunk costs more, what it costs without the middleware, and what the first token costs more."""
    long, short = engine(pieces, CHUNKS), engine(pieces, 2)
    seen_long, seen_short = UsageMiddleware(long, meter), UsageMiddleware(short, meter)
    rests, firsts = list[tuple[float, float]](), list[tuple[float, float]]()
    for _ in range(ROUNDS):
        rests.append((asyncio.run(ask(long))[1], asyncio.run(ask(seen_long))[1]))
        pair = [asyncio.run(ask_often(app, SHORT)) for app in (short, seen_short)]
        firsts.append(tuple(median(first for first, _ in asked) for asked in pair))
    bare, seen = (min(times) / CHUNKS * 1e6 for times in zip(*rests, strict=True))
    early = [median(times) * 1e6 for times in zip(*firsts, strict=True)]
    return seen - bare, bare, early[1] - early[0]


def main() -> None:
    with TemporaryDirectory() as folder:
        meter = meter_from({"SRE_USAGE_LOG": str(Path(folder) / "usage.jsonl")}, CollectorRegistry())
        print(f"{'answer':20} {'us/chunk':>9} {'bare':>6} {'first token +us':>16} {'of 50 ms':>9}")
        for name, pieces in KINDS.items():
            added, bare, early = microseconds(pieces, meter)
            print(f"{name:20} {added:9.2f} {bare:6.2f} {early:16.0f} {early / 1e6 / TTFT:9.2%}")
        meter.close()


if __name__ == "__main__":
    main()
