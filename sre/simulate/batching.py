"""Continuous batching in virtual time: requests wait, are prefilled, make a token per step, and hold KV blocks.

Nothing is stepped through: between two events every running request makes one token per step, and all that can
happen is computed from the number of steps. An event is an arrival, the end of a reply, or a full cache.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import floor, inf
from typing import NamedTuple

from sre.simulate.draws import Request

BLOCK = 16
"""Tokens of a KV block (vLLM's --block-size)."""


@dataclass(frozen=True)
class Pace:
    """What work costs: seconds of a step without prefill are ``base + slope * requests in the batch``.

    ``plain`` is the step of a usual batch, ``usual`` the same with the prefill that is usual beside it. Each prompt
    token that is computed holds everyone's steps up for ``held_up`` seconds, and its own request's first token for
    ``read`` seconds in a usual batch. A share ``cached`` of a prompt is not computed.
    """

    base: float
    slope: float
    plain: float
    usual: float
    read: float
    held_up: float
    cached: float
    limit: int
    blocks: int


@dataclass
class Counted:
    """What has happened to requests since the engine was started."""

    arrived: int = 0
    gave_up: int = 0
    finished: int = 0
    preempted: int = 0
    prompt_tokens: int = 0
    hit_tokens: float = 0.0
    banked: int = 0
    """Tokens of requests that are no longer in the batch."""
    begun: int = 0
    """Requests that have left the batch and made a token."""


class Census(NamedTuple):
    """KV blocks in use; tokens, and requests with a token, since the engine was started."""

    blocks: int
    tokens: int
    begun: int


class Batch:
    """The scheduler of one engine.

    ``on_first(now, waited, read)`` hears of every request when it is first admitted, with the seconds that it has
    waited and those that its prompt takes; ``on_finish(request, now)`` when its reply is whole.
    """

    def __init__(
        self,
        pace: Pace,
        patience: float,
        on_first: Callable[[float, float, float], None],
        on_finish: Callable[[Request, float], None],
    ) -> None:
        self.pace, self.now, self.steps = pace, 0.0, 0.0
        self.counted, self.waiting, self.running = Counted(), deque[Request](), dict[int, Request]()
        self.area = 0.0
        self._patience, self._on_first, self._on_finish = patience, on_first, on_finish
        self._ends: list[tuple[float, int, Request]] = []
        self._number, self._held, self._pause = 0, 0.0, 0.0
        self._sizes, self._busy = dict[int, float](), 0.0

    def fits_ever(self, request: Request) -> bool:
        """Whether an empty cache could hold it to its end."""
        return (request.prompt + request.reply) / BLOCK + 2 <= self.pace.blocks

    def arrive(self, request: Request) -> None:
        """A request comes that fits into the cache."""
        self.counted.arrived += 1
        self.waiting.append(request)
        if len(self.waiting) == 1:
            self.admit()

    def admit(self) -> None:
        """Fill the batch from the queue, first come first served, as far as places and blocks go."""
        waiting, limit = self.waiting, self.pace.limit
        while waiting:
            if self._gone(waiting[0]):
                waiting.popleft()
                self.counted.gave_up += 1
                continue
            if len(self.running) >= limit or not self._fits(waiting[0]):
                return
            self._start(waiting.popleft())

    def advance(self, until: float) -> None:
        """Let virtual time pass; nobody arrives meanwhile."""
        while self.now < until:
            size = len(self.running)
            if not size:
                self._pause = max(0.0, self._pause - until + self.now)
                self.now = until
                return
            step = self.pace.base + self.pace.slope * size
            ends, full = self._ends[0][0], self._full(size)
            target = min(ends, full)
            when = self.now + self._pause + (target - self.steps) * step
            if when > until:
                self._pass(until, size, step)
                return
            self._pass(when, size, step, target)
            if ends <= full:
                self._finish()
            else:
                self.preempt()

    def preempt(self) -> None:
        """Throw the youngest request out of the batch; it comes back first, and is computed anew."""
        if len(self.running) < 2:
            return
        number, request = self.running.popitem()
        self._ends.remove((request.end, number, request))
        heapify(self._ends)
        self._leave(request, made(request, self.steps))
        self.counted.preempted += 1
        self.waiting.appendleft(request)

    def settle(self) -> None:
        """Rid the running sums of rounding, and the queue of those who gave up."""
        self.admit()
        self._held = sum(_weight(request) - request.admitted / BLOCK for request in self.running.values())

    def census(self) -> Census:
        """Count what is in the batch, and what has left it."""
        blocks, tokens, begun = 0, self.counted.banked, self.counted.begun
        for request in self.running.values():
            more = made(request, self.steps)
            blocks -= -(request.prompt + request.made + more) // BLOCK
            tokens += more
            begun += request.fresh and more > 0
        return Census(blocks, tokens, begun)

    def gaps(self) -> dict[float, float]:
        """Seconds between two tokens since this was last asked, and how many requests' steps took so long each."""
        pace, sizes, busy = self.pace, self._sizes, self._busy
        self._sizes, self._busy = {}, 0.0
        steps = {size: pace.base + pace.slope * size for size in sizes}
        plain = sum(steps[size] * weight / size for size, weight in sizes.items())
        return {steps[size] * busy / plain: weight for size, weight in sizes.items()} if plain else {}

    def _gone(self, request: Request) -> bool:
        return self.now - request.arrived > self._patience and request.fresh

    def _fits(self, request: Request) -> bool:
        # vLLM keeps a hundredth of the blocks free when it admits (its watermark), so that a new request is not
        # the next to be thrown out.
        needed = (request.prompt + request.made) / BLOCK + 1 + 0.01 * self.pace.blocks
        return not self.running or self._used_at_most() + needed <= self.pace.blocks

    def _used_at_most(self) -> float:
        return self._held + len(self.running) * self.steps / BLOCK

    def _full(self, size: int) -> float:
        """Steps at which the cache is full; never for a single request, which fits by itself."""
        if size < 2:
            return inf
        return max(self.steps, (self.pace.blocks - self._held) * BLOCK / size)

    def _start(self, request: Request) -> None:
        pace, size = self.pace, len(self.running)
        todo = (request.prompt + request.made) * (1 - pace.cached)
        seconds = todo * pace.read
        request.admitted = self.steps
        request.first = self.steps + seconds / pace.usual
        request.end = request.first + max(0, request.reply - request.made - 1)
        self._number += 1
        self.running[self._number] = request
        heappush(self._ends, (request.end, self._number, request))
        self._held += _weight(request) - self.steps / BLOCK
        self._pause += todo * pace.held_up
        if not request.scheduled:
            request.scheduled = True
            self.counted.prompt_tokens += request.prompt
            self.counted.hit_tokens += request.prompt * pace.cached
            own = seconds * (pace.base + pace.slope * (size + 1)) / pace.plain
            self._on_first(self.now, self.now - request.arrived, own)

    def _pass(self, when: float, size: int, step: float, target: float | None = None) -> None:
        passed = when - self.now
        paused = min(passed, self._pause)
        self._pause -= paused
        before = self.steps
        self.steps = target if target is not None else before + (passed - paused) / step
        self._sizes[size] = self._sizes.get(size, 0.0) + (self.steps - before) * size
        self._busy += passed
        self.area += passed * size
        self.now = when

    def _finish(self) -> None:
        _, number, request = heappop(self._ends)
        del self.running[number]
        self._leave(request, request.reply - request.made)
        self.counted.finished += 1
        self._on_finish(request, self.now)
        self.admit()

    def _leave(self, request: Request, tokens: int) -> None:
        self._held -= _weight(request) - request.admitted / BLOCK
        request.made += tokens
        self.counted.banked += tokens
        if request.fresh and tokens:
            self.counted.begun += 1
            request.fresh = False


def made(request: Request, steps: float) -> int:
    """Tokens that a request has made since it was last admitted."""
    # What is whole but for the rounding of sums is whole.
    since = floor(steps - request.first + 1e-6) + 1
    return max(0, min(since, request.reply - request.made))


def _weight(request: Request) -> float:
    """Blocks of a request when it is admitted, rounded up however its tokens fall."""
    return (request.prompt + request.made) / BLOCK + 1
