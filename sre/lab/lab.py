"""The lab as a person explores it: the queueing fleet, scraped, judged and told of by real programs.

Time passes ``pace`` times as fast as on the wall, for the fleet and for the rules alike.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from sre.catalogue.model import Catalogue
from sre.compile.plan import Plan
from sre.compile.planning import make_plan
from sre.findings import Finding
from sre.fleet import Fleet
from sre.fleet.receivers import Receivers
from sre.lab.breakage import Breakage
from sre.lab.deliveries import Deliveries
from sre.lab.history import PAST, History
from sre.lab.live import scaled
from sre.lab.opening import open_world
from sre.lab.pages import Page, serve, usable_port
from sre.lab.parts import Part, always_open
from sre.lab.programs import find, folder
from sre.lab.routes import routes
from sre.lab.scaling import Pace
from sre.lab.scenes import stage
from sre.lab.stack import Stack, stack
from sre.lab.targets import Place
from sre.lab.world import World

PACE = 30
"""Seconds of the fleet in one second: an alert that takes a quarter of an hour takes half a minute, and one
processor carries the fleet of the example."""

_STEPS = 3
"""Steps of the fleet between two scrapes: each scrape finds another one."""
_LATE = 5.0
"""Seconds behind the clock that are caught up with; more are left out."""
_PATIENCE = 60.0
_POLL = 0.1

Watch = Callable[[str], None]
"""Told what is going on."""


@dataclass(frozen=True)
class Setup:
    """What is to be run. ``port`` is the first of three, for the fleet, Prometheus and Alertmanager; 0 is any."""

    fleet: Fleet
    catalogue: Catalogue
    listed: frozenset[str] | None = None
    receivers: Receivers | None = None
    pace: int = PACE
    seed: int = 0
    port: int = 0

    @property
    def ports(self) -> tuple[int, int, int]:
        """Of the fleet, Prometheus and Alertmanager."""
        first = self.port
        return (first, first + 1, first + 2) if first else (0, 0, 0)


@dataclass
class Lab:
    """A lab that runs. Time passes for the fleet as long as ``advance`` is called again and again."""

    plan: Plan
    pace: int
    world: World
    programs: Stack
    broken: Breakage
    _begun: float = 0.0
    _shown: tuple[Place, ...] = ()

    def begin(self, watch: Watch) -> None:
        """Let every target be scraped, then time pass and rules be evaluated."""
        watch("waiting for Prometheus to scrape every target")
        self._discover()
        what = f"after {_PATIENCE:g} s it has not scraped all {len(self._shown)} targets"
        why, fix = "alerts would be judged on half a fleet", "try again while the machine is less busy"
        self.programs.await_scrapes(len(self._shown), _PATIENCE, Finding("prometheus", what, why, fix))
        self._begun = time.time() - self.world.now / self.pace
        origin = Decimal(f"{self._begun:.3f}")
        self.programs.load(scaled(self.plan, Pace(self.pace, origin)))

    def advance(self) -> float:
        """Let the fleet catch up with the clock by at most one step; seconds by which it is still behind.

        Raises ``Unreachable`` where one of the programs has died.
        """
        step = int(self.plan.fleet.evaluation_interval) / _STEPS
        behind = time.time() - self._begun - (self.world.now + step) / self.pace
        if behind >= 0:
            self.world.step(step)
            self._discover()
            self.programs.check()
        return max(0.0, behind)

    def keep_on(self) -> None:
        """Let time pass until a signal ends it. Where the machine falls behind, or slept, the fleet has slept too."""
        while True:
            behind = self.advance()
            if behind > _LATE:
                self._begun += behind
                self.broken.skipped += behind
            elif not behind:
                time.sleep(_POLL / 2)

    def _discover(self) -> None:
        places = tuple(self.world.places())
        if places != self._shown:
            self.programs.discover(places, self.world.url.removeprefix("http://"))
            self._shown = places


@contextmanager
def opened(setup: Setup, watch: Watch, path: str | None = None) -> Iterator[Lab]:
    """The lab runs until the block ends, and nothing of it is left then. ``path`` stands in for PATH.

    Raises ``Refused`` for missing programs, taken ports and rules that cannot be scaled, ``Unreachable`` where a
    program does not come up.
    """
    files = find("prometheus", "promtool", "alertmanager", path=path)
    plan = make_plan(always_open(setup.fleet), setup.catalogue, setup.listed)
    pace, interval = Pace(setup.pace), int(plan.fleet.evaluation_interval)
    # Before anything is started: what cannot be scaled, and what cannot be listened on, is told at once.
    scaled(plan, pace)
    first, *others = map(usable_port, setup.ports)
    watch("simulating the fleet")
    world, _ = open_world(plan, seed=setup.seed)
    # Whoever asks first finds something.
    world.step(interval / _STEPS)
    deliveries, broken = Deliveries(), Breakage(world, plan.catalogue)
    with folder() as where:
        watch("recording the past that baselines read")
        _backfill(plan, pace, files["promtool"], where)
        watch("starting Prometheus and Alertmanager")

        def page(path: str) -> Page | None:
            return broken.page(path) or world.page(path)

        def post(path: str, body: bytes) -> Page | None:
            answer = broken.posted(path, body)
            if answer is None:
                deliveries.take(path, body)
            return answer

        with serve(page, first, post) as world.url:
            told = routes(plan, setup.receivers, pace, world.url)
            with stack(where, files, pace, interval, told, (others[0], others[1])) as programs:
                lab = Lab(plan, setup.pace, world, programs, broken)
                lab.begin(watch)
                yield lab


def _backfill(plan: Plan, pace: Pace, promtool: str, where: Path) -> None:
    """What the rules recorded of a healthy past, in Prometheus' data folder."""
    interval = int(plan.fleet.evaluation_interval)
    health = plan.catalogue.faults["healthy"].model_copy(update={"history": PAST, "quiet": 0})
    scenes = stage(plan, [Part(health, pool, pool.name, interval) for pool in plan.fleet.pools], 1, 1)
    now = scenes[0].timeline.start
    History(plan, promtool, where).write(scenes, now, time.time(), pace.real(interval), scraped=False)
