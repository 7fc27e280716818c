"""The middleware around a server on real sockets: it sees everything and changes nothing."""

import asyncio
import contextlib
import gc
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from hashlib import sha256
from pathlib import Path
from types import FunctionType, ModuleType
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

from sre import __version__
from sre.lab.pages import free_port
from sre.lab.programs import running
from sre.usage.accounts import Accounts
from sre.usage.asgi import UsageMiddleware
from sre.usage.asgi.meter import Meter
from sre.usage.asgi.settings import meter_from
from sre.usage.formats import load_format
from sre.usage.identity import Identity
from sre.usage.keys import hash_key
from sre.usage.record import UsageRecord

CHAT = "/v1/chat/completions"
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
WAIT = "wait"
"""In a script: send nothing more until the client goes."""

USAGE_FORMAT = load_format("usage")


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
        app,
        port=free_port(),
        log_config=None,
        ws="none",
        http="h11",
        date_header=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
        yield config.port
    finally:
        server.should_exit = True
        thread.join(30)


class Watched:
    """A server with the middleware, and what it counted."""

    def __init__(self, port: int, meter: Meter, registry: CollectorRegistry, log: Path) -> None:
        self.port, self.meter, self.registry, self.log = port, meter, registry, log

    def ask(self, script: object = None, path: str = CHAT, /, **more: object) -> bytes:
        """Post one question over a connection of its own; the value is every byte that came back."""
        return ask(self.port, path, script, **more)

    def records(self) -> list[UsageRecord]:
        """What the log holds, once it holds everything that was handed to it."""
        if self.meter.log:
            self.meter.log.close()
        lines = self.log.read_bytes().splitlines() if self.log.exists() else []
        return [USAGE_FORMAT.decode(line)[0] for line in lines]

    def metrics(self) -> dict[tuple[str, ...], float]:
        """Samples that are not 0, by name and label values."""
        text = generate_latest(self.registry).decode()
        return {key: value for key, value in samples(text).items() if value and not key[0].endswith("_sum")}


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Samples of an exposition by name and label values; not of `_created`, and not of the exporter's own health."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def ask(port: int, path: str, script: object = None, **more: Any) -> bytes:
    headers = more.pop("headers", {})
    body = json.dumps(
        {"model": "small", **({"script": script} if script is not None else {}), **more}
    ).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        return b"".join(iter(lambda: connection.recv(65536), b""))


Start = Callable[..., Watched]


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
    server = watched(SRE_USAGE_CONFIG=roster(tmp_path))
    server.ask(STREAM)
    server.ask(ANSWER)
    server.ask({"choices": []})
    server.ask({"error": {"message": "no"}}, status=429)
    server.ask({"error": {"message": "The model `x` does not exist."}}, status=404, model="x")
    accounts = Accounts(["search"], ["small"])
    identity = Identity(["search"])
    for record in server.records():
        accounts.add(record, identity.team(record.team, None))
    engine_page, exporter_page = (
        samples(generate_latest(server.registry).decode()),
        samples(accounts.expose().decode()),
    )
    usage = {key: value for key, value in engine_page.items() if "exporter" not in key[0]}
    assert usage == pytest.approx(exporter_page)


def roster(folder: Path, **more: object) -> str:
    """The path of a configuration with one team and one model."""
    path = folder / "exporter.yaml"
    path.write_text(json.dumps({"roster": {"teams": ["search"], "models": ["small"]}, **more}))
    return str(path)


@pytest.mark.parametrize(
    ("script", "tokens"),
    [([chunk("Hi"), WAIT], None), ([chunk("Hi", usage={"prompt_tokens": 7, "completion_tokens": 1}), WAIT], 1)],
    ids=["plain", "forced usage"],
)  # fmt: skip
def test_a_client_that_goes_is_seen(
    watched: Start, until: Callable[..., None], script: object, tokens: int | None
) -> None:
    """The client closes in the middle: cancelled, with the tokens so far where the engine said them, else missing."""
    server = watched()
    with connected(server.port, script) as connection:
        seen = b""
        while b"Hi" not in seen:  # it is not held back until the answer is whole
            seen += connection.recv(1000)
    until(server.records, "the record of the request that was left")
    (record,) = server.records()
    assert (record.outcome, record.error_type) == ("error", "client_cancelled")
    assert (record.tokens.output if record.tokens else None) == tokens
    assert record.ttft_seconds is not None
    counted = server.metrics()
    assert counted["llm_request_errors_total", "client_cancelled", "small", "unassigned"] == 1
    assert counted.get(("llm_usage_missing_total", "small"), 0) == (tokens is None)


