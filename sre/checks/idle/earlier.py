"""The period before, of the same length: how long each card stood idle in it, to tell a trend by."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sre.checks.idle.pages import counted
from sre.checks.idle.source import MINUTE_STATE, STATE, Source
from sre.compile.plan import Plan
from sre.idle.loads import Before
from sre.idle.observed import Observed
from sre.idle.states import IDLE, STATES, WHOLE
from sre.idle.windows import Window

_DAY = 86_400


@dataclass(frozen=True)
class Earlier:
    """``idle`` minutes by UUID, those of slices added up, and the share of the period that was ``looked`` at."""

    idle: Mapping[str, int]
    looked: float

    def against(self, now: Observed) -> Before:
        """The difference: both are counted before anything is settled."""
        fewer = Counter(self.idle)
        for seat, held in now.held.items():
            sums = held.tally.sums()
            fewer[seat.uuid] -= sum(sums[state] for state in IDLE) // WHOLE
        return Before(fewer, self.looked)


def read_earlier(plan: Plan, source: Source, windows: tuple[Window, ...]) -> Earlier:
    """All cards, a day at a time. Raises ``Unreachable``."""
    length = windows[-1].end - windows[0].start
    days = tuple(
        Window(start, min(start + _DAY, windows[0].start))
        for start in range(windows[0].start - length, windows[0].start, _DAY)
    )
    # Of the idle states alone: it is a long scan, and what else cards did is not asked for.
    selector = f'{STATE}{{state=~"{"|".join(STATES[state] for state in IDLE)}"}}'
    idle, looked = Counter[str](), 0
    for _, _, answer in counted(
        source.server, lambda span: f"sum by (uuid) ({minutes_of(plan, selector, span)})", days, source.phase
    ):
        for one in answer:
            idle[one.labels.get("uuid", "")] += sum(round(value) for _, value in one.points)
    for _, _, answer in counted(
        source.server, lambda span: f"max(count_over_time({MINUTE_STATE}{span}))", days, source.phase
    ):
        looked += sum(round(value) for one in answer for _, value in one.points)
    return Earlier(idle, looked * 60 / length)


def minutes_of(plan: Plan, selector: str, span: str) -> str:
    """Minutes of each seat in each state, by what told it, in a range such as `[1h]`."""
    names = ("uuid", "mig", "gpu", "gpu_model", "host", *plan.identity.owner, "state", "evidence")
    # Not the sum: a pair of servers that evaluate the same rules tells each minute twice.
    return f"max by ({', '.join(dict.fromkeys(names))}) (count_over_time({selector}{span}))"
