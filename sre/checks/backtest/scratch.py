"""A Prometheus of our own on loopback: empty at first, written to as rules are evaluated, gone afterwards."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sre.answers import Series
from sre.checks.backtest.history import Coverage
from sre.checks.backtest.samples import STALE, packed, request, series
from sre.findings import Unreachable
from sre.lab.programs import find, folder, running
from sre.prometheus import Server, own_server

_ANSWER = 600.0
_BATCH = 8 << 20
_LISTENING = re.compile(r'msg="Listening on".*? address=(127\.0\.0\.1:\d+)')

# One head block for all of the period: a server takes samples that are up to half a block older than its newest.
_FLAGS = (
    "--config.file=prometheus.yml",
    "--storage.tsdb.path=data",
    "--storage.tsdb.min-block-duration=10y",
    "--storage.tsdb.max-block-duration=10y",
    "--storage.tsdb.retention.time=100y",
    "--web.listen-address=127.0.0.1:0",
    "--web.enable-remote-write-receiver",
    "--query.max-samples=1000000000",
    "--query.timeout=10m",
)

Key = tuple[tuple[str, str], ...]


class Scratch:
    """What is written under one name is written once, in order of time."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._batch = list[bytes]()
        self._size = 0

    def write(self, labels: Mapping[str, str], points: list[tuple[int, bytes]]) -> None:
        """One series; ``flush`` makes it readable."""
        self._batch.append(series(labels, points))
        self._size += len(self._batch[-1])
        if self._size > _BATCH:
            self.flush()

    def flush(self) -> None:
        """Send what was written. Raises ``Unreachable``."""
        if self._batch:
            self.server.write(request(self._batch))
        self._batch, self._size = [], 0


class Record:
    """Writes what one rule gave, page by page, and a mark where one of its series ends."""

    def __init__(self, scratch: Scratch, name: str, labels: Mapping[str, str], coverage: Coverage) -> None:
        self._scratch, self._fixed, self._coverage = scratch, {**labels, "__name__": name}, coverage
        self._open = dict[Key, int]()

    def add(self, page: range, found: tuple[Series, ...]) -> None:
        """The next page; what no server was there to evaluate is left out."""
        ended = dict(self._open)
        for key, values in self._told(found).items():
            points = self._points(values, page.step, ended.pop(key, None))
            if points:
                self._scratch.write(dict(key), points)
                self._open[key] = points[-1][0]
        for key, last in ended.items():
            self._end(key, last + page.step)
        for key in [key for key, last in self._open.items() if last != page[-1]]:
            self._end(key, self._open[key] + page.step)

    def _told(self, found: tuple[Series, ...]) -> dict[Key, list[tuple[float, float]]]:
        """Values by what they are recorded as: of `a or b` one series may come in parts, each under its own name."""
        values = dict[Key, list[tuple[float, float]]]()
        for one in found:
            key: Key = tuple(sorted({**one.labels, **self._fixed}.items()))
            values[key] = sorted([*values[key], *one.points]) if key in values else list(one.points)
        return values

    def _points(
        self, values: list[tuple[float, float]], step: int, last: int | None
    ) -> list[tuple[int, bytes]]:
        points, covered = list[tuple[int, bytes]](), self._coverage
        for time_, value in values:
            at = round(time_ * 1000)
            if not covered.whole and not covered.has(at):
                continue
            if last is not None and at - last > step and covered.has(last + step):
                points.append((last + step, STALE))
            points.append((at, packed(value)))
            last = at
        return points

    def _end(self, key: Key, at: int) -> None:
        self._open.pop(key, None)
        if self._coverage.has(at):
            self._scratch.write(dict(key), [(at, STALE)])


@contextmanager
def scratch() -> Iterator[Scratch]:
    """Started for the block, ended with it, its folder removed. Raises ``Refused``, ``Unreachable``."""
    file = find("prometheus")["prometheus"]
    with folder("sre-backtest-") as where:
        (where / "prometheus.yml").write_text("global: {}\n")
        with running("prometheus", [file, *_FLAGS], where, lambda: _listening(where) is not None):
            yield Scratch(own_server(f"http://{_listening(where)}", timeout=_ANSWER))


def _listening(where: Path) -> str | None:
    """The address that it found free, once it answers there."""
    log = where / "prometheus.log"
    found = _LISTENING.search(log.read_text(errors="replace"))
    try:
        return (
            found[1]
            if found and own_server(f"http://{found[1]}", timeout=_ANSWER).query("vector(1)")
            else None
        )
    except Unreachable:
        return None
