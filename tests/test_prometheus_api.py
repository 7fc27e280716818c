"""What a Prometheus API is asked and how its answers, and everything that is no answer, come out."""

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from sre.findings import Refused, Unreachable
from sre.prometheus import Server, connect

PAGE = {
    "job": "chat-70b",
    "text": "# TYPE depth gauge\n# HELP depth Requests that wait\n"
    'depth{engine="0"} 17\ndepth{engine="1"} 25\n'
    "# TYPE odd gauge\nodd NaN\n# TYPE never gauge\nnever +Inf\n",
    "labels": {"pod": "chat-0"},
}
RULES = """
groups:
  - name: llm-engine
    interval: 2s
    rules:
      - {record: "pool:depth:sum", expr: "sum by (job) (depth)", labels: {team: search}}
      - alert: Deep
        expr: depth > 20
        for: 3m
        labels: {severity: page}
        annotations: {summary: It is deep}
"""


@pytest.fixture(scope="module")
def prometheus(start_prometheus, tmp_path_factory):
    rules = tmp_path_factory.mktemp("rules") / "one.yaml"
    rules.write_text(RULES)
    return Server(start_prometheus(PAGE, rules=[rules]).url)


@pytest.fixture(scope="module")
def victoria(start_victoria_metrics):
    return Server(start_victoria_metrics(PAGE).url)


@pytest.fixture(scope="module", params=["prometheus", "victoria"])
def server(request):
    return request.getfixturevalue(request.param)


class TestRealServers:
    def test_an_instant_query_gives_samples_with_their_labels(self, server):
        """The same question to Prometheus and VictoriaMetrics gives the same samples."""
        found = {sample.labels["engine"]: sample for sample in server.query('depth{job="chat-70b"}')}
        assert {engine: sample.value for engine, sample in found.items()} == {"0": 17.0, "1": 25.0}
        assert found["0"].labels["__name__"] == "depth"
        assert found["0"].labels["pod"] == "chat-0"
        assert abs(found["0"].time - time.time()) < 60

    def test_a_scalar_is_one_sample(self, server):
        """A number that has no series is still an answer."""
        (sample,) = server.query("1 + 2")
        assert (sample.value, sample.labels) == (3.0, {})

    def test_nothing_found_is_no_error(self, server):
        """An unknown metric gives an empty answer."""
        assert server.query("no_such_metric_1") == ()
        assert server.series("no_such_metric_2") == ()

    def test_a_range_has_points_in_order(self, server):
        """A range query gives each series' points, oldest first, a step apart."""
        now = time.time()
        found = server.query_range("sum(depth)", now - 2, now + 2, 1)
        times = [at for at, _ in found[0].points]
        assert times == sorted(times)
        assert {value for _, value in found[0].points} == {42.0}

    def test_series_and_label_values(self, server):
        """Label sets and label values come for the selectors that were given."""
        assert {labels.get("engine") for labels in server.series("depth", "odd")} >= {"0", "1"}
        assert server.label_values("engine", "depth") == ("0", "1")
        assert "depth" in server.label_values("__name__")

    def test_a_long_question_is_posted(self, server):
        """An expression that no address could hold gets its answer all the same."""
        (sample,) = server.query(" + ".join(["sum(depth)"] * 900))
        assert sample.value == 42.0 * 900

    def test_a_query_it_cannot_parse_is_told_with_the_servers_words(self, server):
        """A refused query says what the server says about it."""
        with pytest.raises(Unreachable) as caught:
            server.query("sum(")
        (finding,) = caught.value.findings
        assert finding.where == server.url
        assert "refused /api/v1/query" in finding.what
        assert "parse" in finding.what

    def test_infinity_and_not_a_number_are_floats(self, prometheus):
        """What Prometheus spells +Inf and NaN comes out as the floats they are."""
        assert prometheus.query("never")[0].value == float("inf")
        assert prometheus.query("odd")[0].value != prometheus.query("odd")[0].value

    def test_targets_rules_metadata_and_version(self, prometheus):
        """A Prometheus says what it scrapes, what it evaluates, what its metrics mean and who it is."""
        (target,) = prometheus.targets()
        assert (target.labels["job"], target.pool, target.health, target.interval) == (
            "chat-70b",
            "page-0",
            "up",
            2,
        )
        (group,) = prometheus.rules()
        assert (group.name, group.interval) == ("llm-engine", 2.0)
        record, alert = group.rules
        assert (record.kind, record.name, record.labels) == (
            "recording",
            "pool:depth:sum",
            {"team": "search"},
        )
        assert (alert.kind, alert.for_seconds, alert.annotations) == (
            "alerting",
            180.0,
            {"summary": "It is deep"},
        )
        assert prometheus.metadata("depth")["depth"][0].help == "Requests that wait"
        assert prometheus.buildinfo()["version"].startswith("2.")

    def test_a_server_that_scrapes_nothing_says_so(self, victoria):
        """VictoriaMetrics answers the questions that it has no part in, with nothing."""
        assert victoria.targets() == ()
        assert victoria.rules() == ()


