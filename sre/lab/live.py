"""The live proof: every fault at once on real sockets, in real programs, until its alerts have fired and resolved."""

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from math import ceil, floor
from pathlib import Path

from sre.catalogue.model import Catalogue
from sre.compile.plan import Group, Plan, RecordRule
from sre.compile.planning import make_plan
from sre.findings import Finding, Unreachable
from sre.fleet import Fleet
from sre.fleet.receivers import Receivers
from sre.lab.clock import Clock
from sre.lab.deliveries import Deliveries
from sre.lab.history import History
from sre.lab.judging import Judge
from sre.lab.pages import Page, serve
from sre.lab.parts import live_fleet, parts
from sre.lab.programs import find, folder
from sre.lab.routes import routes
from sre.lab.scaling import Pace
from sre.lab.scenes import Labels, Scene, stage
from sre.lab.stack import Stack, stack
from sre.lab.verdicts import Proof
from sre.lab.virtual import Watch, always_firing, unshown
from sre.lab.wanted import Wanted

PACE = 75
"""Lab seconds in a real one: a scrape every 0.4 s for one every thirty. On two cores the example takes 100 s."""

LATE = 2
"""Scrapes that live time may be later than virtual time: one for the scrape that had just happened when the fault
struck, one for the evaluation behind it."""

HEALTH = 660
"""Seconds of health that are scraped before the faults: rules ask what was ten minutes ago."""
_DISCOVERY = 12.0
"""Real seconds that Prometheus may take to see that a target has gone: it looks at its targets every five, twice."""
_PATIENCE = 90.0
_POLL = 0.5
_MISSED = 0.05
"""Share of evaluations that may be skipped before times mean nothing any more."""
_JUDGED = 40
"""Evaluations before the share of those that were skipped is judged."""
_PACES = (60, 50, 40, 30, 25, 20, 15, 12, 10, 8, 6, 5, 4, 3, 2, 1)
_CONSTANT = re.compile(r"vector\([\d.]+\)")
_CONSTANT_EVERY = 120