@contextlib.contextmanager
def connected(port: int, script: object, path: str = CHAT) -> Iterator[socket.socket]:
    """A connection over which one question was sent."""
    body = json.dumps({"model": "small", "script": script}).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(head.encode() + body)
        yield connection


@pytest.mark.parametrize("script", ["crash", [*STREAM[:2], "crash"]], ids=["at once", "in the stream"])
def test_an_engine_that_breaks_off_is_an_error(watched: Start, script: object) -> None:
    """Without an answer, or without the end of one, the request failed."""
    server = watched()
    server.ask(script)
    (record,) = server.records()
    assert (record.outcome, record.error_type) == ("error", "server_error")


class Broken(Meter):
    """A meter in which everything fails."""

    def fail(self, *_: object) -> Any:
        raise ZeroDivisionError("secret words of a prompt")

    begin = count = stumble = close = fail


class HalfBroken(Meter):
    """A meter whose reading of answers and counting fail."""

    def begin(self, scope: MutableMapping[str, Any]) -> Any:
        call = super().begin(scope)
        if call:
            call.reply = None  # type: ignore[assignment]
        return call


@pytest.mark.parametrize("kind", [Broken, HalfBroken])
@pytest.mark.parametrize("script", ANSWERS.values(), ids=ANSWERS)
def test_accounting_fails_open(
    watched: Start, bare: int, caplog: pytest.LogCaptureFixture, kind: type[Meter], script: object
) -> None:
    """Whatever breaks inside, clients get the same bytes; the log says where it broke, and quotes nothing."""
    working = meter_from({"SRE_USAGE_METRICS": "off"})
    meter = kind(working.identity, working.served, working.classify, working.finishes)
    with caplog.at_level(logging.WARNING, "sre.usage"):
        assert watched(meter=meter).ask(script) == ask(bare, CHAT, script)
    assert "was not counted" in caplog.text
    assert "secret" not in "".join(record.message for record in caplog.records if record.name == "sre.usage")


def test_what_could_not_be_counted_is_counted(watched: Start) -> None:
    """A failure inside shows on the page, once for each request."""
    registry = CollectorRegistry()
    whole = meter_from({}, registry)
    meter = HalfBroken(whole.identity, whole.served, whole.classify, whole.finishes, whole.metrics)
    watched(meter=meter).ask(STREAM)
    page = samples(generate_latest(registry).decode())
    assert page["llm_exporter_records_total", "failed", "asgi"] == 1
    assert page["llm_exporter_records_total", "ok", "asgi"] == 0


def test_a_slow_client_slows_the_engine_and_fills_no_memory(
    watched: Start, until: Callable[..., None]
) -> None:
    """64 MB for a client that does not read: the engine is held back by the socket, nothing piles up in between."""
    app = engine()
    server = watched(app)
    with connected(server.port, None, "/v1/completions") as connection:
        assert connection.recv(1)
        seen = -1

        def stands_still() -> bool:
            nonlocal seen
            before, seen = seen, app.state.sent
            return seen == before

        until(stands_still, "the engine to be held back")
        assert app.state.sent < 500


def test_a_full_disk_is_counted_and_nothing_else(watched: Start) -> None:
    """Records that the disk does not take are counted as dropped; requests and metrics go on."""
    server = watched(SRE_USAGE_LOG="/dev/full")
    assert server.ask(ANSWER).startswith(b"HTTP/1.1 200")
    assert server.meter.log
    server.meter.log.close()
    counted = server.metrics()
    assert counted["llm_exporter_records_total", "dropped", "asgi-log"] == 1
    assert counted["llm_requests_total", "small", "success", "unassigned"] == 1


