"""What came of each route's records: the exporter's own health, as far as records tell it."""

from dataclasses import dataclass, field
from typing import Any

from sre.usage import families
from sre.usage.formats import INVALID_REASONS
from sre.usage.labels import labels

RESULTS = ("ok", "invalid", "duplicate")


@dataclass
class Progress:
    """Counts of one route. ``newest`` is the time of its newest record in epoch seconds, None before any."""

    ok: int = 0
    duplicate: int = 0
    invalid: dict[str, int] = field(default_factory=lambda: dict.fromkeys(INVALID_REASONS, 0))
    newest: float | None = None

    def snapshot(self) -> list[Any]:
        return [self.ok, self.duplicate, dict(self.invalid), self.newest]

    def restore(self, snapshot: Any) -> None:
        self.ok, self.duplicate, invalid, self.newest = snapshot
        self.invalid = dict.fromkeys(INVALID_REASONS, 0) | invalid


def expose(routes: dict[str, Progress], now: float, begun: float) -> str:
    """Lines of all routes, each result and each reason from 0 on; times in epoch seconds."""
    return "".join(
        (
            families.RECORDS.head,
            *(_results(route, progress) for route, progress in routes.items()),
            families.INVALID_RECORDS.head,
            *(_reasons(route, progress) for route, progress in routes.items()),
            families.LAST_RECORD.head,
            *(_newest(route, progress) for route, progress in routes.items()),
            families.RECORD_AGE.head,
            *(_age(route, now - (progress.newest or begun)) for route, progress in routes.items()),
        )
    )


def _results(route: str, progress: Progress) -> str:
    counts = zip(RESULTS, (progress.ok, sum(progress.invalid.values()), progress.duplicate), strict=True)
    name = families.RECORDS.name
    return "".join(f"{name}{labels(route=route, result=result)} {count}\n" for result, count in counts)


def _reasons(route: str, progress: Progress) -> str:
    name = families.INVALID_RECORDS.name
    return "".join(f"{name}{labels(route=route, reason=why)} {n}\n" for why, n in progress.invalid.items())


def _newest(route: str, progress: Progress) -> str:
    return f"{families.LAST_RECORD.name}{labels(route=route)} {progress.newest or 0:.3f}\n"


def _age(route: str, seconds: float) -> str:
    return f"{families.RECORD_AGE.name}{labels(route=route)} {max(0.0, seconds):.3f}\n"
