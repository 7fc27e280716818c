"""A real LiteLLM proxy feeds the receiver. SRE_TEST_LITELLM names a virtual environment with `litellm[proxy]`."""

import json
import os
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from sre.lab.pages import free_port
from sre.lab.programs import running
from sre.usage.keys import hash_key

ROOT = Path(__file__).parents[1]
VENV = os.environ.get("SRE_TEST_LITELLM", "")
pytestmark = pytest.mark.skipif(not VENV, reason="SRE_TEST_LITELLM names no environment with LiteLLM")

_PATIENCE = 120.0
KEY = "sk-a-key-that-the-proxy-puts-down-to-search"
OTHER_KEY = "sk-a-key-that-only-our-map-knows"
AUTH = f"""
from litellm.proxy._types import UserAPIKeyAuth

async def check(request, api_key):
    if api_key == {KEY!r}:
        return UserAPIKeyAuth(api_key=api_key, team_id="t-1", team_alias="search")
    if api_key == {OTHER_KEY!r}:
        return UserAPIKeyAuth(api_key=api_key)
    raise Exception("Authentication Error, invalid api key")
"""
_IDS = count()
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


class Engine(BaseHTTPRequestHandler):
    """An engine that answers three tokens, or runs out of memory."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer a chat completion."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked["model"] == "broken":
            self._send(500, json.dumps({"error": {"message": "CUDA out of memory. Tried to allocate 2 GiB"}}))
        elif asked.get("stream"):
            self._send(
                200, "".join(map(self._event, self._chunks())) + "data: [DONE]\n\n", "text/event-stream"
            )
        else:
            message = {"role": "assistant", "content": "abc"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            answer = {"id": f"a-{next(_IDS)}", "object": "chat.completion", "created": 1, "model": "small"}
            self._send(200, json.dumps(answer | {"choices": [choice], "usage": USAGE}))

    def _chunks(self) -> Iterator[dict[str, object]]:
        for text, finish in (("a", None), ("b", None), ("c", "length")):
            choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": finish}
            yield {"choices": [choice]}
        yield {"choices": [], "usage": USAGE}

    def _event(self, chunk: dict[str, object]) -> str:
        head = {"id": "s", "object": "chat.completion.chunk", "created": 1, "model": "small"}
        return f"data: {json.dumps(head | chunk)}\n\n"

    def _send(self, status: int, body: str, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def engine() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Engine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def exporter(folder: Path) -> Iterator[str]:
    """`sre exporter run` with a route for LiteLLM; the value is its address."""
    port = free_port()
    config = {
        "version": 1,
        "listen": f"127.0.0.1:{port}",
        "state": "exporter.state",
        "roster": {"teams": ["search", "support"], "models": ["small", "broken"]},
        "identity": {"keys": {hash_key(OTHER_KEY, b"0123456789abcdef"): "support"}},
        "routes": [
            {"kind": "http", "path": "/ingest/litellm", "format": "litellm", "token_env": "SRE_INGEST_TOKEN"}
        ],
    }
    (folder / "exporter.yaml").write_text(yaml.safe_dump(config))
    command = [
        "env",
        f"PYTHONPATH={ROOT}",
        "SRE_INGEST_TOKEN=a-token-of-the-test",
        sys.executable,
        "-m",
        "sre.cli",
    ]
    command += ["exporter", "run", "--config", "exporter.yaml"]
    url = f"http://127.0.0.1:{port}"
    with running("sre", command, folder, lambda: answers(f"{url}/-/ready"), _PATIENCE):
        yield url


@contextmanager
def proxy(folder: Path, upstream: str, receiver: str) -> Iterator[str]:
    """LiteLLM with exporters/deploy/litellm.yaml, its endpoint moved to the receiver's port."""
    port = free_port()
    config = yaml.safe_load((ROOT / "exporters" / "deploy" / "litellm.yaml").read_text(encoding="utf-8"))
    for callback in config["callback_settings"].values():
        callback["endpoint"] = f"{receiver}/ingest/litellm"
    config["litellm_settings"]["num_retries"] = 0
    config["general_settings"] = {"master_key": "sk-master", "custom_auth": "own_auth.check"}
    (folder / "own_auth.py").write_text(AUTH)
    config["model_list"] = [
        {
            "model_name": name,
            "litellm_params": {"model": f"openai/{name}", "api_base": upstream, "api_key": "x"},
        }
        for name in ("small", "broken")
    ]
    (folder / "litellm.yaml").write_text(yaml.safe_dump(config))
    variables = ["LITELLM_LOCAL_MODEL_COST_MAP=True", "SRE_INGEST_AUTHORIZATION=Bearer a-token-of-the-test"]
    command = ["env", "-u", "PYTHONPATH", *variables, f"{VENV}/bin/litellm", "--config", "litellm.yaml"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with running("litellm", command, folder, lambda: answers(f"{url}/health/liveliness"), _PATIENCE):
        yield url


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except OSError:
        return False


def chat(url: str, model: str, key: str = KEY, **more: object) -> None:
    """Ask for a completion; errors are answers too."""
    body = {"model": model, "messages": [{"role": "user", "content": "secret words"}], **more}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    request = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            answer.read()
    except urllib.error.HTTPError as error:
        error.close()


def counts(url: str) -> dict[tuple[str, ...], float]:
    """Samples of a page that are not 0, by name and label values."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:  # noqa: S310
        families = text_string_to_metric_families(answer.read().decode())
        return {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
            if sample.value
        }


def test_a_real_proxy_is_counted(tmp_path: Path, until: Callable[..., None]) -> None:
    """Streamed and whole, out of memory, a model that is not there, by team and by key: each arrives as what it was."""
    with engine() as upstream, exporter(tmp_path) as receiver, proxy(tmp_path, upstream, receiver) as url:
        chat(url, "small")
        chat(url, "small", stream=True)
        chat(url, "small", OTHER_KEY)
        chat(url, "broken")
        chat(url, "not-there")

        def arrived() -> bool:
            return counts(receiver).get(("llm_exporter_records_total", "ok", "/ingest/litellm"), 0) >= 5

        until(arrived, "five records", 60)
        counted = counts(receiver)
    assert counted["llm_tokens_total", "uncached_input", "small", "search"] == 14
    assert counted["llm_tokens_total", "output", "small", "search"] == 6
    assert counted["llm_requests_total", "small", "success", "search"] == 2
    assert counted["llm_request_errors_total", "oom", "broken", "search"] == 1
    assert counted["llm_tokens_total", "output", "small", "support"] == 3
    errors = {key[1]: value for key, value in counted.items() if key[0] == "llm_request_errors_total"}
    assert errors == {"oom": 1, "model_not_found": 1}
    assert counted["llm_request_finishes_total", "small", "length"] == 1
    assert counted["llm_time_to_first_token_seconds_count", "small"] == 1
    state = (tmp_path / "exporter.state").read_bytes()
    assert b"secret words" not in state
    assert KEY.encode() not in state
    assert OTHER_KEY.encode() not in state
