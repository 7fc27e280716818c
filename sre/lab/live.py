"""The live proof: every fault at once on real sockets, in real programs, until its alerts have fired and resolved."""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import ceil, floor
from pathlib import Path

from sre.catalogue.model import Catalogue
from sre.compile.plan import Group, Plan, RecordRule
from sre.compile.planning import make_plan
from sre.findings import Finding, Refused, Unreachable
from sre.fleet import Fleet
from sre.fleet.receivers import Receivers
from sre.lab.clock import Clock
from sre.lab.deliveries import Deliveries
from sre.lab.history import History
from sre.lab.judging import Judge
from sre.lab.pages import Page, serve
from sre.lab.programs import find, folder
from sre.lab.routes import routes
from sre.lab.scaling import Pace
from sre.lab.scenes import Chosen, Scene, live_fleet, parts, stage
from sre.lab.stack import Stack, stack
from sre.lab.verdicts import Verdict

FACTOR = 60
"""Lab seconds in a real one: a scrape every half second where the fleet has one every thirty."""

LATE = 2
"""Scrapes beyond `within`: one for the scrape that had just happened when the fault struck, one for the evaluation."""

_HEALTH = 420
"""Seconds of health that are scraped before the faults."""
_LONG_ENOUGH = 1200
"""Seconds after which a fault whose alerts all fire is mended, where `within` is longer."""
_RESOLVING = 7200
"""Seconds after which an alert that still fires is taken to fire for ever."""
_DISCOVERY = 12.0
"""Real seconds that Prometheus may take to see that a target has gone: it looks at its targets every five, twice."""
_PATIENCE = 90.0
_POLL = 0.5
_CONSTANT_EVERY = 120
_CONSTANT = re.compile(r"vector\([\d.]+\)")

Progress = Callable[[str], None]


