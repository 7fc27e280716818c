"""Durations, ratios and numbers: read exactly, written the way Prometheus writes them.

Everything read is a ``Decimal``; floats appear only where Prometheus itself computes with them.
"""

import math
import re
from decimal import Decimal

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdwy])", re.ASCII)
_SECONDS = {
    "y": Decimal(365 * 86400),
    "w": Decimal(7 * 86400),
    "d": Decimal(86400),
    "h": Decimal(3600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
}
_ORDER = tuple(_SECONDS)
_NUMBER = re.compile(r"[-+]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][-+]?\d{1,2})?", re.ASCII)
_LONGEST = 64


def parse_duration(text: str) -> Decimal:
    """Seconds, exactly, from Prometheus' spelling (``500ms``, ``2s``, ``1h30m``); ``1.5s`` is read too.

    Units go from large to small, each at most once. Raises ``ValueError``, for a number without a unit too.
    """
    parts = _PART.findall(text) if len(text) <= _LONGEST else []
    units = [_ORDER.index(unit) for _, unit in parts]
    if not parts or "".join(n + u for n, u in parts) != text or units != sorted(set(units)):
        raise ValueError(f"{text!r} is not a duration")
    total = sum((Decimal(number) * _SECONDS[unit] for number, unit in parts), Decimal(0))
    return Decimal(format_number(total))


def parse_ratio(value: str | int | Decimal) -> Decimal:
    """A ratio from ``0.92`` or ``"92%"``. Raises ``ValueError``; the range is the caller's to judge."""
    text = str(value).strip()
    if text.endswith("%"):
        return parse_number(text[:-1].rstrip()) / 100
    return parse_number(text)


def parse_number(value: str | int | Decimal) -> Decimal:
    """A finite decimal number of sane length. Raises ``ValueError``."""
    text = str(value)
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a number")
    return Decimal(text)


def format_number(value: Decimal | int) -> str:
    """Shortest plain text of a number: no exponent, no trailing zeros, never a binary remainder."""
    text = format(Decimal(value), "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("", "-0") else text


def format_duration(seconds: Decimal | int) -> str:
    """Prometheus' spelling of a duration, as its own UI prints it (``90s`` is ``1m30s``, 7 days are ``1w``).

    Raises ``ValueError`` for a negative time or a fraction of a millisecond: PromQL spells neither.
    Source of the form: ``Duration.String`` in github.com/prometheus/common/model/time.go.
    """
    left = Decimal(seconds) * 1000
    if left < 0 or left != left.to_integral_value():
        raise ValueError(f"{seconds} s cannot be written as a Prometheus duration")
    rest, text = int(left), ""
    for unit, size in _SECONDS.items():
        length = int(size * 1000)
        # Years and weeks stand only for whole multiples: 8 days are 8d, not 1w1d.
        if rest >= length and (unit not in "yw" or rest % length == 0):
            text += f"{rest // length}{unit}"
            rest %= length
    return text or "0s"


def humanize(value: float) -> str:
    """The text of ``{{ $value | humanize }}`` in Prometheus 2.42: four digits and a metric prefix."""
    if value == 0 or not math.isfinite(value):
        return _four_digits(value)
    return _four_digits(*_scaled(value))


def humanize_percentage(ratio: float) -> str:
    """The text of ``{{ $value | humanizePercentage }}``: 0.1234567 is ``12.35%``."""
    return _four_digits(ratio * 100) + "%"


def humanize_duration(seconds: float) -> str:
    """The text of ``{{ $value | humanizeDuration }}``: from a minute on whole seconds, below four digits.

    Holds for less than 2**63 seconds; beyond, Go's integer conversion is undefined.
    """
    if not math.isfinite(seconds):
        return _four_digits(seconds)
    if seconds == 0:
        return _four_digits(seconds) + "s"
    if abs(seconds) < 1:
        return _four_digits(*_scaled(seconds)) + "s"
    sign, length = ("-", -seconds) if seconds < 0 else ("", seconds)
    if length < 60:
        return f"{sign}{_four_digits(length)}s"
    return sign + _clock(int(length))


def _clock(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours}h {minutes}m {seconds}s"
    return f"{hours}h {minutes}m {seconds}s" if hours else f"{minutes}m {seconds}s"


def _scaled(value: float) -> tuple[float, str]:
    """Step by step like Prometheus: one division by a power of ten would round differently."""
    prefix = ""
    if abs(value) >= 1:
        for prefix_up in "kMGTPEZY":
            if abs(value) < 1000:
                break
            prefix, value = prefix_up, value / 1000
        return value, prefix
    for prefix_down in "munpfazy":
        if abs(value) >= 1:
            break
        prefix, value = prefix_down, value * 1000
    return value, prefix


def _four_digits(value: float, suffix: str = "") -> str:
    """Go's ``%.4g``, which differs from C's only in how it spells what is not finite."""
    if math.isnan(value):
        return "NaN" + suffix
    if math.isinf(value):
        return ("+Inf" if value > 0 else "-Inf") + suffix
    return f"{value:.4g}{suffix}"