def test_a_disk_that_hangs_holds_nothing_up(watched: Start, tmp_path: Path) -> None:
    """Writing never returns (a pipe that is full and that nobody empties): answers come as always."""
    os.mkfifo(tmp_path / "pipe")
    pipe = os.open(tmp_path / "pipe", os.O_RDWR | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe, b"x" * 512)
    server = watched(SRE_USAGE_LOG=str(tmp_path / "pipe"))
    for _ in range(3):
        assert server.ask(ANSWER).startswith(b"HTTP/1.1 200")
    counted = server.metrics()
    assert counted["llm_requests_total", "small", "success", "unassigned"] == 3
    assert ("llm_exporter_records_total", "ok", "asgi-log") not in counted
    os.read(pipe, 1 << 20)  # so that the writer ends
    os.close(pipe)


def test_a_rotated_log_is_left_for_the_new_one(watched: Start) -> None:
    """logrotate moves the file away: later records stand in a new file of the name, each record in one of the two."""
    server = watched()
    server.ask(ANSWER)
    first = server.records()
    server.log.rename(server.log.with_suffix(".1"))
    server.ask(ANSWER)
    second = server.records()
    assert len(first) == len(second) == 1
    assert first[0].id != second[0].id
    assert server.log.stat().st_mode & 0o007 == 0, "records are not for everybody"


def test_a_log_can_rotate_itself(watched: Start, tmp_path: Path) -> None:
    """Past its size the file becomes NAME.1, so that two files bound what a sidecar's volume holds."""
    server = watched(SRE_USAGE_LOG_BYTES="1000")
    for _ in range(9):
        server.ask(ANSWER)
        server.records()  # one batch each
    first, second = (path.read_bytes().splitlines() for path in sorted(tmp_path.glob("usage.jsonl*")))
    assert 0 < len(second) < 9
    assert len(first) < 9
    assert {path.name for path in tmp_path.iterdir()} == {"usage.jsonl", "usage.jsonl.1"}
    assert sum(map(len, second)) > 900


def test_an_exporter_beside_the_engine_counts_every_record(
    watched: Start, tmp_path: Path, fetch: Callable[..., bytes], until: Callable[..., None]
) -> None:
    """As in the sidecar: the log rotates itself, `sre exporter run` follows it, no request is lost or doubled."""
    server = watched(SRE_USAGE_LOG_BYTES="10000", SRE_USAGE_METRICS="off")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    config = roster(tmp_path, version=1, listen=f"127.0.0.1:{port}", state="exporter.state", routes=[TAIL])
    command = [sys.executable, "-m", "sre.cli", "exporter", "run", "--config", config]

    def ready() -> bool:
        with contextlib.suppress(OSError):
            return bool(fetch(f"{url}/-/ready"))
        return False

    def counted() -> dict[tuple[str, ...], float]:
        return samples(fetch(f"{url}/metrics").decode())

    with running("sre", command, tmp_path, ready, 60.0):
        for burst in range(1, 5):
            for _ in range(20):
                server.ask(STREAM)
            until(lambda: counted()[SUCCESSES] >= 20 * burst, "the burst")  # noqa: B023
        assert (tmp_path / "usage.jsonl.1").exists()
        page = counted()
    assert page[SUCCESSES] == 80
    assert page["llm_tokens_total", "output", "small", "unassigned"] == 240
    assert page["llm_exporter_records_total", "ok", "usage.jsonl"] == 80


TAIL = {"kind": "tail", "path": "usage.jsonl", "format": "usage"}
SUCCESSES = ("llm_requests_total", "small", "success", "unassigned")


def test_a_torn_line_costs_one_record(watched: Start) -> None:
    """A write was cut off (full disk, power): the next record begins on a line of its own."""
    server = watched()
    server.log.write_bytes(b'{"id": "torn')
    server.ask(ANSWER)
    assert server.meter.log
    server.meter.log.close()
    torn, whole = server.log.read_bytes().splitlines()
    assert torn == b'{"id": "torn'
    assert USAGE_FORMAT.decode(whole)[0].outcome == "success"


def test_ids_are_not_the_clients(watched: Start) -> None:
    """A client that always sends the same request id is still counted each time."""
    server = watched()
    for _ in range(2):
        server.ask(ANSWER, headers={"x-request-id": "always-this"})
    assert len({record.id for record in server.records()}) == 2


KEY = "sk-a-long-and-random-key"


