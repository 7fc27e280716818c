"""What was used and what the cards did, as plain numbers: the seam between the readers and the bill.

Records, a Prometheus API or a saved month give the same shape, and the bill follows from it and the cost file
alone. Nothing here is a float: times are whole microseconds or milliseconds, energy is whole watt-hours.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sre.finance.bill import UNTAGGED, Source, Tokens

UNASSIGNED = "unassigned"
"""What the usage exporter calls requests without a team; a record's empty team means the same."""


_NONE = Tokens()


@dataclass(frozen=True, order=True)
class Use:
    """All that one team did with one model in one pool, within the month.

    ``team`` is a name or ``UNTAGGED``. ``pool`` is empty where neither the record nor the cost file names one:
    only failed requests may be like that.
    """

    pool: str
    team: str
    model: str
    requests: int
    successful_requests: int
    tokens: Tokens
    request_microseconds: int = 0
    """How long the requests took, all together."""
    failed_tokens: Tokens = _NONE
    """Those of ``tokens`` that failed requests used."""


@dataclass(frozen=True)
class Counts:
    """What became of the records that were read: each is invalid, a duplicate, outside the month, or used."""

    read: int = 0
    duplicates: int = 0
    outside: int = 0
    invalid: Mapping[str, int] = field(default_factory=dict)
    """By reason."""


@dataclass(frozen=True)
class CardTime:
    """What the cards of one pool did, in card-milliseconds; time of which nothing is known is not among them.

    ``wasted`` is a loaded model without a request, ``idle`` a card with nothing loaded.
    """

    busy: int
    wasted: int
    idle: int

    @property
    def known(self) -> int:
        """All of it."""
        return self.busy + self.wasted + self.idle


@dataclass(frozen=True)
class Gap:
    """A stretch of the month in which a series has no samples; what was counted in it is in the growth around it."""

    series: str
    start: int
    end: int
    """Seconds since the epoch."""


@dataclass(frozen=True)
class Counted:
    """How well counters were seen: samples there and expected, resets, gaps, and a bound on what may be missing.

    ``unseen_seconds`` is the longest time before a reset or an end, over all series, in which growth may have gone
    unseen; ``bound`` states it in tokens: that time at each series' own mean rate.
    """

    samples: int
    expected: int
    series: int
    resets: int
    started: int
    """Series whose first sample lies inside the month: they are counted from 0."""
    gaps: tuple[Gap, ...] = ()
    bound: int = 0


@dataclass(frozen=True)
class Usage:
    """A month of usage. ``uses`` are sorted and have one entry for each pool, team and model."""

    month: str
    source: Source
    uses: tuple[Use, ...]
    counts: Counts | None = None
    counted: Counted | None = None
    cards: Mapping[str, CardTime] = field(default_factory=dict)
    """Pool -> what its cards did; a pool that is not there was not measured."""
    energy: Mapping[str, int] = field(default_factory=dict)
    """Pool -> watt-hours of its cards; a pool that is not there was not measured."""
    seen: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Pool -> first and last use, in seconds since the epoch, where that is known."""


def team_of(name: str | None) -> str:
    """The paying team: names that are reserved, or say that there is none, are ``UNTAGGED``."""
    reserved = name and name.startswith("__") and name.endswith("__")
    return UNTAGGED if not name or reserved or name == UNASSIGNED else name
