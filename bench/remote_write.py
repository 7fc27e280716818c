"""Many series into a Prometheus of one's own: labels and samples that several share are encoded once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import requests

from sre.checks.backtest import samples

_BATCH = 8 << 20
_HEADERS = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}


def encode(found: Iterable[tuple[float, float]]) -> bytes:
    """Samples as (time in seconds, value), in order; the same bytes serve every series that has them."""
    return samples.encode_points((round(at * 1000), samples.packed(value)) for at, value in found)


def encode_labels(labels: Mapping[str, str]) -> bytes:
    """Labels, or some of a series' labels: Prometheus sorts them."""
    return samples.encode_labels(labels)


@dataclass
class Writer:
    """Collects series and sends them in batches."""

    url: str
    session: requests.Session
    _batch: list[bytes] = field(default_factory=list)
    _size: int = 0

    def add(self, series: bytes) -> None:
        """One series: its labels and behind them its samples, as encoded above."""
        self._batch.append(samples.joined(series))
        self._size += len(series)
        if self._size > _BATCH:
            self.flush()

    def flush(self) -> None:
        """Send what is left."""
        batch, self._batch, self._size = self._batch, [], 0
        if not batch:
            return
        body = samples.request(batch)
        answer = self.session.post(f"{self.url}/api/v1/write", body, headers=_HEADERS, timeout=120)
        if not answer.ok:
            raise SystemExit(f"Prometheus refused samples: {answer.text.strip()}")
