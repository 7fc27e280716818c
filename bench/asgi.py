"""What the ASGI middleware costs: microseconds a chunk, and what it adds to the time to first token.

    nice -n 5 python bench/asgi.py

The same application sends the same chunks with the middleware around it and without, in turns, in one process and
over no socket; the difference of the best rounds is the cost. Target: under 20 microseconds a chunk.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from prometheus_client import CollectorRegistry

from sre.usage.asgi import UsageMiddleware
from sre.usage.asgi.settings import meter_from

CHUNKS = 2000
ROUNDS = 9
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


def engine(pieces: list[bytes]) -> App:
    """An engine that reads the question and sends its pieces, over and over."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for index in range(CHUNKS):
            await send({"type": "http.response.body", "body": pieces[index % len(pieces)], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


async def ask(app: App) -> tuple[float, float]:
    """Seconds from the question to the first chunk, and from there to the end."""
    moments = list[float]()

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": QUESTION, "more_body": False}

    async def send(message: Any) -> None:
        if len(moments) < 2 and message["type"] == "http.response.body":
            moments.append(time.perf_counter())

    headers = [(b"host", b"x"), (b"authorization", b"Bearer sk-0123456789abcdef0123456789abcdef")]
    begin = time.perf_counter()
    await app(
        {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": headers}, receive, send
    )
    return moments[0] - begin, time.perf_counter() - moments[0]


def best(apps: list[App]) -> Iterator[tuple[float, float]]:
    """The best first chunk and the best rest of each, asked in turns."""
    times = [[asyncio.run(ask(app)) for app in apps] for _ in range(ROUNDS)]
    for index in range(len(apps)):
        yield min(row[index][0] for row in times), min(row[index][1] for row in times)


def main() -> None:
    with TemporaryDirectory() as folder:
        environment = {"SRE_USAGE_LOG": str(Path(folder) / "usage.jsonl")}
        meter = meter_from(environment, CollectorRegistry())
        print(f"{'answer':20} {'us/chunk':>9} {'bare':>6} {'first token +us':>16} {'of 50 ms':>9}")
        for name, pieces in KINDS.items():
            app = engine(pieces)
            (first, rest), (seen_first, seen_rest) = best([app, UsageMiddleware(app, meter)])
            added, bare = (seen_rest - rest) / CHUNKS * 1e6, rest / CHUNKS * 1e6
            early = (seen_first - first) * 1e6
            print(f"{name:20} {added:9.2f} {bare:6.2f} {early:16.0f} {early / 1e6 / TTFT:9.2%}")
        meter.close()


if __name__ == "__main__":
    main()
