"""The exporter as a process of its own: posted to, scraped, flooded, reloaded, killed."""

import gzip
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import requests
import yaml
from prometheus_client.parser import text_string_to_metric_families

from sre.lab.pages import free_port
from sre.usage.record import Tokens, UsageRecord, to_line
from tests.conftest import ask, wait_until

TOKEN = "the token of this test"  # noqa: S105
BEARER = {"Authorization": f"Bearer {TOKEN}"}


NUMBERS = count(1000)


def record(number: int = 0, team: str | None = "search", **fields: object) -> bytes:
    """A line; without a number it is like no other."""
    given = {
        "model": "llama",
        "tokens": Tokens(uncached_input=100, output=7),
        "finish_reason": "stop",
    } | fields
    return to_line(UsageRecord(f"r-{number or next(NUMBERS)}", time.time(), "success", team, **given))


def lines(*numbers: int, **fields: object) -> bytes:
    return b"\n".join(record(number, **fields) for number in numbers)


@dataclass
class Exporter:
    """One that runs; ``folder`` is its own, ``options`` are for every request to it."""

    process: subprocess.Popen[bytes]
    folder: Path
    port: int
    tls: ssl.SSLContext | None = None

    def connect(self, seconds: float = 20) -> http.client.HTTPConnection:
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=seconds, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)

    def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, str, dict[str, str]]:
        connection = self.connect()
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, sent, encode_chunked="Transfer-Encoding" in sent)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), {k.lower(): v for k, v in answer.getheaders()}
        finally:
            connection.close()

    def post(self, body: object, path: str = "/ingest/usage", **headers: str) -> tuple[int, str]:
        status, text, _ = self.ask("POST", path, body, **BEARER, **headers)
        return status, text

    def counts(self) -> dict[str, float]:
        """Every sample of the page, by its name and the values of its labels."""
        families = text_string_to_metric_families(self.ask("GET", "/metrics")[1])
        samples = (sample for family in families for sample in family.samples)
        return {" ".join((s.name, *s.labels.values())): s.value for s in samples}

    @property
    def resident(self) -> float:
        """Megabytes of memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


def configure(folder: Path, port: int, **keys: object) -> None:
    routes = [
        {"kind": "http", "path": f"/ingest/{name}", "format": name, "token_env": "TOKEN"}
        for name in ("usage", "kong")
    ]
    config = {
        "version": 1,
        "listen": f"127.0.0.1:{port}",
        "state": "state/exporter.state",
        "roster": {"teams": ["search", "support"], "models": ["llama"]},
        "routes": [*routes, {"kind": "tail", "path": "access.jsonl", "format": "usage"}],
    }
    (folder / "exporter.yaml").write_text(yaml.safe_dump(config | keys))


@contextmanager
def running(folder: Path, context: ssl.SSLContext | None = None, **keys: object) -> Iterator[Exporter]:
    port = free_port()
    configure(folder, port, **keys)
    with (folder / "log").open("ab") as log, start(folder, log) as process:
        exporter = Exporter(process, folder, port, context)
        wait_until(lambda: ready(exporter), f"the exporter: {exporter.log}")
        yield exporter


@contextmanager
def start(folder: Path, log: object) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "sre.cli", "exporter", "run", "--config", "exporter.yaml"]
    process = subprocess.Popen(command, cwd=folder, env=os.environ | {"TOKEN": TOKEN}, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ready(exporter: Exporter) -> bool:
    assert exporter.process.poll() is None, exporter.log
    with suppress(OSError, http.client.HTTPException):
        return exporter.ask("GET", "/-/ready")[0] == 200
    return False


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Iterator[Exporter]:
    """One exporter for the tests that leave it as it is."""
    limits = {"body_bytes": 1 << 20, "request_seconds": 2, "connections": 40}
    with running(tmp_path_factory.mktemp("shared"), limits=limits) as exporter:
        yield exporter


def test_bodies_come_as_array_as_lines_as_one_object_and_packed(tmp_path):
    """Whatever shape a gateway sends, its records are counted and it is told how many."""
    with running(tmp_path) as exporter:
        array = b"[" + b",".join((record(1), record(2))) + b"]"
        bodies = (array, lines(3, 4) + b"\n", record(5))
        answers = [exporter.post(body) for body in bodies]
        assert [json.loads(text)["ok"] for _, text in answers] == [2, 2, 1]
        packed = gzip.compress(lines(6)) + gzip.compress(b"\n" + lines(7))
        assert exporter.post(packed, Content_Encoding="gzip") == (200, '{"ok":2,"invalid":0,"duplicate":0}\n')
        assert exporter.post(iter([lines(8)[:40], lines(8)[40:]]), Transfer_Encoding="chunked")[0] in (
            200,
            400,
        )
        counts = exporter.counts()
        assert counts["llm_requests_total search llama success"] >= 7
        assert (
            counts["llm_tokens_total search llama output"]
            == 7 * counts["llm_requests_total search llama success"]
        )


def test_only_the_token_opens_an_ingest_route(shared):
    """Without it, or with another one, nothing is counted and the sentence says what is missing."""
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": TOKEN},
        {"Authorization": "Basic eA=="},
    ):
        status, text, answered = shared.ask("POST", "/ingest/usage", record(), **headers)
        assert (status, answered["www-authenticate"]) == (401, "Bearer")
        assert "asks for its bearer token" in text
    assert shared.counts()["llm_exporter_requests_refused_total /ingest/usage unauthorized"] >= 4


def test_the_page_asks_for_a_token_where_it_is_told_to(tmp_path):
    """Names of teams are not for everybody: with `metrics_token_env` only Prometheus sees them, and probes go on."""
    with running(tmp_path, metrics_token_env="TOKEN") as exporter:  # noqa: S106
        assert exporter.ask("GET", "/metrics")[0] == 401
        status, page, headers = exporter.ask("GET", "/metrics", **BEARER)
        assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert "llm_tokens_total" in page


def test_scrapers_that_do_not_read_hold_nobody_up(tmp_path):
    """A page of megabytes that nobody takes is given up in time; more of them than may wait are turned away."""
    roster = {"teams": [f"team-{n}" for n in range(100)], "models": [f"model-{n}" for n in range(20)]}
    with running(tmp_path, roster=roster, limits={"request_seconds": 5}) as exporter, ExitStack() as stack:
        before, slow = exporter.resident, list[socket.socket]()
        for _ in range(60):
            slow.append(
                stack.enter_context(socket.create_connection(("127.0.0.1", exporter.port), timeout=30))
            )
            slow[-1].sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        # The first come first: whoever is turned away has its answer at once, and the others wait with most of theirs.
        assert b"HTTP/1.1 503" in {one.recv(12) for one in reversed(slow)}
        wait_until(lambda: exporter.ask("GET", "/metrics")[0] == 200, "the end of their patience")
        assert exporter.resident < before + 16 * 10


def test_paths_and_methods_that_are_not_served_are_told_in_a_sentence(shared):
    """404 lists what there is, 405 what the path takes; the landing page leads to the metrics."""
    status, text, _ = shared.ask("GET", "/metrics/x?token=secret")
    assert (status, text) == (
        404,
        "Nothing is here; there are /, /-/healthy, /-/ready, /metrics, /ingest/usage, /ingest/kong.\n",
    )
    status, text, headers = shared.ask("GET", "/ingest/usage")
    assert (status, headers["allow"], text) == (405, "POST", "This path takes POST alone.\n")
    assert shared.ask("POST", "/metrics", b"x")[0] == 405
    assert '<a href="/metrics">' in shared.ask("GET", "/")[1]
    assert shared.ask("GET", "/-/healthy")[:2] == (200, "The exporter runs.\n")


def test_bodies_beyond_the_limit_are_refused(shared):
    """413 says the limit, however the size is hidden: announced, in chunks, or packed a thousand times smaller."""
    large = b" " * (1 << 21)
    before = shared.resident
    assert shared.post(large)[0] == 413
    assert shared.post(iter([large[:70_000]] * 40), Transfer_Encoding="chunked")[0] == 413
    bomb = gzip.compress(b" " * (400 << 20))
    for _ in range(3):
        status, text = shared.post(bomb, Content_Encoding="gzip")
        assert (status, "1048576 bytes" in text) == (413, True)
    assert shared.resident < before + 60


@pytest.mark.parametrize(
    ("body", "headers", "status", "words"),
    [
        (b"not gzip", {"Content_Encoding": "gzip"}, 400, "cannot be unpacked"),
        (gzip.compress(b"{}")[:-3], {"Content_Encoding": "gzip"}, 400, "cannot be unpacked"),
        (b"{}", {"Content_Encoding": "br"}, 415, "send it plain or as gzip"),
        (b"  \n", {}, 400, "The body is empty."),
        (b"{}\n{]\n", {}, 400, "None of its 2 records can be read as `usage`"),
    ],
)
def test_a_body_that_is_no_body_is_told_so(shared, body, headers, status, words):
    """Each has its status and its sentence, and nothing is counted."""
    answered, text = shared.post(body, **headers)
    assert (answered, words in text) == (status, True)


def test_good_records_of_a_broken_body_are_taken(tmp_path):
    """One bad record stops no other: it is counted by its reason."""
    with running(tmp_path) as exporter:
        bad = (
            b'{"id":"x"',
            b'{"id":"y","time":1,"outcome":"maybe"}',
            record(tokens=None).replace(b"null", b'{"output":-1}'),
        )
        status, text = exporter.post(b"\n".join((record(1), *bad, record(2))))
        assert (status, json.loads(text)) == (200, {"ok": 2, "invalid": 3, "duplicate": 0})
        counts = exporter.counts()
        assert counts["llm_exporter_records_total /ingest/usage invalid"] == 3
        assert sum(v for k, v in counts.items() if k.startswith("llm_exporter_invalid_records_total")) == 3
        assert counts["llm_exporter_invalid_records_total /ingest/usage negative"] == 1


def test_a_body_that_is_sent_again_counts_once(tmp_path):
    """Duplicates are known by id, also after a restart; records without an id are never taken for any."""
    with running(tmp_path) as exporter:
        assert '"ok":2' in exporter.post(lines(1, 2))[1]
        assert json.loads(exporter.post(lines(2, 3))[1]) == {"ok": 1, "invalid": 0, "duplicate": 1}
        assert exporter.end(signal.SIGKILL) == -signal.SIGKILL
    with running(tmp_path) as exporter:
        assert json.loads(exporter.post(lines(1, 2, 3))[1])["duplicate"] == 3
        assert exporter.counts()["llm_requests_total search llama success"] == 3
        nameless = json.dumps({"started_at": 1790000000000, "response": {"status": 200}, "request": {}})
        again = [json.loads(exporter.post(nameless, "/ingest/kong")[1]) for _ in range(2)]
        assert [one["duplicate"] for one in again] == [0, 0]


def test_what_was_confirmed_survives_a_kill(tmp_path):
    """An answer of 200 means that the records are counted and saved: killed at once, they are there again."""
    total = 0
    for _ in range(3):
        with running(tmp_path) as exporter:
            assert exporter.counts()["llm_requests_total search llama success"] == total
            for number in range(total + 1, total + 6):
                assert exporter.post(record(number))[0] == 200
            exporter.end(signal.SIGKILL)
            total += 5


def test_a_start_shows_though_the_counts_go_on(tmp_path):
    """The page says when the process was started, by the name that everybody uses; a reload is no start."""
    began, starts = time.time(), list[float]()
    read = "llm_exporter_config_last_reload_success_timestamp_seconds"
    for _ in range(2):
        with running(tmp_path) as exporter:
            starts.append(exporter.counts()["process_start_time_seconds"])
            before = exporter.counts()[read]
            exporter.process.send_signal(signal.SIGHUP)
            wait_until(lambda before=before: exporter.counts()[read] > before, "a reload")
            assert exporter.counts()["process_start_time_seconds"] == starts[-1]
            exporter.end()
    assert began - 1 < starts[0] < starts[1] < time.time() + 1


def test_slow_and_endless_clients_hold_nobody_up(shared):
    """More half-sent requests than there may be connections, and a body without end: others are answered."""
    with ExitStack() as stack:
        for _ in range(60):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", shared.port)))
            slow.sendall(b"POST /ingest/usage HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        endless = stack.enter_context(socket.create_connection(("127.0.0.1", shared.port), timeout=30))
        head = f"POST /ingest/usage HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        endless.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        before = shared.counts()["llm_exporter_requests_refused_total /ingest/usage cut"]
        assert shared.post(record())[0] == 200

        def drip() -> bool:
            with suppress(OSError):
                endless.sendall(b"1\r\n \r\n")
            return shared.counts()["llm_exporter_requests_refused_total /ingest/usage cut"] > before

        wait_until(drip, "the end of a body that never ends")


def test_what_is_no_request_is_answered_or_closed(shared):
    """Garbage, a header without end and a length that lies leave the exporter as it is."""
    for sent in (
        b"\x16\x03\x01 hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000,
        b"POST /ingest/usage HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", shared.port), timeout=20) as client:
            client.sendall(sent)
            assert client.recv(12) in (b"HTTP/1.1 400", b"HTTP/1.1 431")
    assert shared.ask("GET", "/-/healthy")[0] == 200


def test_a_flood_is_answered_503_and_what_was_taken_is_exact(tmp_path):
    """Ten times what may wait: senders are told when to come again, memory stays, and each 200 was counted."""
    limits = {"body_bytes": 1 << 20, "queue_bytes": 1 << 21}
    with running(tmp_path, limits=limits) as exporter:
        before, answers = exporter.resident, list[tuple[int, str | None]]()

        def send() -> None:
            for _ in range(3):
                body = b"\n".join(record() for _ in range(3000))
                with suppress(OSError, http.client.HTTPException):
                    status, _, headers = exporter.ask("POST", "/ingest/usage", body, **BEARER)
                    answers.append((status, headers.get("retry-after")))

        threads = [threading.Thread(target=send) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses = [status for status, _ in answers]
        assert set(statuses) == {200, 503}
        assert all(retry for status, retry in answers if status == 503)
        counts = exporter.counts()
        assert counts["llm_requests_total search llama success"] == 3000 * statuses.count(200)
        assert counts["llm_exporter_requests_refused_total /ingest/usage busy"] == statuses.count(503)
        assert counts["llm_exporter_queue_length /ingest/usage"] == 0
        assert exporter.resident < before + 80


def test_prometheus_scrapes_it(tmp_path, start_program):
    """A real Prometheus takes the page, with limits set, and knows what a team used."""
    (tmp_path / "access.jsonl").write_bytes(lines(1, 2, 3) + b"\n")
    with running(tmp_path) as exporter:
        exporter.post(record(4, team="nobody knows this one"))
        page = exporter.ask("GET", "/metrics")[1]
        linted = subprocess.run(
            ["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False
        )
        assert (linted.returncode, linted.stdout, linted.stderr) == (0, "", "")

        def prometheus(folder: Path, port: int) -> list[str]:
            targets = [{"targets": [f"127.0.0.1:{exporter.port}"]}]
            job = {
                "job_name": "sre-exporter",
                "static_configs": targets,
                "sample_limit": 4000,
                "label_value_length_limit": 256,
            }
            config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
            (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
            flags = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"]
            return ["prometheus", *flags, f"--web.listen-address=127.0.0.1:{port}"]

        server = start_program(prometheus, "/-/ready").url

        def value(query: str) -> str | None:
            result = json.loads(ask(f"{server}/api/v1/query?query={urllib.parse.quote(query)}"))["data"][
                "result"
            ]
            return result[0]["value"][1] if result else None

        wait_until(lambda: value('up{job="sre-exporter"}') == "1", "a scrape")
        assert value('llm_tokens_total{team="search",model="llama",class="output"}') == "21"
        assert value('sum(llm_requests_total{team="other"})') == "1"
        assert value('llm_exporter_label_overflow_total{label="team"}') == "1"
        assert value("scrape_samples_scraped - scrape_samples_post_metric_relabeling") == "0"


def test_a_reload_changes_what_it_may_and_keeps_what_works(tmp_path):
    """A wrong file leaves the one in use, says why and shows it; a right one counts for new teams at once."""
    with running(tmp_path) as exporter:
        exporter.post(record(1))
        right = (tmp_path / "exporter.yaml").read_text()
        (tmp_path / "exporter.yaml").write_text(right.replace("version: 1", "version: 7"))
        exporter.process.send_signal(signal.SIGHUP)
        wait_until(lambda: exporter.counts()["llm_exporter_config_last_reload_successful"] == 0, "a refusal")
        assert "`version` is 7" in exporter.log
        assert exporter.post(record(2))[0] == 200
        (tmp_path / "exporter.yaml").write_text(
            right.replace("- support", "- support\n  - legal")
            .replace("/kong", "/other")
            .replace(f":{exporter.port}", ":1")
        )
        exporter.process.send_signal(signal.SIGHUP)
        wait_until(lambda: exporter.counts()["llm_exporter_config_last_reload_successful"] == 1, "a reload")
        assert "`listen` has changed" in exporter.log
        assert exporter.post(record(3, team="legal"))[0] == 200
        assert "`kong`" in exporter.post(record(3), "/ingest/other")[1]
        counts = exporter.counts()
        assert (
            counts["llm_requests_total legal llama success"],
            counts["llm_requests_total search llama success"],
        ) == (1, 2)
        assert exporter.post(record(4), "/ingest/kong")[0] == 404


def test_it_saves_and_ends_when_it_is_told_to(tmp_path):
    """SIGTERM is an end in order: exit code 0, the last words on standard error, the counts saved."""
    with running(tmp_path) as exporter:
        (tmp_path / "access.jsonl").write_bytes(lines(1, 2) + b"\n")
        wait_until(
            lambda: exporter.counts()["llm_requests_total search llama success"] == 2, "the log to be read"
        )
        assert exporter.end() == 0
        assert "everything counted is saved" in exporter.log
    with running(tmp_path) as exporter:
        assert exporter.counts()["llm_requests_total search llama success"] == 2


def test_a_second_exporter_is_refused(tmp_path):
    """Neither the address nor the state file is shared: the second one says so and ends with 2."""
    with running(tmp_path) as exporter:
        command = [sys.executable, "-m", "sre.cli", "exporter", "run", "--config", "exporter.yaml"]
        for keys in ({}, {"listen": f"127.0.0.1:{free_port()}"}, {"state": "other.state"}):
            configure(tmp_path, exporter.port, **keys)
            second = subprocess.run(
                command,
                cwd=tmp_path,
                env=os.environ | {"TOKEN": TOKEN},
                capture_output=True,
                text=True,
                check=False,
            )
            assert second.returncode == 2
            assert "error: " in second.stderr
            assert "Traceback" not in second.stderr
        assert exporter.ask("GET", "/-/healthy")[0] == 200


def certificate(folder: Path, name: str, authority: str = "") -> None:
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    named = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    signed = ["-CA", f"{authority}.crt", "-CAkey", f"{authority}.key"] if authority else []
    command = [
        "openssl",
        "req",
        "-x509",
        *key,
        *named,
        *signed,
        "-keyout",
        f"{name}.key",
        "-out",
        f"{name}.crt",
    ]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def test_senders_show_a_certificate_where_an_authority_is_set(tmp_path):
    """Posting takes a certificate of the authority; scraping and probes take none."""
    certificate(tmp_path, "authority")
    for name in ("server", "sender"):
        certificate(tmp_path, name, "authority")
    certificate(tmp_path, "stranger")
    client = ssl.create_default_context(cafile=tmp_path / "authority.crt")
    tls = {"cert": "server.crt", "key": "server.key", "client_ca": "authority.crt"}
    routes = [{"kind": "http", "path": "/ingest/usage", "format": "usage"}]
    with running(tmp_path, client, tls=tls, routes=routes) as exporter:
        status, text, _ = exporter.ask("POST", "/ingest/usage", record(1))
        assert (status, "client certificate" in text) == (403, True)
        client.load_cert_chain(tmp_path / "sender.crt", tmp_path / "sender.key")
        assert exporter.ask("POST", "/ingest/usage", record(1))[0] == 200
        client.load_cert_chain(tmp_path / "stranger.crt", tmp_path / "stranger.key")
        with pytest.raises((ssl.SSLError, OSError)):
            exporter.ask("POST", "/ingest/usage", record(1))
        bare = requests.get(
            f"https://127.0.0.1:{exporter.port}/metrics", verify=tmp_path / "authority.crt", timeout=10
        )
        assert 'llm_requests_total{team="search",model="llama",outcome="success"} 1' in bare.text
        with socket.create_connection(("127.0.0.1", exporter.port), timeout=20) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert not plain.recv(100).startswith(b"HTTP")
