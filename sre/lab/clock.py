"""The lab's time: which scrape of the simulated fleet a moment is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass
class Clock:
    """Scrapes are counted from 0, ``step`` real seconds apart. Until it is started it stands still at ``rest``."""

    now: Callable[[], float]
    step: Decimal
    rest: int
    origin: Decimal | None = None
    _phases: dict[str, float] = field(default_factory=dict)

    def start(self, index: int) -> Decimal:
        """Let it be the scrape ``index`` now; the value is the Unix time of scrape 0, whole milliseconds."""
        self.origin = Decimal(f"{self.now():.3f}") - index * self.step
        return self.origin

    @property
    def index(self) -> float:
        """The scrape at this moment, as a fraction."""
        return self.rest if self.origin is None else self.at(self.now())

    def at(self, moment: float) -> float:
        """The scrape at a Unix time, as a fraction."""
        assert self.origin is not None
        return (moment - float(self.origin)) / float(self.step)

    def scrape(self, path: str) -> int:
        """The scrape that a target is asked for now.

        Prometheus spreads its targets over the interval. Each keeps its place there, so that a scrape that
        comes a little early or late neither repeats a sample nor leaves one out.
        """
        if self.origin is None:
            return self.rest
        place = self.index
        phase = self._phases.setdefault(path, place - round(place))
        return round(place - phase)
