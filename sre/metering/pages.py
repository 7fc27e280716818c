"""Questions about a month, small enough for a server's own limits, each answered once even when a run is cut off."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sre.promql import quote

if TYPE_CHECKING:
    from sre.prometheus import Server

MOST_POINTS = 1_500_000
"""Points of one answer: a tenth of the bytes that are taken, a thirtieth of a server's 50 million samples."""
MOST_STEPS = 10_000
"""Points of one series: servers give 11,000."""

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Pages:
    """A server, and the folder where answers are kept until the month is written; None keeps none."""

    server: "Server"
    folder: Path | None = None

    def grid(
        self, expr: str, start: int, end: int, step: int, series: int
    ) -> Iterator[tuple[Labels, list[tuple[int, float]]]]:
        """All points from ``start`` to ``end``, both included, page by page; ``series`` is how many are expected."""
        steps = max(1, min(MOST_STEPS, MOST_POINTS // max(1, series)))
        at = start
        while at <= end:
            last = min(end, at + (steps - 1) * step)
            last -= (last - at) % step
            yield from self._range(expr, at, last, step)
            at = last + step

    def at(self, expr: str, moment: float) -> Iterator[tuple[Labels, float]]:
        """The value of each series at a moment."""
        kept = self._kept(f"at {expr} {moment}")
        if kept is not None and kept.exists():
            yield from ((_labels(dict(labels)), value) for labels, value in json.loads(kept.read_bytes()))
            return
        found = [(_labels(one.labels), one.value) for one in self.server.query(expr, moment)]
        _keep(kept, found)
        yield from found

    def forget(self) -> None:
        """The month is written: the answers are needed no longer."""
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _range(
        self, expr: str, start: int, end: int, step: int
    ) -> Iterator[tuple[Labels, list[tuple[int, float]]]]:
        kept = self._kept(f"range {expr} {start} {end} {step}")
        if kept is not None and kept.exists():
            for labels, points in json.loads(kept.read_bytes()):
                yield _labels(dict(labels)), [(int(at), value) for at, value in points]
            return
        answer = self.server.query_range(expr, start, end, step)
        found = [(_labels(one.labels), [(round(at), value) for at, value in one.points]) for one in answer]
        _keep(kept, found)
        yield from found

    def _kept(self, question: str) -> Path | None:
        name = hashlib.sha256(f"{self.server.url} {question}".encode()).hexdigest()[:24]
        return self.folder / f"{name}.json" if self.folder else None


def selector(metric: str, labels: Mapping[str, str]) -> str:
    """One series, or those that have these labels."""
    return f"{metric}{{{','.join(f'{name}={quote(value)}' for name, value in labels.items())}}}"


def _keep(path: Path | None, found: object) -> None:
    """Whole or not at all; a folder that cannot be written to only means that nothing is resumed."""
    if path is None:
        return
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(found))
        part.replace(path)


def _labels(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))
