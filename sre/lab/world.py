"""The fleet that is served: every pool of the fleet file, step by step, and its pages by path."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

import yaml

from sre.compile.plan import Plan
from sre.lab.pages import JSON, TEXT, Page
from sre.lab.pool import Served, Work
from sre.lab.targets import Place
from sre.simulate.course import Happening
from sre.units import format_duration

_REPLICAS, _NODES = "/replica/", "/node/"


class World:
    """All pools. ``now`` is virtual time; ``epoch`` is the time of day at its second 0, which runs ``speed`` as fast.

    What it shows at a virtual time depends on the fleet, the faults and the seed alone.
    """

    def __init__(
        self,
        plan: Plan,
        happenings: Mapping[str, tuple[Happening, ...]],
        work: Work,
        seed: int = 0,
        epoch: float = 0.0,
        speed: float = 1.0,
    ) -> None:
        self.fleet, self._epoch, self._speed, self.now = plan.fleet, epoch, speed, 0.0
        self.pools, first = list[Served](), 0
        for pool in plan.fleet.pools:
            told = happenings.get(pool.name, ())
            self.pools.append(Served(plan, pool, first, told, work, str(seed)))
            first += len(self.pools[-1].seats)
        # Where it is served: known when the port is.
        self.url = ""
        self._paths: dict[str, Callable[[], Page | None]] = dict(self._found())

    def step(self, seconds: float) -> None:
        """Let time pass everywhere."""
        for pool in self.pools:
            pool.step(seconds)
        self.now += seconds

    def page(self, path: str) -> Page | None:
        """The page at a path; None where nobody answers."""
        found = self._paths.get(path)
        return found() if found else None

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that there is."""
        return tuple(self._paths)

    def places(self) -> Iterator[Place]:
        """Where a Prometheus scrapes it now; who has left is not among them."""
        exporter = self.fleet.gpu_exporter
        honor = bool(exporter and exporter.honor_labels)
        for pool in self.pools:
            for number, seat in enumerate(pool.seats):
                if not seat.gone:
                    yield Place(replica_path(pool, number), pool.plot.replica(number))
                if pool.cards:
                    yield Place(node_path(pool, number), pool.plot.exporter(number), honor)

    def _found(self) -> Iterator[tuple[str, Callable[[], Page | None]]]:
        yield "/", self._contents
        yield "/prometheus.yaml", self._configuration
        yield "/targets", partial(self._targets, "")
        yield "/targets/replicas", partial(self._targets, _REPLICAS)
        yield "/targets/nodes", partial(self._targets, _NODES)
        for pool in self.pools:
            for number in range(len(pool.seats)):
                yield replica_path(pool, number), partial(self._replica, pool, number)
                if pool.cards:
                    yield node_path(pool, number), partial(_node, pool, number)

    def _contents(self) -> Page:
        return Page("".join(f"{self.url}{path}\n" for path in self._paths).encode(), TEXT)

    def _replica(self, pool: Served, number: int) -> Page | None:
        text = pool.replica_page(number, self._clock)
        return None if text is None else Page(text)

    def _clock(self, second: float) -> float:
        # What began before the simulation did so at the pace of the world.
        return self._epoch + (second / self._speed if second > 0 else second)

    def _targets(self, rooms: str) -> Page:
        """Targets as Prometheus' HTTP service discovery reads them, of pages whose path begins so."""
        host = self.url.partition("://")[2]
        groups = [
            {"targets": [host], "labels": {"__metrics_path__": place.path, **place.labels}}
            for place in self.places()
            if place.path.startswith(rooms)
        ]
        return Page((json.dumps(groups, indent=1) + "\n").encode(), JSON)

    def _configuration(self) -> Page:
        fleet = self.fleet
        honor = bool(fleet.gpu_exporter and fleet.gpu_exporter.honor_labels)
        jobs = [self._job("replicas", honor=False), self._job("nodes", honor=honor)]
        every = format_duration(int(fleet.scrape_interval))
        data = {
            "global": {
                "scrape_interval": every,
                "scrape_timeout": every if int(fleet.scrape_interval) < 10 else "10s",
                "evaluation_interval": format_duration(int(fleet.evaluation_interval)),
            },
            "scrape_configs": jobs if any(pool.cards for pool in self.pools) else jobs[:1],
        }
        return Page(yaml.safe_dump(data, sort_keys=False).encode(), TEXT)

    def _job(self, name: str, *, honor: bool) -> dict[str, Any]:
        discovery = {"url": f"{self.url}/targets/{name}", "refresh_interval": "5s"}
        return {"job_name": name, "honor_labels": honor, "http_sd_configs": [discovery]}


def replica_path(pool: Served, number: int) -> str:
    """Where a replica is scraped."""
    return f"{_REPLICAS}{quote(pool.name)}/{number}/metrics"


def node_path(pool: Served, number: int) -> str:
    """Where the GPU exporter beside a replica is scraped."""
    return f"{_NODES}{quote(pool.name)}/{number}/metrics"


def _node(pool: Served, number: int) -> Page | None:
    text = pool.node_page(number)
    return None if text is None else Page(text)
