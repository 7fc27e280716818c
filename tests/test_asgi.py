"""The middleware around a server on real sockets: it sees everything and changes nothing."""

import asyncio
import contextlib
import http.client
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sre.lab.pages import free_port
from sre.usage.accounts import Accounts
from sre.usage.asgi import UsageMiddleware
from sre.usage.asgi.meter import Meter
from sre.usage.asgi.settings import meter_from
from sre.usage.keys import hash_key
from sre.usage.record import UsageRecord

CHAT = "/v1/chat/completions"
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
WAIT = "wait"
"""In a script: send nothing more until the client goes."""

type Ask = Callable[..., bytes]


def chunk(text: str = "", finish: str | None = None, **more: object) -> str:
    """One event of a streamed chat completion."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return f"data: {json.dumps({'id': 'c', 'model': 'small', 'choices': [choice], **more})}\n\n"


STREAM = [chunk(), chunk("Hé"), chunk("y", "stop"), chunk(usage=USAGE), "data: [DONE]\n\n"]
ANSWER = {"model": "small", "choices": [{"finish_reason": "stop"}], "usage": USAGE}


async def play(request: Request) -> Response:
    """An engine that answers as the question's `script` says."""
    asked = await request.json()
    script = asked.get("script", ANSWER)
    if script == "crash":
        raise RuntimeError("secret words of a prompt")
    if isinstance(script, list):
        return StreamingResponse(pieces(script), media_type="text/event-stream")
    return JSONResponse(script, asked.get("status", 200), {"x-request-id": "mine"})


async def pieces(script: list[str]) -> AsyncIterator[str]:
    for piece in script:
        if piece == WAIT:
            await asyncio.sleep(3600)
        if piece == "crash":
            raise RuntimeError("secret words of a prompt")
        yield piece


async def flood(request: Request) -> Response:
    """64 MB, as fast as the client takes them."""

    async def body() -> AsyncIterator[bytes]:
        for _ in range(1000):
            request.app.state.sent += 1
            yield chunk("x" * 64_000).encode()

    return StreamingResponse(body(), media_type="text/event-stream")


async def plain(_request: Request) -> Response:
    return JSONResponse({"data": []})


def engine() -> Starlette:
    app = Starlette(
        routes=[
            Route(CHAT, play, methods=["POST"]),
            Route("/v1/completions", flood, methods=["POST"]),
            Route("/v1/models", plain),
            Route("/tokenize", play, methods=["POST"]),
        ]
    )
    app.state.sent = 0
    return app


@contextlib.contextmanager
def served(app: Any) -> Iterator[int]:
    """Run an ASGI application on loopback; the value is its port."""
    config = uvicorn.Config(
        app, port=free_port(), log_config=None, ws="none", http="h11", date_header=False, server_header=False
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
        yield config.port
    finally:
        server.should_exit = server.force_exit = True
        thread.join(30)


class Watched:
    """A server with the middleware, and what it counted."""

    def __init__(self, port: int, meter: Meter, registry: CollectorRegistry, log: Path) -> None:
        self.port, self.meter, self._registry, self._log = port, meter, registry, log

    def ask(self, script: object = None, path: str = CHAT, /, **more: object) -> bytes:
        """Post one question over a connection of its own; the value is every byte that came back."""
        return ask(self.port, path, script, **more)

    def records(self) -> list[UsageRecord]:
        """What the log holds, once it holds everything that was handed to it."""
        if self.meter.log:
            self.meter.log.close()
        lines = self._log.read_bytes().splitlines() if self._log.exists() else []
        return [msgspec.json.decode(line) for line in lines]

    def metrics(self) -> dict[tuple[str, ...], float]:
        """Samples that are not 0, by name and label values."""
        families = text_string_to_metric_families(generate_latest(self._registry).decode())
        return {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
            if sample.value and not sample.name.endswith(("_created", "_bucket", "_sum"))
        }


def ask(port: int, path: str, script: object = None, **more: Any) -> bytes:
    headers = more.pop("headers", {})
    body = json.dumps({"model": "small", **({"script": script} if script is not None else {}), **more}).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        return b"".join(iter(lambda: connection.recv(65536), b""))


type Start = Callable[..., Watched]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Start]:
    """``watched(SRE_USAGE_...=...)`` starts the engine behind a middleware of that environment."""
    with contextlib.ExitStack() as stack:

        def start(app: Any = None, meter: Meter | None = None, **environment: str) -> Watched:
            registry, log = CollectorRegistry(), tmp_path / "usage.jsonl"
            meter = meter or meter_from({"SRE_USAGE_LOG": str(log), **environment}, registry)
            port = stack.enter_context(served(UsageMiddleware(app or engine(), meter)))
            return Watched(port, meter, registry, Path(environment.get("SRE_USAGE_LOG", log)))

        yield start


@pytest.fixture(scope="module")
def bare() -> Iterator[int]:
    """The port of the same engine without the middleware."""
    with served(engine()) as port:
        yield port


ANSWERS = {
    "stream": STREAM,
    "cut anywhere": [piece for event in STREAM for piece in (event[:9], event[9:-1], event[-1:])],
    "nothing": [],
    "no event": ["data: not json\n\n", "hello", "\r\n" * 50],
    "whole": ANSWER,
    "crash": "crash",
    "late crash": [*STREAM[:2], "crash"],
}


@pytest.mark.parametrize("script", ANSWERS.values(), ids=ANSWERS)
def test_a_client_gets_the_same_bytes(watched: Start, bare: int, script: object) -> None:
    """Status, headers and every chunk's frame are what they are without the middleware, also where the engine fails."""
    assert watched().ask(script) == ask(bare, CHAT, script)


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
def test_an_error_is_passed_on_as_it_is(watched: Start, bare: int, status: int) -> None:
    """Errors reach the client untouched."""
    problem = {"error": {"message": "no"}}
    assert watched().ask(problem, status=status) == ask(bare, CHAT, problem, status=status)


def test_what_passes_is_counted(watched: Start) -> None:
    """A stream and a whole answer: tokens by class, requests, finishes and times stand on the page."""
    server = watched()
    server.ask(STREAM)
    server.ask(ANSWER)
    counted = server.metrics()
    assert counted["llm_tokens_total", "uncached_input", "small", "unassigned"] == 14
    assert counted["llm_tokens_total", "output", "small", "unassigned"] == 6
    assert counted["llm_requests_total", "small", "success", "unassigned"] == 2
    assert counted["llm_request_finishes_total", "small", "stop"] == 2
    assert counted["llm_output_tokens_count", "small"] == 2
    assert counted["llm_time_to_first_token_seconds_count", "small"] == 1
    assert counted["llm_request_duration_seconds_count", "small"] == 2
    assert counted["llm_exporter_records_total", "ok", "asgi"] == 2


def test_metrics_are_those_that_the_exporter_makes_of_the_log(watched: Start, tmp_path: Path) -> None:
    """The same requests, on the engine's page and through the log: every sample is the same."""
    config = tmp_path / "exporter.yaml"
    config.write_text("roster: {teams: [search], models: [small]}\n")
    server = watched(SRE_USAGE_CONFIG=str(config))
    server.ask(STREAM)
    server.ask(ANSWER)
    server.ask({"error": {"message": "no"}}, status=429)
    server.ask({"choices": []})
    accounts = Accounts(["search"], ["small"])
    for line in server.log_lines():
        record = msgspec.json.decode(line | {"time": 0.0}, type=UsageRecord)
        accounts.add(record, record.team or "")
    assert ours(generate_latest(server.registry).decode()) == ours(accounts.expose().decode())
