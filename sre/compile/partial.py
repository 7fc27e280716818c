"""Where an alert that sees does not see everywhere: its pools by state and reason, however many they are."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from sre.compile.alerts import Planner
from sre.compile.counted import few
from sre.compile.coverage import State
from sre.compile.plan import Plan, PlannedAlert

_NAMED = 3


@dataclass(frozen=True)
class Part:
    """Pools in which an alert is in one state for one reason."""

    state: str
    pools: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        """In words: the first few pools by name."""
        noun = "pool" if len(self.pools) == 1 else "pools"
        return f"{self.state.replace('_', ' ')} in {noun} {few(self.pools, _NAMED, 'pool')}: {self.why}"


def parts(plan: Plan, planned: PlannedAlert) -> tuple[Part, ...]:
    """Empty where it sees in every pool, and where it sees in none."""
    if planned.state != State.LIVE.word:
        return ()
    pools = defaultdict[tuple[str, str], list[str]](list)
    for name, sight in Planner(plan.fleet, plan.catalogue, plan.coverage).sights(planned.alert).items():
        if sight.state is not State.LIVE:
            pools[sight.state.word, "; ".join(sight.reasons)].append(name)
    return tuple(Part(state, tuple(names), why) for (state, why), names in pools.items())


def remarks(plan: Plan, planned: PlannedAlert) -> Iterator[str]:
    """All that keeps an alert that sees from seeing everything: pool by pool, then rule by rule."""
    found = parts(plan, planned)
    yield from map(str, found)
    if planned.state == State.LIVE.word:
        # The plan has a line for each pool, then what its lost rules would have said.
        yield from planned.reasons[sum(len(part.pools) for part in found) :]
