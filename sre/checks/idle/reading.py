"""Everything that the idle report is made of, asked of one source."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

from sre.answers import Labels
from sre.checks.idle.earlier import minutes_of, read_earlier
from sre.checks.idle.pages import counted, place
from sre.checks.idle.source import MINUTE_STATE, STATE, UNKNOWN_THEN, Source
from sre.compile.plan import Plan
from sre.findings import Finding
from sre.fleet import Fleet
from sre.idle.loads import Context, PoolLoad
from sre.idle.observed import Observed, Seat
from sre.idle.states import STATES
from sre.idle.windows import Window
from sre.prometheus import Server
from sre.promql import one_of
from sre.units import format_duration

Tell = Callable[[int, int, str], None]

_LOADS = {
    "work": "max by (pool) (max_over_time(pool:gpu_utilization:avg5m{range}))",
    "requests": "max by (pool) (avg_over_time(pool:requests_done:rate5m{range}))",
}


@dataclass(frozen=True)
class Reading:
    """What was read. ``looked`` are the minutes of each window in which anything was evaluated."""

    observed: Observed
    looked: tuple[int, ...]
    findings: tuple[Finding, ...]


def read_states(plan: Plan, source: Source, windows: tuple[Window, ...], tell: Tell) -> Reading:
    """Minutes by card, state and window. Raises ``Unreachable``."""
    observed = Observed(window.minutes for window in windows)
    own = tuple(name for name in plan.identity.owner if name != "pool")

    def question(span: str) -> str:
        return minutes_of(plan, STATE, span)

    def done(count: int) -> None:
        tell(count, len(windows), "hours read")

    for first, step, found in counted(source.server, question, windows, source.phase, done):
        for one in found:
            seat = _seat(one.labels, own)
            points = ((first + place(at, windows[first], step), round(value)) for at, value in one.points)
            observed.add(seat, one.labels, points)
    looked = tuple(_looked(source, windows))
    return Reading(observed, looked, (*source.findings, *_gaps(source, looked, windows)))


def _seat(labels: Labels, own: tuple[str, ...]) -> Seat:
    replica = "/".join(value for name in own if (value := labels.get(name)))
    pool = labels.get("pool", "")
    return Seat(labels.get("uuid", ""), labels.get("mig", ""), pool, replica if pool else "")


def _looked(source: Source, windows: tuple[Window, ...]) -> Iterator[int]:
    found = [0] * len(windows)
    pages = counted(
        source.server, lambda span: f"max(count_over_time({MINUTE_STATE}{span}))", windows, source.phase
    )
    for first, step, answer in pages:
        for one in answer:
            for at, value in one.points:
                found[first + place(at, windows[first], step)] = round(value)
    yield from (min(minutes, window.minutes) for minutes, window in zip(found, windows, strict=True))


def _gaps(source: Source, looked: tuple[int, ...], windows: tuple[Window, ...]) -> Iterator[Finding]:
    due, seen = sum(window.minutes for window in windows), sum(looked)
    if seen >= due or not source.recorded:
        return
    first = next((number for number, minutes in enumerate(looked) if minutes), 0)
    late = (windows[first].start - windows[0].start) if first else 0
    where = (
        f"its records begin {format_duration(late)} after the period does"
        if late
        else "the server, or its rules, did not run during that time"
    )
    yield Finding(
        "period", f"{1 - seen / due:.1%} of the period was not recorded: {where}",
        UNKNOWN_THEN,
        "ask a server that holds all of it, take a later --since, or evaluate raw series with --raw",
        "warning",
    )  # fmt: skip


def read(
    plan: Plan, source: Source, windows: tuple[Window, ...], fleet_server: Server, tell: Tell
) -> tuple[Reading, Context]:
    """The states; loads of the pools, the period before; what the cards were measured by. Raises ``Unreachable``."""
    with ThreadPoolExecutor(1) as beside:
        # A long scan that nothing waits for.
        earlier = beside.submit(read_earlier, plan, source, windows) if source.recorded else None
        reading = read_states(plan, source, windows, tell)
        loads = _loads(plan.fleet, source, reading.observed, windows)
        signals = _signals(plan, fleet_server, windows)
        return reading, Context(
            loads, earlier.result().against(reading.observed) if earlier else None, signals
        )


def _loads(
    fleet: Fleet, source: Source, observed: Observed, windows: tuple[Window, ...]
) -> dict[str, PoolLoad]:
    found = {name: dict[str, list[float | None]]() for name in (pool.name for pool in fleet.pools)}
    for key, expr in _LOADS.items():
        for first, step, answer in counted(source.server, _spanned(expr), windows, source.phase):
            for one in answer:
                if (pool := one.labels.get("pool", "")) in found:
                    values = found[pool].setdefault(key, [None] * len(windows))
                    for at, value in one.points:
                        values[first + place(at, windows[first], step)] = value
    cards, starts = _cards(observed, len(windows)), _cold_starts(source, windows)
    return {
        pool: _load(values, cards.get(pool, []), windows, starts.get(pool)) for pool, values in found.items()
    }


def _spanned(expr: str) -> Callable[[str], str]:
    return lambda span: expr.replace("{range}", span)


def _load(
    values: Mapping[str, list[float | None]],
    cards: list[float],
    windows: tuple[Window, ...],
    start: float | None,
) -> PoolLoad:
    work = [
        None if share is None else share * count
        for share, count in zip(
            values.get("work", []), cards or [0.0] * len(windows), strict=bool(values.get("work"))
        )
    ]
    requests = [
        None if rate is None else rate * window.minutes * 60
        for rate, window in zip(values.get("requests", []), windows, strict=False)
    ]
    return PoolLoad(tuple(work), tuple(requests), start)


def _cards(observed: Observed, windows: int) -> dict[str, list[float]]:
    """Cards of each pool in each window, by their minutes."""
    width, found = len(STATES), dict[str, list[float]]()
    for seat, held in observed.held.items():
        counts = found.setdefault(seat.pool, [0.0] * windows)
        for window in range(windows):
            counts[window] += sum(held.tally.cells[window * width : (window + 1) * width]) / 840
    return {
        pool: [count / minutes for count, minutes in zip(counts, observed.minutes, strict=True)]
        for pool, counts in found.items()
    }


def _cold_starts(source: Source, windows: tuple[Window, ...]) -> dict[str, float]:
    """Seconds for which new replicas were known and not up, the median by pool."""
    fresh = "(replica:up:state == 0) unless replica:up:state offset 30m"
    known = f"{fresh} and on () group(replica:up:state offset 30m)"
    minutes = Counter[tuple[str, ...]]()
    for _, _, answer in counted(
        source.server, lambda span: f"count_over_time(({known})[{span[1:-1]}:1m])", windows, source.phase
    ):
        for one in answer:
            replica = (one.labels.get("pool", ""), *(value for _, value in sorted(one.labels.items())))
            minutes[replica] += sum(round(value) for _, value in one.points)
    found = dict[str, list[float]]()
    for (pool, *_), count in minutes.items():
        found.setdefault(pool, []).append(count * 60.0)
    return {pool: median(values) for pool, values in found.items()}


def _signals(plan: Plan, server: Server, windows: tuple[Window, ...]) -> dict[tuple[str, str], str]:
    """What each card's activity was measured by, where the raw metrics are still there: the best that it has."""
    exporter = plan.fleet.gpu_exporter
    if not exporter:
        return {}
    binding = plan.catalogue.gpus[exporter.kind]
    uuids, migs = binding.labels.get("uuid", ()), binding.labels.get("mig", ())
    sources = [*binding.signals.get("gpu_sm_active", ()), *binding.signals.get("gpu_utilization", ())]
    order = list(dict.fromkeys(one.metric for one in sources))
    at, found = windows[-1].end - 1, dict[tuple[str, str], str]()
    by = ", ".join(("__name__", *uuids, *migs))
    answers = (
        server.query(f"group by ({by}) (last_over_time({{{one_of('__name__', order)}}}[10m]))", at)
        if order
        else ()
    )
    for sample in answers:
        uuid, mig = (next(filter(None, map(sample.labels.get, names)), "") for names in (uuids, migs))
        name = sample.labels.get("__name__", "")
        if name in order and (
            not found.get((uuid, mig)) or order.index(name) < order.index(found[uuid, mig])
        ):
            found[uuid, mig] = name
    return found
