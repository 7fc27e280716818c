"""A line that is no record, and why."""

import msgspec

INVALID_REASONS = (
    "torn",
    "too_long",
    "not_json",
    "encoding",
    "wrong_type",
    "negative",
    "not_finite",
    "too_large",
    "missing",
)


class Invalid(Exception):
    """Carries the reason alone, one of ``INVALID_REASONS``: nothing of the line may outlive its decoding."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def reason_of(error: Exception, line: bytes) -> str:
    """The reason behind an error of msgspec, whose texts name types, keys and places, but no values."""
    said = str(error)
    if isinstance(error, RecursionError):
        return "too_large"
    if isinstance(error, msgspec.ValidationError):
        return "too_large" if "out of range" in said else "wrong_type"
    if isinstance(error, UnicodeDecodeError) or not _is_text(line):
        return "encoding"
    if "truncated" in said:
        return "torn"
    return "not_finite" if _is_no_number(said, line) else "not_json"


def _is_text(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_no_number(said: str, line: bytes) -> bool:
    """Whether JSON ends at one of the numbers that Python and others write, and JSON does not have."""
    digits = "".join(filter(str.isdigit, said))
    rest = line[int(digits) :] if digits else b""
    return rest.lower().lstrip(b"-").startswith((b"nan", b"inf"))
