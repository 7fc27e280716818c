"""The only file that talks to a Prometheus API, which Thanos, Mimir and VictoriaMetrics answer as well.

Uses requests directly: prometheus-api-client drops the server's ``warnings``, and an answer that is silently
partial is the one thing that no check here may rest on.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
import urllib3

from sre import answers, unanswered
from sre.findings import Finding, Refused, Unreachable

MAX_BYTES = 256 << 20
CONNECT_SECONDS = 10.0

# Characters of parameters above which a question is posted: proxies cut addresses at 4 to 8 KiB.
_LONG = 2000

# How a server says that it has no such part of the API: Thanos has no targets, Mimir no metadata of old.
_ABSENT = frozenset({404, 405, 501})

# Remarks on the query, not on the data: Prometheus 2.50 to 2.53 put all of them here, 3.x some.
_REMARK = re.compile(r"PromQL (info|warning):")

# What people copy from the browser's address line.
_ENDINGS = ("/api/v1", "/graph", "/query", "/targets", "/rules", "/alerts", "/vmui")

T = TypeVar("T")
Params = dict[str, str | list[str]]


class Server:
    """One Prometheus API. Every method raises ``Unreachable`` when the answer is missing, wrong or partial.

    ``url`` may hold a user and a password; the attribute does not. ``timeout`` bounds one question from its
    start to its last byte, in seconds; ``max_bytes`` bounds the answer, unpacked.
    """

    def __init__(
        self,
        url: str,
        session: requests.Session | None = None,
        *,
        timeout: float = 60.0,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url, basic = _address(url)
        self._session = session or requests.Session()
        self._timeout, self._max_bytes, self._clock = timeout, max_bytes, clock
        self._headers = {"Accept": "application/json", **(headers or {})}
        # Also where there is nothing to add: without an auth object requests would send what ~/.netrc holds.
        self._auth = _Credentials(token, basic)

    def query(self, expr: str, at: float | None = None) -> tuple[answers.Sample, ...]:
        """The samples of an instant query, now or at a time; a scalar is one sample without labels."""
        return self._read(answers.samples, "query", {"query": expr, **_given("time", at)})

    def query_range(self, expr: str, start: float, end: float, step: float) -> tuple[answers.Series, ...]:
        """The series of a range query; ``step`` in seconds."""
        times = {**_given("start", start), **_given("end", end), **_given("step", step)}
        # VictoriaMetrics moves the times to multiples of the step where its cache may answer; others ignore this.
        return self._read(answers.series, "query_range", {"query": expr, **times, "nocache": "1"})

    def series(
        self, *matchers: str, start: float | None = None, end: float | None = None
    ) -> tuple[answers.Labels, ...]:
        """The label sets of all series that match any of the selectors."""
        times = {**_given("start", start), **_given("end", end)}
        return self._read(answers.label_sets, "series", {"match[]": list(matchers), **times})

    def label_values(self, label: str, *matchers: str, start: float | None = None) -> tuple[str, ...]:
        """The values of a label, sorted; on series that match any of the selectors, where some are given."""
        return self._read(
            answers.names, f"label/{label}/values", {"match[]": list(matchers), **_given("start", start)}
        )

    def metadata(self, metric: str | None = None) -> dict[str, tuple[answers.Metadata, ...]] | None:
        """Type and help by metric name; None where the server keeps none (one that does not scrape)."""
        return self._maybe(answers.metadata, "metadata", {"metric": metric} if metric else {})

    def targets(self) -> tuple[answers.Target, ...] | None:
        """The active targets; None where the server does not scrape."""
        return self._maybe(answers.targets, "targets", {"state": "active"})

    def rules(self) -> tuple[answers.LoadedGroup, ...] | None:
        """The rule groups; None where rules are evaluated elsewhere."""
        return self._maybe(answers.groups, "rules", {})

    def buildinfo(self) -> dict[str, str] | None:
        """The server's version and revision; None where it does not say."""
        return self._maybe(answers.build, "status/buildinfo", {})

    def write(self, body: bytes) -> None:
        """Samples for a server of one's own, as remote write sends them: nothing is written to a fleet's."""
        encoding = {
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "snappy",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        status, said = self._sent("POST", "write", {"data": body}, encoding)
        if status >= 300:
            raise self._failed(unanswered.not_taken(status, said))

    def _maybe(self, parse: Callable[[Any], T], path: str, params: Params) -> T | None:
        status, body = self._ask(path, params)
        return None if status in _ABSENT else self._parsed(parse, path, status, body)

    def _read(self, parse: Callable[[Any], T], path: str, params: Params) -> T:
        return self._parsed(parse, path, *self._ask(path, params))

    def _parsed(self, parse: Callable[[Any], T], path: str, status: int, body: bytes) -> T:
        answer = self._json(path, status, body)
        try:
            return parse(answer["data"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._failed(unanswered.unknown_form(path, error)) from None

    def _json(self, path: str, status: int, body: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict) or "status" not in answer:
            raise self._failed(unanswered.no_api(path, status, body))
        if status != requests.codes.ok or answer["status"] != "success":
            raise self._failed(unanswered.refused(path, status, answer))
        warnings = [w for w in answer.get("warnings") or [] if not _REMARK.match(str(w))]
        # VictoriaMetrics' cluster has a word of its own for it.
        if warnings or answer.get("isPartial"):
            raise self._failed(unanswered.partial(warnings))
        return answer

    def _ask(self, path: str, params: Params) -> tuple[int, bytes]:
        """Status and body. GET while the address stays short, since many proxies let nothing else through."""
        post = sum(map(_length, params.values())) > _LONG
        return self._sent("POST" if post else "GET", path, {"data" if post else "params": params})

    def _sent(
        self, method: str, path: str, content: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        end = self._clock() + self._timeout
        try:
            with self._session.request(
                method,
                f"{self.url}/api/v1/{path}",
                **content,
                headers={**self._headers, **(headers or {})},
                auth=self._auth,
                timeout=(min(CONNECT_SECONDS, self._timeout), self._timeout),
                allow_redirects=False,
                stream=True,
            ) as response:
                if 300 <= response.status_code < 400:
                    raise self._failed(unanswered.moved(self.url, response.headers.get("Location", "")))
                return response.status_code, self._body(response, end)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise self._failed(self._words(error)) from None

    def _body(self, response: requests.Response, end: float) -> bytes:
        """All of the body, unpacked. requests bounds single reads only: what drips is cut off here."""
        body = bytearray()
        while part := response.raw.read1(1 << 16, decode_content=True):
            body += part
            if len(body) > self._max_bytes:
                raise self._failed(unanswered.too_large(self._max_bytes))
            if self._clock() > end:
                raise self._failed(unanswered.too_slow(self._timeout))
        return bytes(body)

    def _words(self, error: Exception) -> unanswered.Words:
        if isinstance(error, requests.exceptions.SSLError):
            return unanswered.untrusted(error)
        if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError):
            return unanswered.too_slow(self._timeout)
        if isinstance(error, requests.ConnectionError):
            return unanswered.no_connection(error)
        return unanswered.broken_off(error)

    def _failed(self, words: unanswered.Words) -> Unreachable:
        return Unreachable([Finding(self.url, *words)])


class _Credentials(requests.auth.AuthBase):
    def __init__(self, token: str | None, basic: tuple[str, str] | None) -> None:
        self._token, self._basic = token, basic

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        elif self._basic:
            # As UTF-8: requests would encode text as latin-1, and fail on what that lacks.
            user, password = (part.encode() for part in self._basic)
            requests.auth.HTTPBasicAuth(user, password)(request)
        return request


def own_server(url: str, timeout: float) -> Server:
    """A server that this run has started itself, on loopback: no proxy is asked, and nothing is compressed."""
    session = requests.Session()
    session.trust_env = False
    return Server(url, session, timeout=timeout, headers={"Accept-Encoding": "identity"})


def connect(
    url: str,
    environ: Mapping[str, str],
    *,
    token_env: str | None = None,
    headers: Sequence[str] = (),
    timeout: float = 60.0,
) -> Server:
    """A server from what a command line says: the token's variable by name, headers as ``Name: value``.

    Raises ``Refused`` for an address, variable or header that cannot be used. Asks nothing yet.
    """
    token = _token(token_env, environ) if token_env else None
    return Server(url, timeout=timeout, headers=dict(map(_header, headers)), token=token)


def _token(name: str, environ: Mapping[str, str]) -> str:
    token = environ.get(name, "").strip()
    if not token or not token.isascii() or not token.isprintable():
        what = "holds no token" if name in environ else "is not set"
        finding = Finding("--token-env", f"the variable {name!r} {what}", "it is sent with every question",
                          "export it in this shell, or name another variable")  # fmt: skip
        raise Refused([finding])
    return token


def _header(line: str) -> tuple[str, str]:
    name, colon, value = (part.strip() for part in line.partition(":"))
    if not (
        colon
        and re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name, re.ASCII)
        and value.isascii()
        and value.isprintable()
    ):
        finding = Finding("--header", "a header lacks its name or its colon, or is not plain ASCII",
                          "it is sent as it stands", "write 'X-Scope-OrgID: tenant'")  # fmt: skip
        raise Refused([finding])
    return name, value


def _address(url: str) -> tuple[str, tuple[str, str] | None]:
    """The address without credentials, query and trailing slash; the credentials. Raises ``Refused``."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\s\x00-\x1f\x7f]", url.strip()):
        # The text is not shown: it may hold a password.
        finding = Finding("--prometheus", "this is no web address", "it is where the questions go",
                          "write http://host:9090, with the path prefix if there is one")  # fmt: skip
        raise Refused([finding])
    path = parts.path.rstrip("/")
    path = next((path.removesuffix(end) for end in _ENDINGS if path.endswith(end)), path)
    host = f"[{host}]" if ":" in host else host
    basic = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
    return urlunsplit((parts.scheme, f"{host}:{port}" if port else host, path, "", "")), basic


def _given(name: str, value: float | None) -> Params:
    return {} if value is None else {name: format(value, ".3f")}


def _length(value: str | list[str]) -> int:
    return len(value) if isinstance(value, str) else sum(map(len, value))
