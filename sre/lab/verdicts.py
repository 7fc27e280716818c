"""What a run of the faults showed: a verdict for each alert and fault, and what fired where all had to be silent."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """What one fault did to one alert.

    ``labels`` are what tells rules of one alert apart: severity, part, cause, action, reason, and the pool.
    All times are in seconds: ``within`` is promised from the fault to firing, ``seconds_to_fire`` is None where
    it never fired, ``seconds_to_resolve`` (counted from the mending) where nothing was mended in this run or the
    alert did not resolve. ``notifications`` are those delivered after inhibition, None in virtual time.
    ``wrong_alerts`` fired beside it, and are neither proven by the fault nor named in its `also:`.
    """

    alert: str
    labels: dict[str, str]
    fault: str
    within: int
    seconds_to_fire: int | None
    seconds_to_resolve: int | None
    notifications: int | None
    wrong_alerts: tuple[str, ...]
    healed: bool = False
    """Whether the fault was mended in this run, so that the alert had to resolve."""

    @property
    def ok(self) -> bool:
        """Fired within its time, resolved where the fault was healed, nothing wrong beside it."""
        fired = self.seconds_to_fire is not None and self.seconds_to_fire <= self.within
        return fired and not self.wrong_alerts and (self.seconds_to_resolve is not None or not self.healed)


@dataclass(frozen=True)
class Silence:
    """A story in which nothing new may fire: a fault's silent neighbour, or what every alert must sit through."""

    story: str
    pool: str
    wrong_alerts: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.wrong_alerts


@dataclass(frozen=True)
class Proof:
    """Everything that one run showed; whole, or it is not there."""

    verdicts: tuple[Verdict, ...]
    silences: tuple[Silence, ...]

    @property
    def ok(self) -> bool:
        return all(verdict.ok for verdict in self.verdicts) and all(silence.ok for silence in self.silences)
