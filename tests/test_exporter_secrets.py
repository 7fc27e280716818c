"""What nobody may find in the exporter afterwards: prompts, replies, keys and tokens."""

import json
import os
import subprocess
import sys
from pathlib import Path

import requests

from sre.lab.pages import free_port
from tests.conftest import wait_until
from tests.test_exporter_run import configure, record

MARKERS = ("PROMPT-4711", "REPLY-4711", "KEY-4711", "BEARER-4711", "HEADER-4711", "QUERY-4711")
PROBE = """
import gc, os, sys, time
from pathlib import Path
from sre.usage.config import read_config
from sre.usage.journal import Journal
from sre.usage.running import run
from sre.usage.serving import Exporter

def holders(backwards):
    '''Kinds of living objects that hold each text. Markers come backwards, so that only this search spells them.'''
    ours = [form for word in backwards for form in (word[::-1], word[::-1].encode())]
    texts, octets, found = ours[::2], ours[1::2], {word: [] for word in backwards}
    seen, todo = set(map(id, ours)), gc.get_objects()
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        wanted = texts if isinstance(one, str) else octets if isinstance(one, bytes | bytearray) else ()
        for word, text in zip(backwards, wanted):
            if text in one:
                found[word].append(type(one).__name__)
        todo += gc.get_referents(one)
    return found

def look():
    '''Asked by a file, answered by another one.'''
    if Path('ask').exists():
        backwards = Path('ask').read_text().split()
        Path('ask').unlink()
        gc.collect()
        Path('answer.tmp').write_text(repr(holders(backwards)))
        Path('answer.tmp').rename('answer')

path = Path('exporter.yaml')
config, _ = read_config(path, os.environ)
exporter = Exporter(path, os.environ, time.time, Journal(time.time), config)
exporter.running.start()
exporter.listener.start()
run(exporter.running, Path('stop').exists, look)
exporter.listener.stop()
exporter.running.stop()
"""


def litellm(number: int) -> dict[str, object]:
    """A payload as LiteLLM posts it, with everything in it that must not stay."""
    return {
        "id": f"chatcmpl-{number}",
        "status": "success",
        "model": "llama",
        "model_group": "llama",
        "startTime": 1790000000.0,
        "endTime": 1790000001.5,
        "completionStartTime": 1790000000.2,
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "messages": [{"role": "user", "content": "PROMPT-4711 " * 50}],
        "response": {"choices": [{"finish_reason": "stop", "message": {"content": "REPLY-4711 " * 50}}]},
        "metadata": {
            "user_api_key_hash": "KEY-4711",
            "user_api_key_team_alias": "search",
            "headers": {"x": "HEADER-4711"},
        },
    }


def test_nothing_secret_outlives_its_request(tmp_path):
    """After good, bad, torn and refused posts over a connection that stays open, nothing in it holds a secret."""
    port = free_port()
    routes = [
        {"kind": "http", "path": f"/ingest/{n}", "format": n, "token_env": "TOKEN"}
        for n in ("litellm", "usage")
    ]
    configure(tmp_path, port, routes=[*routes, {"kind": "tail", "path": "access.jsonl", "format": "litellm"}])
    good = [json.dumps(litellm(number)).encode() for number in range(3)]
    torn = good[0][: len(good[0]) // 2]
    wrong = good[1].replace(b'"prompt_tokens": 10', b'"prompt_tokens": "PROMPT-4711"')
    (tmp_path / "access.jsonl").write_bytes(b"\n".join((*good, torn, wrong, b"PROMPT-4711")) + b"\n")
    with (tmp_path / "log").open("ab") as log:
        environ = os.environ | {"TOKEN": "right"}
        process = subprocess.Popen([sys.executable, "-c", PROBE], cwd=tmp_path, env=environ, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: process.poll() is not None or answers(f"{url}/-/ready"), "the exporter")
        session = requests.Session()
        right = {"Authorization": "Bearer right", "X-Secret": "HEADER-4711"}
        for body in (
            record(),
            b"[" + b",".join(good) + b"]",
            torn,
            b'["PROMPT-4711"]',
            b"\n".join((*good, torn, wrong)),
        ):
            session.post(f"{url}/ingest/litellm?key=QUERY-4711", body, headers=right, timeout=20)
        session.post(
            f"{url}/ingest/litellm", good[0], headers={"Authorization": "Bearer BEARER-4711"}, timeout=20
        )
        session.post(
            f"{url}/ingest/litellm", good[0], headers=right | {"Content-Encoding": "gzip"}, timeout=20
        )
        session.get(f"{url}/QUERY-4711?HEADER-4711", headers=right, timeout=20)
        page = session.get(f"{url}/metrics", headers={"Authorization": "Bearer BEARER-4711"}, timeout=20).text
        assert 'llm_requests_total{team="search",model="llama",outcome="success"} 6' in page
        found = asked(tmp_path, process)
        assert found == {marker[::-1]: [] for marker in MARKERS}
        (tmp_path / "stop").touch()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    written = [*(tmp_path / "state").iterdir(), tmp_path / "log"]
    for text in (page.encode(), *(path.read_bytes() for path in written)):
        assert not [marker for marker in MARKERS if marker.encode() in text]


def asked(folder: Path, process: subprocess.Popen[bytes]) -> dict[str, list[str]]:
    (folder / "ask").write_text(" ".join(marker[::-1] for marker in MARKERS))
    wait_until(lambda: process.poll() is not None or (folder / "answer").exists(), "a look at its memory", 60)
    assert process.poll() is None, (folder / "log").read_text()
    found = eval((folder / "answer").read_text())  # noqa: S307  (our own program wrote it)
    assert isinstance(found, dict)
    return found


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.ConnectionError:
        return False
