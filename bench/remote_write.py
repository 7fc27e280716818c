"""Samples into a Prometheus of one's own, by remote write: labels are told once per series, not per sample.

https://prometheus.io/docs/specs/remote_write_spec/ (1.0): protobuf inside snappy's block format.
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import requests

_LABELS, _SAMPLES, _SERIES = b"\x0a", b"\x12", b"\x0a"
_LITERAL = b"\xfc"
"""Snappy: what follows is a literal, its length less one in four bytes. Loopback needs no compression."""

_BATCH = 8 << 20
_HEADERS = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}


def encode(samples: Iterable[tuple[float, float]]) -> bytes:
    """Samples as (time in seconds, value), in order; the same bytes serve every series that has them."""
    return b"".join(
        _framed(_SAMPLES, b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(round(at * 1000)))
        for at, value in samples
    )


def encode_labels(labels: Mapping[str, str]) -> bytes:
    """Labels, or some of a series' labels: Prometheus sorts them."""
    return b"".join(
        _framed(_LABELS, _framed(b"\x0a", name.encode()) + _framed(b"\x12", value.encode()))
        for name, value in labels.items()
    )


@dataclass
class Writer:
    """Collects series and sends them in batches."""

    url: str
    session: requests.Session
    _batch: list[bytes] = field(default_factory=list)
    _size: int = 0

    def add(self, series: bytes) -> None:
        """One series: its labels and behind them its samples, as encoded above."""
        self._batch += (_SERIES, _varint(len(series)), series)
        self._size += len(series)
        if self._size > _BATCH:
            self.flush()

    def flush(self) -> None:
        """Send what is left."""
        body, self._batch, self._size = b"".join(self._batch), [], 0
        if not body:
            return
        block = _varint(len(body)) + _LITERAL + struct.pack("<I", len(body) - 1) + body
        answer = self.session.post(f"{self.url}/api/v1/write", block, headers=_HEADERS, timeout=120)
        if not answer.ok:
            raise SystemExit(f"Prometheus refused samples: {answer.text.strip()}")


def _framed(tag: bytes, inside: bytes) -> bytes:
    return tag + _varint(len(inside)) + inside


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
