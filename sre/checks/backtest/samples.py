"""Samples as Prometheus takes them over remote write: its protocol 0.1.0, a snappy block of protobuf.

Written by hand, for two reasons: one form has no need of a library, and it must hold the very NaN by which
Prometheus marks that a series has ended, which no text format can write.
Forms: prompb/types.proto and remote.proto of prometheus 2.42; google/snappy/format_description.txt.
"""

import struct
from collections.abc import Iterable, Mapping
from functools import lru_cache

STALE = struct.pack("<Q", 0x7FF0000000000002)
"""The end of a series; model/value/value.go of prometheus."""

_pack = struct.Struct("<d").pack


def packed(value: float) -> bytes:
    """A value as it stands in a sample."""
    return _pack(value)


def series(labels: Mapping[str, str], points: Iterable[tuple[int, bytes]]) -> bytes:
    """One series with its points: times in milliseconds, values packed or ``STALE``."""
    return joined(encode_labels(labels), encode_points(points))


def encode_labels(labels: Mapping[str, str]) -> bytes:
    """Labels, or some of a series' labels: one that is empty is none."""
    return b"".join(
        _field(1, _field(1, name.encode()) + _field(2, value.encode()))
        for name, value in sorted(labels.items())
        if value
    )


def encode_points(points: Iterable[tuple[int, bytes]]) -> bytes:
    """Points in order of time; the same bytes serve every series that has them."""
    return b"".join(_sample(value, at) for at, value in points)


def joined(*parts: bytes) -> bytes:
    """One series of labels and, behind them, points, as they were encoded."""
    return _field(1, b"".join(parts))


def request(many: Iterable[bytes]) -> bytes:
    """The body of one request. A snappy block may hold everything as one literal, uncompressed."""
    body = b"".join(many)
    return _varint(len(body)) + b"\xfc" + struct.pack("<I", len(body) - 1) + body if body else b"\x00"


def _sample(value: bytes, at: int) -> bytes:
    # Field 2 of a series: the value (field 1, eight bytes) and the time (field 2).
    time = _time(at)
    return b"\x12" + bytes((9 + len(time),)) + b"\x09" + value + time


@lru_cache(maxsize=1 << 17)
def _time(at: int) -> bytes:
    return b"\x10" + _varint(at)


def _field(number: int, content: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
