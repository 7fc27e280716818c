"""One case from health to the page: a fault strikes one pool of a fleet, and somebody is told."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from sre.catalogue.faults import Fault
from sre.catalogue.model import Catalogue
from sre.compile.cases import late
from sre.compile.expected import Expectations, Proven
from sre.compile.plan import Plan
from sre.compile.planning import make_plan
from sre.compile.stand_in import StandIn
from sre.findings import Finding, Refused, Unreachable
from sre.fleet import Fleet
from sre.fleet.receivers import Receivers
from sre.lab.deliveries import pages
from sre.lab.history import PAST
from sre.lab.live import HEALTH, LATE, Run, scaled
from sre.lab.pages import ask
from sre.lab.parts import Part, always_open, sized
from sre.lab.programs import find
from sre.lab.scaling import Pace
from sre.lab.scenes import stage
from sre.lab.sight import Sight, look
from sre.lab.stack import Stack
from sre.source import suggest

PACE = 30
"""Seconds of the fleet in one second: the whole case takes less than a minute."""

_POLL = 0.5
_LATE = 420
"""Seconds of the fleet beyond the promise, for routing and for a busy machine."""
_AFTERWARDS = 180
"""Seconds of the fleet after the page, in which what it inhibits is seen."""


@dataclass(frozen=True)
class Addresses:
    """Where a running lab answers."""

    fleet: str
    prometheus: str
    alertmanager: str


@dataclass(frozen=True)
class Told:
    """What the on-call gets: labels and annotations of the alert, and names of those that it kept quiet.

    ``paged`` are others of the pool for which somebody was paged as well.
    """

    receiver: str
    minute: float
    labels: dict[str, str]
    annotations: dict[str, str]
    inhibited: tuple[str, ...]
    paged: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """A fault, the pool that it strikes, and the alert that must tell of it."""

    fault: Fault
    pool: str
    proven: Proven


@dataclass(frozen=True)
class Watch:
    """Who is told of the course of things: what is being done, where to look, and what is seen."""

    doing: Callable[[str], None]
    ready: Callable[[Addresses], None]
    seen: Callable[[Sight], None]


def choose(plan: Plan, name: str) -> Case:
    """The first pool in which the fault fires an alert that pages; raises ``Refused`` where there is none."""
    fault = plan.catalogue.faults.get(name)
    if fault is None:
        what, fix = f"`{name}` is no fault of the catalogue", suggest(name, plan.catalogue.faults)
        raise Refused([Finding("--fault", what, "nothing would happen", fix)])
    for pool in plan.fleet.pools:
        for proven in Expectations(plan, pool, StandIn(plan, pool).site).firing(fault):
            if proven.rule.severity == "page":
                return Case(fault, pool.name, proven)
    what, why = f"`{name}` pages nobody in this fleet", "there would be nothing to show"
    raise Refused(
        [Finding("--fault", what, why, "name another fault; docs/alerts.md says which alert pages")]
    )


def demonstrate(
    fleet: Fleet,
    catalogue: Catalogue,
    case: Case,
    watch: Watch,
    listed: frozenset[str] | None = None,
    receivers: Receivers | None = None,
    pace: int = PACE,
    path: str | None = None,
) -> Told:
    """Let the case happen, and give what the on-call got. ``path`` stands in for PATH.

    Raises ``Refused`` for missing programs, ``Unreachable`` where a program dies or nobody is told in time. Nothing
    runs when it is over.
    """
    files = find("prometheus", "promtool", "alertmanager", path=path)
    parts = tuple(_parts(fleet, catalogue, listed, case))
    shown = always_open(fleet).model_copy(update={"pools": tuple(part.pool for part in parts)})
    plan = make_plan(shown, catalogue, listed)
    interval = int(plan.fleet.evaluation_interval)
    scaled(plan, Pace(pace))
    scenes = stage(plan, parts, HEALTH // interval, 4 * LATE)
    run = Run(plan, scenes, pace, lambda _done, _of, what: watch.doing(what))
    with run.opened(files, receivers) as (programs, address):
        run.start_clock(programs, address)
        watch.ready(Addresses(f"http://{address}", programs.server.url, programs.alertmanager))
        return _Course(case, run, programs, watch).told()


def _parts(fleet: Fleet, catalogue: Catalogue, listed: frozenset[str] | None, case: Case) -> Iterator[Part]:
    plan = make_plan(always_open(fleet), catalogue, listed)
    for pool in plan.fleet.pools:
        fault = case.fault if pool.name == case.pool else catalogue.faults["healthy"]
        past = fault.model_copy(update={"history": max(fault.history, PAST)})
        replicas = StandIn(plan, pool).whole.shape.replicas
        seconds = case.proven.alert.within + late(int(plan.fleet.evaluation_interval))
        yield Part(past, sized(pool, replicas), pool.name, seconds)


@dataclass
class _Course:
    case: Case
    run: Run
    programs: Stack
    watch: Watch

    def told(self) -> Told:
        """What was delivered, and what fired beside it without being told."""
        limit = (self.case.proven.alert.within + _LATE) / 60
        while (found := self._delivered()) is None:
            if self.run.minute > limit:
                raise Unreachable([self._silence(limit)])
            self._see()
        minute, until = self.run.minute, self.run.minute + _AFTERWARDS / 60
        while self.run.minute < until:
            self._see()
        receiver, labels, annotations = found
        paged = frozenset(pages(self.run.deliveries.all, {"pool": self.case.pool})) - {labels["alertname"]}
        quiet = tuple(name for name in self._inhibited() if name not in paged)
        return Told(receiver, minute, labels, annotations, quiet, tuple(sorted(paged)))

    def _see(self) -> None:
        self.programs.check()
        self.watch.seen(look(self.programs.server, self.case.pool, self.run.minute))
        time.sleep(_POLL)

    def _delivered(self) -> tuple[str, dict[str, str], dict[str, str]] | None:
        wanted = {"alertname": self.case.proven.alert.name, "pool": self.case.pool, "severity": "page"}
        for delivery in self.run.deliveries.all:
            for labels, texts in zip(delivery.alerts, delivery.annotations, strict=True):
                if wanted.items() <= labels.items():
                    return delivery.receiver, labels, texts
        return None

    def _inhibited(self) -> tuple[str, ...]:
        url = f"{self.programs.alertmanager}/api/v2/alerts?active=false&silenced=false&inhibited=true"
        with suppress(OSError):
            found = json.loads(ask(url))
            own = [one["labels"] for one in found if one["labels"].get("pool") == self.case.pool]
            return tuple(sorted({labels["alertname"] for labels in own}))
        return ()

    def _silence(self, limit: float) -> Finding:
        name = self.case.proven.alert.name
        return Finding(
            name,
            f"nobody was told of it within {limit:.0f} minutes of the fleet",
            "either the rule does not fire, or the machine is too busy for this pace",
            f"run it again with a slower --pace, or ask `sre prove FLEET --only {name}`",
        )