@pytest.mark.parametrize(
    ("headers", "team"),
    [
        ({"Authorization": f"Bearer {KEY}"}, "search"),
        ({"authorization": f"bearer  {KEY}"}, "search"),
        ({"x-api-key": KEY}, "search"),
        ({"Authorization": "Bearer sk-unknown"}, "unassigned"),
        ({"Authorization": "Bearer " + sha256(KEY.encode()).hexdigest()}, "unassigned"),
        ({"x-team": "search"}, "unassigned"),
        ({}, "unassigned"),
    ],
)  # fmt: skip
def test_a_team_is_known_by_its_key(
    watched: Start, tmp_path: Path, headers: dict[str, str], team: str
) -> None:
    """A key of the map names its team; a hash of it, an unknown key and a client's own word do not."""
    config = roster(tmp_path, identity={"keys": {hash_key(KEY, b"0123456789abcdef"): "search"}})
    server = watched(SRE_USAGE_CONFIG=config)
    server.ask(ANSWER, headers=headers)
    assert [record.team or "unassigned" for record in server.records()] == [team]
    assert KEY.encode() not in server.log.read_bytes()


def test_nothing_of_a_request_is_kept(watched: Start, tmp_path: Path) -> None:
    """Prompt, reply, key and the text of an error are in nothing that the middleware still holds, nor in its log."""
    private = "se-cret"
    config = roster(tmp_path, identity={"keys": {hash_key(KEY, b"0123456789abcdef"): "search"}})
    server = watched(SRE_USAGE_CONFIG=config)
    headers = {"authorization": f"Bearer {private}"}
    server.ask([chunk(private), chunk(usage=USAGE)], prompt=private, headers=headers)
    server.ask({"error": {"message": f"cannot read {private}"}}, status=400, headers=headers)
    assert len(server.records()) == 2
    assert private.encode() not in server.log.read_bytes()
    texts = [thing for thing in held(server.meter) if isinstance(thing, str | bytes)]
    assert "search" in texts
    assert not any(private in str(text) for text in texts)


def held(root: object) -> Iterator[object]:
    """Everything that an object leads to, but for code and modules."""
    seen, queue = set[int](), [root]
    while queue:
        thing = queue.pop()
        if id(thing) in seen or isinstance(thing, type | ModuleType):
            continue
        seen.add(id(thing))
        yield thing
        if isinstance(thing, FunctionType):
            queue += thing.__closure__ or ()
        elif isinstance(thing, msgspec.Struct):  # the collector does not look into them
            queue += msgspec.structs.astuple(thing)
        else:
            queue += gc.get_referents(thing)


@pytest.mark.parametrize(
    ("name", "team"), [("search", "search"), ("Search", "other"), ("x" * 5000, "other"), ("", "unassigned")]
)
def test_a_header_names_the_team_only_where_it_is_trusted(
    watched: Start, tmp_path: Path, name: str, team: str
) -> None:
    """With SRE_USAGE_TEAM_HEADER a gateway's header is taken; names off the roster are `other`."""
    server = watched(SRE_USAGE_CONFIG=roster(tmp_path), SRE_USAGE_TEAM_HEADER="X-Team")
    server.ask(ANSWER, headers={"x-team": name})
    assert [record.team or "unassigned" for record in server.records()] == [team]


def test_a_client_cannot_make_up_model_names(watched: Start) -> None:
    """Models are learned from answers: names that got none are `other`, however many there are."""
    server = watched()
    server.ask(ANSWER)
    for number in range(20):
        problem = {"error": {"message": "no such model", "code": 404}}
        server.ask(problem, status=404, model=f"made-up-{number}")
    counted = server.metrics()
    assert counted["llm_request_errors_total", "model_not_found", "other", "unassigned"] == 20
    assert {key[2] for key in counted if key[0] == "llm_requests_total"} | {"success"} >= {"success"}
    assert not any("made-up" in part for key in counted for part in key)


def test_an_engine_that_echoes_any_name_is_capped(watched: Start) -> None:
    """Some engines answer for whatever they are asked: 64 names are learned, the rest is `other`."""
    server = watched()
    for number in range(70):
        server.ask({"model": f"model-{number}", "choices": []})
    requests = {key[1]: value for key, value in server.metrics().items() if key[0] == "llm_requests_total"}
    assert len(requests) == 65
    assert requests["other"] == 6