def prove(
    fleet: Fleet,
    catalogue: Catalogue,
    wanted: Wanted,
    watch: Watch,
    listed: frozenset[str] | None = None,
    receivers: Receivers | None = None,
    pace: int = PACE,
    path: str | None = None,
) -> Proof:
    """Everything that is wanted, proven live. ``path`` stands in for PATH.

    Raises ``Refused`` for missing programs and rules that cannot be scaled, ``Unreachable`` where a program dies or
    the machine cannot hold the pace.
    """
    files = find("prometheus", "promtool", "alertmanager", path=path)
    found = tuple(parts(fleet, catalogue, listed, wanted))
    plan = make_plan(live_fleet(fleet, found), catalogue, listed)
    interval = int(plan.fleet.evaluation_interval)
    # Before anything is started: what cannot be scaled is told at once, and a pace that fits nothing only once.
    Pace(pace).real(interval)
    scaled(plan, Pace(pace))
    scenes = stage(plan, found, HEALTH // interval, ceil(_DISCOVERY * pace / interval) + 2 * LATE)
    run = Run(plan, scenes, pace, watch)
    with run.opened(files, receivers) as (programs, address):
        proof = run.play(programs, address)
    shown = [promise.proven for scene in scenes for promise in scene.promises]
    verdicts = (*filter(wanted.verdict, proof.verdicts), *unshown(plan, shown, wanted))
    return replace(proof, verdicts=verdicts)


def scaled(plan: Plan, pace: Pace) -> list[dict[str, object]]:
    """The plan's rule groups at another pace; raises ``Refused`` with whatever cannot be scaled."""
    return list(pace.groups(_unhurried(plan.groups)))


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


@dataclass
class Run:
    """Scenes that are played to real programs. ``watch`` is told how far it is."""

    plan: Plan
    scenes: tuple[Scene, ...]
    pace: int
    watch: Watch
    deliveries: Deliveries = field(default_factory=Deliveries)

    def __post_init__(self) -> None:
        interval = int(self.plan.fleet.evaluation_interval)
        self.start = self.scenes[0].timeline.start
        self.begin = self.start - HEALTH // interval
        self.clock = Clock(time.time, Pace(self.pace).real(interval), self.begin)
        self._scrapes_a_minute = 60 / interval
        self._by_path = {path: scene for scene in self.scenes for path in scene.targets}
        self._gone: frozenset[str] | None = None

    @contextmanager
    def opened(self, files: Mapping[str, str], receivers: Receivers | None) -> Iterator[tuple[Stack, str]]:
        """The programs, with the past in them, and where the targets are served; all gone when the block ends."""
        pace, interval = Pace(self.pace), int(self.plan.fleet.evaluation_interval)
        with folder() as where:
            self.backfill(files["promtool"], where)
            with serve(self.page, post=self.deliveries.take) as address:
                told = routes(self.plan, receivers, pace, address)
                with stack(where, files, pace, interval, told) as programs:
                    yield programs, address.removeprefix("http://")

    @property
    def minute(self) -> float:
        """Minutes of the fleet since the faults struck; less than 0 before."""
        return (self.clock.index - self.start) / self._scrapes_a_minute

    def page(self, path: str) -> Page | None:
        """What a target answers now."""
        scene = self._by_path.get(path)
        return scene.page(path, self.clock.scrape(path)) if scene else None

    def backfill(self, promtool: str, where: Path) -> None:
        """The past that baselines need, in Prometheus' data folder."""
        self.watch(0, len(self.scenes), "recording the past")
        History(self.plan, promtool, where).write(self.scenes, self.begin, time.time(), self.clock.step)

    def start_clock(self, programs: Stack, address: str) -> None:
        """Let every target be scraped, then time pass and rules be evaluated."""
        self.watch(0, len(self.scenes), "waiting for every target to be scraped")
        self._discover(programs, address)
        wanted = len(self._by_path)
        late = _busy(f"after {_PATIENCE:g} s it has not scraped all {wanted} targets", self.pace // 2)
        programs.await_scrapes(wanted, _PATIENCE, late)
        origin = self.clock.start(self.begin)
        programs.load(scaled(self.plan, Pace(self.pace, origin)))

    def play(self, programs: Stack, address: str) -> Proof:
        """Health, the faults, and their mending, until everything has resolved."""
        self.start_clock(programs, address)
        while not self._over(firing := self._firing(programs)):
            self._discover(programs, address)
            self._mend(firing)
            self._tell(firing)
            self._check_pace(programs)
            time.sleep(_POLL)
        # An alert has resolved when an evaluation has gone by without it.
        time.sleep(2 * LATE * float(self.clock.step))
        programs.check()
        self._check_pace(programs)
        always = always_firing(self.plan)
        return Judge(self.scenes, always, self.clock, programs.server, self.deliveries.all, LATE).proof()

    def _discover(self, programs: Stack, address: str) -> None:
        at = floor(self.clock.index)
        gone = frozenset(path for path, scene in self._by_path.items() if scene.targets[path].gone(at))
        if gone != self._gone:
            found = (scene.targets[path].place for path, scene in self._by_path.items() if path not in gone)
            programs.discover(found, address)
            self._gone = gone

    def _firing(self, programs: Stack) -> dict[int, list[Labels]]:
        """Labels of what fires now, by the number of the scene."""
        programs.check()
        found: dict[int, list[Labels]] = {number: [] for number in range(len(self.scenes))}
        for sample in programs.server.query('ALERTS{alertstate="firing"}'):
            for number, scene in enumerate(self.scenes):
                # An alert about the whole fleet names no pool: it belongs to the scene that must fire it.
                if scene.owns(sample.labels) or any(one.tells(sample.labels) for one in scene.promises):
                    found[number].append(sample.labels)
        return found

    def _mend(self, firing: dict[int, list[Labels]]) -> None:
        now = floor(self.clock.index)
        for number, scene in enumerate(self.scenes):
            if scene.mended is not None or not scene.mendable:
                continue
            fired = all(promise.kept(firing[number]) for promise in scene.promises)
            slow = ceil(_DISCOVERY / float(self.clock.step)) if scene.leaves else 0
            if (fired and now >= scene.shown) or now >= scene.due + LATE + slow:
                scene.mend(now + 2)

    def _over(self, firing: dict[int, list[Labels]]) -> bool:
        now = self.clock.index
        return now >= self.scenes[0].timeline.count - 2 * LATE or all(
            self._shown(scene, firing[number], now) for number, scene in enumerate(self.scenes)
        )

    def _shown(self, scene: Scene, firing: list[Labels], now: float) -> bool:
        if scene.mended is None:
            return not scene.mendable and now > scene.due + LATE
        if now > scene.mended + scene.resolving + ceil(_DISCOVERY / float(self.clock.step)):
            return True
        return now > scene.mended + LATE and not firing

    def _tell(self, firing: dict[int, list[Labels]]) -> None:
        now = self.clock.index
        done = sum(self._shown(scene, firing[number], now) for number, scene in enumerate(self.scenes))
        count = sum(map(len, firing.values()))
        self.watch(done, len(self.scenes), f"minute {self.minute:.0f} of the faults, {count} alerts fire")

    def _check_pace(self, programs: Stack) -> None:
        """Raises ``Unreachable`` where Prometheus skips evaluations, so that times would be the machine's own."""
        total = f"(prometheus_rule_group_iterations_total > {_JUDGED})"
        shares = programs.server.query(f"max(prometheus_rule_group_iterations_missed_total / {total})")
        missed = max((sample.value for sample in shares), default=0.0)
        if missed > _MISSED:
            what = f"it skips {missed:.0%} of the evaluations of a rule group"
            raise Unreachable([_busy(what, int(self.pace * (1 - missed) ** 2))])


def _busy(what: str, most: int) -> Finding:
    pace = next(pace for pace in _PACES if pace <= max(1, most))
    return Finding(
        "prometheus",
        f"{what}: the machine is too slow, or too busy",
        "times to fire would be the machine's, not the alerts'; nothing is shown of them",
        f"run it again with a slower pace, such as --pace {pace}, or while the machine is idle",
    )