SUCCESS = {"status": "success", "data": {"resultType": "vector", "result": []}}


def http(status: str, body: bytes, *headers: str) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers])
    return head.encode() + b"\r\n\r\n" + body


def api(http_status: str = "200 OK", **answer: object) -> bytes:
    return http(http_status, json.dumps(answer).encode(), "Content-Type: application/json")


LOGIN = b"<!DOCTYPE html><html><form action=/login></form></html>"
BYTES = {
    "login": http("200 OK", LOGIN, "Content-Type: text/html"),
    "noentry": http("401 Unauthorized", b"Unauthorized"),
    "tenant": http("403 Forbidden", b'{"status":"error","errorType":"forbidden","error":"tenant"}'),
    "nothing": http("404 Not Found", b"404 page not found\n"),
    "elsewhere": http("302 Found", b"", "Location: https://u:p4ss@login.example.com/auth?back=1"),
    "secure": http("301 Moved Permanently", b"", "Location: https://127.0.0.1/secure/api/v1/query"),
    "gateway": http("502 Bad Gateway", LOGIN),
    "json": http("200 OK", b'{"hello": [1, 2'),
    "other": http("200 OK", b'["another", "program"]'),
    "shape": api(status="success", data={"resultType": "vector", "result": [{"metric": {}, "value": "x"}]}),
    "deep": http("200 OK", b"[" * 200_000),
    "partial": api(**SUCCESS, warnings=["store-7\x1b[31m: deadline exceeded", "second"]),
    "cluster": api(**SUCCESS, isPartial=True),
    "remark": api(
        **SUCCESS, warnings=["PromQL info: metric might not be a counter"], infos=["PromQL info: x"]
    ),
    "timeout": api("503 Service Unavailable", status="error", errorType="timeout", error="query timed out"),
    "short": b'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nConnection: close\r\n\r\n{"status":',
    "garbage": b"SSH-2.0-OpenSSH_9.2\r\n",
    "silent": b"",
    "bomb": http("200 OK", gzip.compress(b" " * 3_000_000), "Content-Encoding: gzip"),
    "badgzip": http("200 OK", b"\x1f\x8b\x00nonsense", "Content-Encoding: gzip"),
    "tokens": b"",
}


