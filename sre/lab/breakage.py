"""Faults that are struck and mended while a served fleet runs, in words over HTTP."""

import json
import threading
from dataclasses import asdict, dataclass
from typing import Any

from sre.catalogue.faults import FLEET, GATEWAY
from sre.catalogue.model import Catalogue
from sre.findings import Finding, Refused
from sre.lab.pages import JSON, Page
from sre.lab.world import World
from sre.simulate.course import Happening
from sre.source import show, suggest

STATE, BREAK, MEND = "/lab", "/lab/break", "/lab/mend"
"""Where it is asked, and posted to; a receiver's path has no slash inside."""


@dataclass(frozen=True)
class Broken:
    """A fault that lasts: at which pool, and since which minute of the fleet."""

    fault: str
    pool: str
    minute: float


class Breakage:
    """What is wrong with a served fleet. Safe to be asked by several threads."""

    def __init__(self, world: World, catalogue: Catalogue) -> None:
        self._world, self._catalogue = world, catalogue
        self.skipped = 0.0
        """Real seconds that the fleet has slept, because the machine was too slow for it."""
        self._told: dict[str, tuple[Happening, ...]] = {}
        self._lock = threading.Lock()

    @property
    def now(self) -> tuple[Broken, ...]:
        """What is not mended."""
        return tuple(
            Broken(one.fault.name, pool, one.at / 60)
            for pool, told in self._told.items()
            for one in told
            if one.lasts is None
        )

    def strike(self, name: str, pool: str = "") -> Broken:
        """Let a fault happen from now on, beside what happens already; to the first pool, where none is named.

        Raises ``Refused`` with everything that is wrong with either name.
        """
        pools = {one.plot.pool: one for one in self._world.pools}
        pool = pool or next(iter(pools))
        if findings := [*self._unknown(name), *_unknown_pool(pool, pools)]:
            raise Refused(findings)
        with self._lock:
            at = int(self._world.now)
            self._told[pool] = (*self._told.get(pool, ()), Happening(self._catalogue.faults[name], at))
            pools[pool].happen(self._told[pool])
        return Broken(name, pool, at / 60)

    def mend(self) -> tuple[Broken, ...]:
        """Let everything be healthy from now on; what was not."""
        with self._lock:
            mended, now = self.now, int(self._world.now)
            for served in self._world.pools:
                told = self._told.get(served.plot.pool, ())
                self._told[served.plot.pool] = tuple(_ended(one, now) for one in told)
                served.happen(self._told[served.plot.pool])
        return mended

    def page(self, path: str) -> Page | None:
        """What is wrong, as JSON; None at any other path."""
        if path != STATE:
            return None
        now = [asdict(one) for one in self.now]
        return _json({"minute": self._world.now / 60, "broken": now, "skipped": self.skipped})

    def posted(self, path: str, body: bytes) -> Page | None:
        """Break or mend, and say what has been, or why not; None at any other path."""
        if path == MEND:
            return _json({"mended": [asdict(one) for one in self.mend()]})
        if path != BREAK:
            return None
        try:
            asked = json.loads(body)
            return _json({"broken": asdict(self.strike(str(asked["fault"]), str(asked["pool"])))})
        except Refused as refused:
            return _json({"findings": [asdict(one) for one in refused.findings]})

    def _unknown(self, name: str) -> list[Finding]:
        fault = self._catalogue.faults.get(name)
        if fault is None:
            what, why = f"{show(name)} is no fault of the catalogue", "nothing would happen"
            return [Finding("FAULT", what, why, suggest(name, self._catalogue.faults))]
        changed = {name for step in fault.steps for name in step.set}
        if changed and changed <= FLEET.keys() | GATEWAY.keys():
            what = f"{show(name)} changes nothing here"
            why = "it lies with the Prometheus that scrapes, or with a gateway; only replicas and cards are served"
            return [Finding("FAULT", what, why, "name another fault; `sre prove` shows this one")]
        return []


def _unknown_pool(pool: str, pools: dict[str, Any]) -> list[Finding]:
    if pool in pools:
        return []
    what, why = f"{show(pool)} is no pool of this fleet", "it would happen to nobody"
    return [Finding("--pool", what, why, suggest(pool, pools))]


def _ended(one: Happening, now: int) -> Happening:
    return one if one.lasts is not None else Happening(one.fault, one.at, max(1, now - one.at))


def _json(data: dict[str, Any]) -> Page:
    return Page(json.dumps(data).encode(), JSON)
