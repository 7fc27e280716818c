"""An engine replica as a queue: chance decides when requests come and how long they are, the batch does the rest.

It takes the inputs of the fluid replica (``sre.simulate.replica``) and exposes the same signals. What the fluid
says of the mean, this one scatters around: the fluid is what it is compared with.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, log
from random import Random

from sre.simulate.arrivals import Arrivals, Poisson
from sre.simulate.batching import Batch, Pace
from sre.simulate.demand import Demand, flat
from sre.simulate.draws import Mix, Request
from sre.simulate.engine import Work
from sre.simulate.meter import Meter, keys
from sre.simulate.pace import pace
from sre.simulate.replica import WAIT_SIGMA, Key
from sre.simulate.service import Bounds, Inputs, service

PATIENCE = 600.0
"""Seconds after which a client gives up that has no token yet: the default of OpenAI's own client."""

_AGE = 7200.0
"""Seconds that a replica has been up when the simulation begins."""


@dataclass(frozen=True)
class Workload:
    """What comes to a replica beside its inputs. A cache of fewer than ``least_blocks`` would hold none of it."""

    demand: Demand = flat
    patience: float = PATIENCE
    arrivals: Callable[[Random], Arrivals] = Poisson
    least_blocks: int = 0


class QueueingReplica:
    """One replica, a pure function of its seed: let inputs happen to it with ``step``, then read it."""

    def __init__(self, usual: Inputs, bounds: Bounds, seed: str, workload: Workload | None = None) -> None:
        self.keys: tuple[Key, ...] = keys(bounds)
        self._usual, self._bounds, self._workload = usual, bounds, workload or Workload()
        self._random = Random(seed)  # noqa: S311 - chance that can be repeated, no secret
        # A replica that is looked at has served for a while: a few replies' time fills its batch.
        self.now = -5 * service(usual, bounds).seconds
        self._arrivals = self._workload.arrivals(self._random)
        self._restarted, self._burst, self._throw = 0.0, 0.0, inf
        self.seen, self.work = True, Work(1, 0.0, 0.0)
        self._begin(usual, -_AGE)
        self.step(usual, -self.now)

    @property
    def values(self) -> tuple[float, ...]:
        """What it exposes, in the order of ``keys``."""
        return self.meter.values(self.born, self.batch, self._census)

    @property
    def signals(self) -> dict[Key, float]:
        """The same by signal."""
        return dict(zip(self.keys, self.values, strict=True))

    def step(self, inputs: Inputs, seconds: float) -> None:
        """Let time pass under these inputs. A dead engine core, or one that is away, does nothing meanwhile."""
        until = self.now + seconds
        if inputs["restarted"] > self._restarted:
            self._begin(inputs, self.now)
        self._restarted = inputs["restarted"]
        self.seen = not (inputs["gone"] or inputs["unreachable"])
        if inputs["stalled"] or not self.seen:
            self.now = self.batch.now = until
            self.work = Work(1, 0.0, 0.0)
            return
        self._change(inputs)
        area, tokens = self.batch.area, self._census.tokens
        self._run(until)
        self._count()
        load = (self.batch.area - area) / seconds / self._usual["running"]
        self.work = Work(1, load, (self._census.tokens - tokens) / seconds)

    def _begin(self, inputs: Inputs, born: float) -> None:
        """A new process: nothing in its queue, and every counter at zero."""
        self.born, self._inputs = born + inputs["skew"], inputs
        self.meter = Meter(self._bounds)
        self.batch = Batch(self._pace(inputs), self._workload.patience, self._first, self._done)
        self.batch.now, self._census = self.now, self.batch.census()
        self._mix = Mix(inputs, service(inputs, self._bounds))

    def _pace(self, inputs: Inputs) -> Pace:
        return pace(inputs, self._usual, self._bounds, self._workload.least_blocks)

    def _change(self, inputs: Inputs) -> None:
        if inputs is not self._inputs:
            self._inputs = inputs
            self.batch.change(self._pace(inputs))
            self._mix = Mix(inputs, service(inputs, self._bounds))
        rate = 0.0 if inputs["closed"] else inputs["arrivals"] * self._workload.demand(self.now)
        self._arrivals.change(self.now, rate, self._mix)
        self._throw = self.now + self._thrown() if inputs["thrown_out"] else inf
        for _ in range(round(inputs["burst"] - self._burst)):
            self.batch.arrive(self._mix.draw(self._random, self.now))
        self._burst = inputs["burst"]
        self._refill()

    def _run(self, until: float) -> None:
        """Everything that happens until then, in its order."""
        arrivals, batch = self._arrivals, self.batch
        while (when := min(arrivals.time, self._throw)) <= until:
            batch.advance(when)
            if when == self._throw:
                self._throw = when + self._thrown()
                self._throw_out()
            else:
                for request in arrivals.take():
                    self._arrive(request)
        batch.advance(until)
        self.now = until

    def _count(self) -> None:
        self.batch.settle()
        self._census = self.batch.census()
        self.meter.catch_up(self.batch, self._census)

    def _arrive(self, request: Request) -> None:
        if self._random.random() < self._inputs["client_errors"] or not self.batch.fits_ever(request):
            self.meter.responses["4xx"] += 1
        else:
            self.batch.arrive(request)

    def _first(self, now: float, waited: float, read: float) -> None:
        self.meter.first_token(now + read, waited + read)
        # Even where no queue is, a request waits for the step that is running.
        scatter = exp(WAIT_SIGMA * self._random.gauss(0.0, 1.0) - WAIT_SIGMA**2 / 2)
        self.meter.queue_wait.add(waited + self._inputs["wait"] * scatter)

    def _done(self, request: Request, now: float) -> None:
        if self._random.random() < self._inputs["server_errors"]:
            self.meter.responses["5xx"] += 1
        else:
            self.meter.done(request, now)
        self._refill()

    def _refill(self) -> None:
        """Clients that ask again when they have their reply keep as many in flight as is usual at this hour."""
        if not self._inputs["closed"]:
            return
        batch = self.batch
        usual = self._usual["running"] * self._workload.demand(batch.now)
        while len(batch.running) + len(batch.waiting) < usual:
            batch.arrive(self._mix.draw(self._random, batch.now))

    def _thrown(self) -> float:
        return -log(1.0 - self._random.random()) / self._inputs["thrown_out"]

    def _throw_out(self) -> None:
        """What the inputs ask for beside what a full cache throws out by itself."""
        if self._inputs["kv_fill"] * len(self.batch.running) >= 0.9 * self._usual["running"]:
            self.batch.preempt()