class Wire:
    """A server that answers a path with the bytes above, and remembers what it was sent."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.requests: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def url(self, name: str, user: str = "") -> str:
        return f"http://{user}127.0.0.1:{self.port}/{name}"

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            request = connection.recv(65536).decode()
            self.requests.append(request)
            name = request.split("/")[1]
            if name == "hang":
                time.sleep(3)
            elif name == "drip":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
                for _ in range(40):
                    connection.sendall(b" ")
                    time.sleep(0.1)
            else:
                connection.sendall(BYTES.get(name) or api(**SUCCESS))


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.listener.close()


def said(server: Server) -> str:
    with pytest.raises(Unreachable) as caught:
        server.query("up")
    (finding,) = caught.value.findings
    assert finding.severity == "error"
    assert finding.why
    assert finding.fix
    assert "\x1b" not in str(caught.value)
    return f"{finding.what} | {finding.why} | {finding.fix}"


class TestWhatIsNoAnswer:
    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("login", "answers with a web page (HTTP 200), not with the API | this is a login page"),
            ("noentry", "wants to know who asks (HTTP 401)"),
            ("tenant", "does not let this user or tenant in (HTTP 403)"),
            ("nothing", "has no /api/v1/query (HTTP 404)"),
            (
                "elsewhere",
                "sends every question on to 'https://login.example.com/auth' | this is a login in front",
            ),
            ("secure", "sends every question on to 'https://127.0.0.1/secure/api/v1/query'"),
            ("gateway", "failed with HTTP 502"),
            ("json", "answers with HTTP 200 and not with the API: '{\"hello\": [1, 2'"),
            ("other", "it is another program"),
            ("shape", "in an unknown form"),
            ("deep", "not with the API"),
            ("partial", "answered partially; store-7 [31m: deadline exceeded; second"),
            ("cluster", "answered partially"),
            ("timeout", "gave up on the question: query timed out"),
            ("short", "broke off in the middle of the answer"),
            ("garbage", "cannot be reached"),
            ("badgzip", "broke off in the middle of the answer"),
        ],
    )
    def test_each_says_what_it_is_and_what_to_do(self, wire, name, words):
        """Whatever comes instead of an answer is named, with why it matters and the way out."""
        assert words in said(Server(wire.url(name), timeout=5))

    def test_remarks_on_the_query_are_no_partial_answer(self, wire):
        """PromQL's own remarks, under whichever key they come, do not spoil an answer."""
        assert Server(wire.url("remark")).query("up") == ()

    @pytest.mark.parametrize("name", ["hang", "drip"])
    def test_a_slow_answer_ends_at_the_time_limit(self, wire, name):
        """A server that hangs, or drips a byte at a time, holds nobody longer than asked for."""
        begin = time.monotonic()
        assert "did not answer in full within 0.5 s" in said(Server(wire.url(name), timeout=0.5))
        assert time.monotonic() - begin < 2.5

    def test_a_huge_answer_is_cut_off_unpacked(self, wire):
        """A small answer that unpacks to a huge one does not fill the memory."""
        assert "larger than 1 MiB" in said(Server(wire.url("bomb"), max_bytes=1 << 20))

    def test_nobody_there(self):
        """A closed port is a refused connection, in the system's words."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        assert "cannot be reached: Connection refused" in said(Server(f"http://127.0.0.1:{port}"))

    def test_a_name_that_is_no_host(self):
        """A host name that does not exist says so."""
        assert "cannot be reached" in said(Server("http://no-such-host.invalid:9090", timeout=5))

    def test_absent_parts_of_the_api_are_none(self, wire):
        """A server without targets, rules, metadata or build information is not broken."""
        server = Server(wire.url("nothing"))
        assert (server.targets(), server.rules(), server.metadata(), server.buildinfo()) == (None,) * 4


class TestAddressAndIdentity:
    def test_a_password_is_sent_and_never_shown(self, wire):
        """User and password of the address reach the server as basic authentication, and no message."""
        server = Server(wire.url("nothing", "me:s%40cr%C3%A4t@"))
        assert "s@cr" not in said(server) + server.url
        assert "s%40cr" not in said(server) + server.url
        assert "Authorization: Basic bWU6c0BjcsOkdA==" in wire.requests[-1]

    def test_a_password_is_not_shown_when_nobody_answers(self):
        """The system's error texts repeat addresses; ours do not."""
        assert "hidden" not in said(Server("http://me:hidden@127.0.0.1:1"))

    def test_a_token_by_the_name_of_its_variable_and_a_tenant(self, wire):
        """The token comes from the environment, the tenant as a header."""
        server = connect(
            wire.url("tokens"),
            {"PROM": "abc.def\n"},
            headers=["X-Scope-OrgID: team-7"],
            token_env="PROM",  # noqa: S106
        )
        server.query("up")
        assert "Authorization: Bearer abc.def\r\n" in wire.requests[-1]
        assert "X-Scope-OrgID: team-7\r\n" in wire.requests[-1]

    @pytest.mark.parametrize("ending", ["", "/", "///", "/api/v1", "/api/v1/", "/graph?g0.expr=up"])
    def test_endings_of_addresses_do_not_matter(self, wire, ending):
        """Trailing slashes, and what a browser shows, lead to the same API."""
        Server(wire.url("tokens") + ending).query("up")
        assert wire.requests[-1].startswith("GET /tokens/api/v1/query?query=up ")

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "prom:9090",
            "ftp://prom",
            "http://",
            "http://pro m",
            "http://[::1",
            "http://h:99999",
            "file:///x",
        ],
    )
    def test_what_is_no_address_is_refused(self, url):
        """An address that cannot be asked is bad input, not an unreachable server."""
        with pytest.raises(Refused) as caught:
            Server(url)
        assert caught.value.findings[0].fix.startswith("write http://host:9090")

    def test_ipv6_addresses_keep_their_brackets(self):
        """An IPv6 address stays one."""
        assert Server("https://u:p@[::1]:9090/prom/").url == "https://[::1]:9090/prom"

    @pytest.mark.parametrize(
        ("options", "where"),
        [
            ({"token_env": "UNSET"}, "--token-env"),
            ({"token_env": "EMPTY"}, "--token-env"),
            ({"token_env": "LINES"}, "--token-env"),
            ({"headers": ["no colon"]}, "--header"),
            ({"headers": ["A: b\r\nC: d"]}, "--header"),
            ({"headers": [": b"]}, "--header"),
        ],
    )
    def test_options_that_cannot_be_sent_are_refused(self, options, where):
        """A missing token or a broken header is refused before anything is asked."""
        environ = {"EMPTY": " ", "LINES": "a\nb"}
        with pytest.raises(Refused) as caught:
            connect("http://127.0.0.1:9090", environ, **options)
        assert caught.value.findings[0].where == where