def prove_live(
    fleet: Fleet,
    catalogue: Catalogue,
    listed: frozenset[str] | None = None,
    receivers: Receivers | None = None,
    *,
    factor: int = FACTOR,
    chosen: Chosen = lambda fault: True,
    progress: Progress = lambda text: None,
    path: str | None = None,
) -> Iterator[Verdict]:
    """A verdict for each alert and fault, once the whole run is over.

    ``chosen`` picks faults, ``path`` stands in for PATH. Raises ``Refused`` for missing programs and rules that
    cannot be scaled, ``Unreachable`` where a program dies.
    """
    files = find("prometheus", "promtool", "alertmanager", path=path)
    found = tuple(parts(fleet, catalogue, listed, chosen))
    if not found:
        raise Refused([Finding("faults", "none of them can be shown by this fleet", "nothing would be proven", "")])
    plan = make_plan(live_fleet(fleet, found), catalogue, listed)
    pace, interval = Pace(factor), int(plan.fleet.evaluation_interval)
    tuple(pace.groups(plan.groups))
    longest = max(part.seconds + part.fault.onset for part in found) + _RESOLVING
    scenes = stage(plan, found, _HEALTH // interval, longest // interval)
    with folder() as where:
        run = _Run(plan, scenes, pace, progress)
        (where / "data").mkdir()
        (where / "past").mkdir()
        run.backfill(History(plan, files["promtool"], where / "past"), where)
        with (
            serve(run.page, post=run.deliveries.take) as address,
            stack(where, files, pace, interval, routes(plan, receivers, pace, f"{address}")) as programs,
        ):
            run.play(programs, address.removeprefix("http://"))
            verdicts = tuple(run.judge(programs).verdicts())
    yield from verdicts


@dataclass
class _Run:
    plan: Plan
    scenes: tuple[Scene, ...]
    pace: Pace
    progress: Progress
    deliveries: Deliveries = field(default_factory=Deliveries)

    def __post_init__(self) -> None:
        self.interval = int(self.plan.fleet.evaluation_interval)
        self.start = self.scenes[0].timeline.start
        self.begin = self.start - _HEALTH // self.interval
        self.clock = Clock(time.time, self.pace.real(self.interval), self.begin)
        self._by_path = {path: scene for scene in self.scenes for path in scene.targets}
        self._gone = frozenset[str]()

    def page(self, path: str) -> Page | None:
        scene = self._by_path.get(path)
        return scene.page(path, self.clock.scrape(path)) if scene else None

    def backfill(self, history: History, where: Path) -> None:
        self.progress("recording the past")
        step = self.clock.step
        origin = Decimal(f"{time.time():.3f}") - self.begin * step
        history.write(self.scenes, self.begin, {"origin": origin, "step": step}, where / "data")

    def play(self, programs: Stack, address: str) -> None:
        """Health, the faults, and their mending, until everything has resolved."""
        self.progress("starting")
        self._discover(programs, address)
        self._await_targets(programs)
        origin = self.clock.start(self.begin)
        programs.load(list(Pace(self.pace.factor, origin).groups(_unhurried(self.plan.groups))))
        while not self._over(firing := self._firing(programs)):
            self._discover(programs, address)
            self._mend(firing)
            self._tell(firing)
            time.sleep(_POLL)
        # An alert has resolved when an evaluation has gone by without it.
        time.sleep(2 * LATE * float(self.clock.step))

    def judge(self, programs: Stack) -> Judge:
        return Judge(self.scenes, self.clock, programs.server, self.deliveries.all, LATE)

    def _discover(self, programs: Stack, address: str) -> None:
        places = {t.place.path: t.place for scene in self.scenes for t in scene.targets.values()}
        at = floor(self.clock.index)
        gone = frozenset(
            path for path, scene in self._by_path.items() if scene.targets[path].gone(at)
        )
        if gone != self._gone or self.clock.origin is None:
            programs.discover((place for path, place in places.items() if path not in gone), address)
            self._gone = gone

    def _await_targets(self, programs: Stack) -> None:
        wanted, end = len(self._by_path), time.monotonic() + _PATIENCE
        while sum(sample.value for sample in programs.server.query("sum(up)")) < wanted:
            programs.check()
            if time.monotonic() > end:
                raise Unreachable([Finding("prometheus", f"after {_PATIENCE:g} s it has not scraped all {wanted} targets", "", "")])
            time.sleep(_POLL)

    def _firing(self, programs: Stack) -> dict[int, list[dict[str, str]]]:
        """Labels of what fires now, by the place of the scene."""
        programs.check()
        found: dict[int, list[dict[str, str]]] = {number: [] for number in range(len(self.scenes))}
        for sample in programs.server.query('ALERTS{alertstate="firing"}'):
            labels = dict(sample.labels)
            for number, scene in enumerate(self.scenes):
                if scene.owns(labels):
                    found[number].append(labels)
        return found

    def _mend(self, firing: dict[int, list[dict[str, str]]]) -> None:
        now = floor(self.clock.index)
        for number, scene in enumerate(self.scenes):
            if scene.mended is not None or not scene.breaks:
                continue
            fired = all(scene.is_told(proven, firing[number]) for proven in scene.rules)
            enough = scene.timeline.onset + min(scene.part.seconds, _LONG_ENOUGH) // self.interval
            slow = ceil(_DISCOVERY / float(self.clock.step)) if scene.leaves else 0
            if (fired and now >= enough) or now >= scene.due + LATE + slow:
                scene.mend(now + 2)

    def _over(self, firing: dict[int, list[dict[str, str]]]) -> bool:
        now = self.clock.index
        if now >= self.scenes[0].timeline.count - 1:
            return True
        return all(
            (now > scene.mended + 2 * LATE and not firing[number]) if scene.mended is not None
            else not scene.breaks and now > scene.due
            for number, scene in enumerate(self.scenes)
        )

    def _tell(self, firing: dict[int, list[dict[str, str]]]) -> None:
        minutes = (self.clock.index - self.start) * self.interval / 60
        mended = sum(scene.mended is not None for scene in self.scenes)
        broken = sum(scene.breaks for scene in self.scenes)
        self.progress(f"minute {minutes:.0f}: {sum(map(len, firing.values()))} alerts fire, {mended} of {broken} faults mended")


def _unhurried(groups: Iterable[Group]) -> Iterator[Group]:
    """What the fleet file says never changes: it is told as often as a series must be told to live."""
    for group in groups:
        constant = tuple(r for r in group.rules if isinstance(r, RecordRule) and _CONSTANT.fullmatch(r.expr))
        if constant:
            slow = max(group.interval, _CONSTANT_EVERY)
            yield replace(group, name=f"{group.name}-constants", interval=slow, rules=constant)
        rest = tuple(rule for rule in group.rules if rule not in constant)
        if rest:
            yield replace(group, rules=rest)