def test_teams_that_nobody_listed_are_capped(watched: Start, tmp_path: Path) -> None:
    """Without a roster a trusted header's names are shown up to the cap; totals stay exact."""
    config = tmp_path / "exporter.yaml"
    config.write_text("limits: {label_sets: 56}\n")
    server = watched(SRE_USAGE_CONFIG=str(config), SRE_USAGE_TEAM_HEADER="x-team")
    for number in range(12):
        server.ask(ANSWER, headers={"x-team": f"team-{number}"})
    requests = {key: value for key, value in server.metrics().items() if key[0] == "llm_requests_total"}
    assert sum(requests.values()) == 12
    assert len(requests) == 5, "four pairs beside `other`"
    assert server.metrics()["llm_exporter_label_overflow_total", "team"] == 8


def test_a_bad_configuration_does_not_keep_the_engine_from_serving(
    watched: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says what is wrong with its line, the page that it is not in use, and clients are served."""
    config = tmp_path / "exporter.yaml"
    config.write_text("roster:\n  teams: 5\n")
    with caplog.at_level(logging.ERROR, "sre.usage"):
        server = watched(SRE_USAGE_CONFIG=str(config))
    assert f"{config}:2" in caplog.text
    assert server.ask(ANSWER).startswith(b"HTTP/1.1 200")
    assert ("llm_exporter_config_last_reload_successful",) not in server.metrics()
    assert server.metrics()["llm_requests_total", "small", "success", "unassigned"] == 1


def test_metrics_can_be_left_to_the_exporter(tmp_path: Path) -> None:
    """SRE_USAGE_METRICS=off: the log alone is written, and nothing is counted twice."""
    registry = CollectorRegistry()
    meter = meter_from({"SRE_USAGE_METRICS": "off", "SRE_USAGE_LOG": str(tmp_path / "u.jsonl")}, registry)
    assert generate_latest(registry) == b""
    assert meter.log


def test_other_requests_pass_unseen(watched: Start, bare: int) -> None:
    """Health, models, tokenizing, a path that the engine does not have: none is a use of the model."""
    server = watched()
    for path in ("/tokenize", "/v1/embeddings", "/nowhere"):
        assert server.ask(ANSWER, path) == ask(bare, path, ANSWER)
    assert server.records() == []
    assert ("llm_requests_total", "small", "success", "unassigned") not in server.metrics()


@pytest.mark.parametrize("kind", ["websocket", "lifespan", "http"])
def test_what_is_no_question_is_handed_through(kind: str) -> None:
    """Websockets, start and stop, and a GET get the server's own two ends of the connection."""
    given: list[object] = []

    async def app(*arguments: object) -> None:
        given.extend(arguments)

    async def receive() -> MutableMapping[str, Any]:
        return {}

    async def send(_message: MutableMapping[str, Any]) -> None: ...

    scope = {"type": kind, "method": "GET", "path": CHAT, "headers": []}
    asyncio.run(UsageMiddleware(app, meter_from({"SRE_USAGE_METRICS": "off"}))(scope, receive, send))
    assert given[0] is scope
    assert given[1:] == [receive, send]


COUNT_ONCE = """
import json, sys
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
from sre.usage.asgi.settings import meter_from
from sre.usage.record import Tokens, UsageRecord
meter = meter_from({})
meter.metrics.add(UsageRecord("1", 0.0, "success", tokens=Tokens(1, 0, 0, 20)), "unassigned", "small")
registry = CollectorRegistry()
multiprocess.MultiProcessCollector(registry)
sys.stdout.write(generate_latest(registry).decode())
"""


def test_several_api_servers_share_one_page(tmp_path: Path) -> None:
    """With --api-server-count vLLM adds up what its processes counted; the middleware's counts are among that."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    runs = [
        subprocess.run(
            [sys.executable, "-c", COUNT_ONCE], env=environment, capture_output=True, text=True, check=True
        )
        for _ in range(2)
    ]
    page = samples(runs[-1].stdout)
    assert page["llm_tokens_total", "output", "small", "unassigned"] == 40
    assert page["llm_exporter_build_info", __version__] == 1
    assert page["llm_exporter_config_last_reload_successful",] == 1
