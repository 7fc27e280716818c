"""A line that is no record, and why."""

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
