"""Cards that work and stand still by a known plan, minute by minute: the truth that the idle report is measured by.

Cheap on purpose: no queue is simulated and no batch. Each card has a course of true states, and shows what an exporter
and an engine show of such a state, with everything that goes wrong with telemetry. Pure: the same seed gives the same
samples.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

MINUTE, HOUR, DAY = 60, 3600, 86_400

BUSY, UNDERUSED, LOADED, EMPTY, FREE, UNKNOWN, LEFT_OUT = (
    "busy", "underused", "loaded_idle", "empty_idle", "unallocated", "unknown", "excluded",
)  # fmt: skip

SENTINEL = 9223372036854775794.0
"""What old exporters print for "no value"."""
_CARD_MIB, _IDLE_WATTS, _BUSY_WATTS = 81559.0, 72.0, 640.0
_WEIGHTS = 0.9
"""Share of its memory that an engine takes, whatever it does."""

OTHERS = "others"
POOLS = ("chat", "agents", "search", "extract", "slices", OTHERS)
"""Pools of the fleet, and what belongs to none."""

Value = float | None
"""A sample; None where the series is not there."""


@dataclass
class Card:
    """One card or slice: its labels under the exporter, who holds it, and its true state in each minute."""

    uuid: str
    replica: str = ""
    namespace: str = "llm"
    mig: str = ""
    model: str = "NVIDIA H100 80GB HBM3"
    node: int = 0
    profiled: bool = True
    measured: bool = True
    """Whether anything tells its activity: a slice without profiling counters has nothing."""
    copies: int = 1
    """Exporters that show it; the second knows no pods."""
    shared: bool = False
    """Time-slicing: shown once without a pod, and once for each of two."""
    truth: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    """What it does, which the truth is as long as anybody can tell."""


@dataclass
class Replica:
    """An engine: up, answering, not there; and whether it has requests."""

    pool: str
    name: str
    up: list[Value] = field(default_factory=list)
    traffic: list[bool] = field(default_factory=list)


@dataclass(frozen=True)
class Stage:
    """Everything of one period. ``fleet`` is the fleet file that fits; minutes are counted from ``start``."""

    fleet: Mapping[str, object]
    start: int
    minutes: int
    cards: tuple[Card, ...]
    series: Callable[[], Iterator[tuple[dict[str, str], list[Value]]]]


def fleet() -> dict[str, object]:
    """Four pools, cards to spare, and one pool whose pair is kept."""
    engine = {"kind": "vllm", "version": "0.32.0"}

    def pool(name: str, kind: str, each: int, replicas: int, **more: object) -> dict[str, object]:
        gpus = {"type": kind, "per_replica": each, "replicas": replicas}
        return {
            "name": name,
            "engine": engine,
            "owner": f"team-{name}",
            "gpus": gpus,
            "memory_budget": 0.9,
            **more,
        }

    return {
        "version": 1,
        "name": "standing",
        "timezone": "Europe/Berlin",
        "scrape_interval": "1m",
        "evaluation_interval": "1m",
        "gpu_exporter": {"kind": "dcgm", "version": "4.8.2"},
        "grafana_base_url": "https://grafana.example.com",
        "capacity": {"h100": 16, "l40s": 8},
        "burn_in": ["burn-in"],
        "pools": [
            pool("chat", "h100", 2, 3),
            pool("agents", "h100", 2, 2),
            pool("search", "l40s", 1, 3),
            pool("extract", "l40s", 1, 2, interactive=False),
            pool("slices", "h100-3g", 1, 2),
        ],
    }


def stage(start: int, minutes: int, seed: int = 1, pools: Collection[str] = POOLS) -> Stage:
    """So many minutes from ``start`` on, which is a whole minute of Unix time, in Berlin.

    ``pools`` are those that are there: the others are declared, and nobody sees them.
    """
    return _Staging(start, minutes, seed, pools).stage()


class _Staging:
    def __init__(self, start: int, minutes: int, seed: int, pools: Collection[str]) -> None:
        self._start, self._minutes, self._seed, self._pools = start, minutes, seed, pools
        self._cards: list[Card] = []
        self._replicas: list[Replica] = []

    def stage(self) -> Stage:
        """Pools, then what belongs to none; then what goes wrong."""
        for number in range(3):
            self._engine("chat", number, 2, _office)
        for number in range(2):
            self._engine("agents", number, 2, _rare if number else _office, profiled=False)
        for number in range(3):
            self._engine("search", number, 1, _rare, model="NVIDIA L40S", copies=2 if number == 1 else 1)
        for number in range(2):
            self._engine("extract", number, 1, _nightly, model="NVIDIA L40S", shared=number == 1)
        for number in range(2):
            self._slice(number)
        self._keep()
        if OTHERS in self._pools:
            self._others()
        self._troubles()
        return Stage(fleet(), self._start, self._minutes, tuple(self._cards), self._series)

    # --- who does what ----------------------------------------------------------------------------------------

    def _engine(
        self, pool: str, number: int, cards: int, course: "_Course", *, model: str = "NVIDIA H100 80GB HBM3",
        profiled: bool = True, copies: int = 1, shared: bool = False,
    ) -> None:  # fmt: skip
        replica = Replica(pool, f"{pool}-{number}")
        states = self._course(course, f"{pool}/{number}")
        replica.up = [1.0] * self._minutes
        replica.traffic = [state in (BUSY, UNDERUSED) for state in states]
        self._replicas.append(replica)
        for card in range(cards):
            node = len(self._cards)
            self._cards.append(
                Card(f"GPU-{pool}-{number}-{card}", replica.name, model=model, node=node, profiled=profiled,
                     copies=copies, shared=shared, truth=list(states), shown=list(states))
            )  # fmt: skip

    def _keep(self) -> None:
        self._replicas = [one for one in self._replicas if one.pool in self._pools]
        names = {one.name for one in self._replicas}
        self._cards = [card for card in self._cards if card.replica in names]

    def _slice(self, number: int) -> None:
        """Two slices of one card. One has no profiling counters, so that its engine alone tells."""
        replica = Replica("slices", f"slices-{number}", [1.0] * self._minutes)
        states = self._course(_office, f"slices/{number}")
        if number:
            states = [BUSY if state == UNDERUSED else state for state in states]
        replica.traffic = [state in (BUSY, UNDERUSED) for state in states]
        self._replicas.append(replica)
        self._cards.append(
            Card("GPU-slices", replica.name, mig=str(number + 1), node=90, measured=number == 0, truth=list(states),
                 shown=list(states))
        )  # fmt: skip

    def _others(self) -> None:
        """A notebook that holds a card, one that trains at times, cards under test, and cards of nobody."""
        whole = [EMPTY] * self._minutes
        self._card("GPU-notebook", whole, holder="notebook-1", namespace="research")
        training = [BUSY if state == BUSY else EMPTY for state in self._course(_nightly, "training")]
        self._card("GPU-training", training, holder="train-1", namespace="research")
        tested = [BUSY if minute // 30 % 2 else EMPTY for minute in range(self._minutes)]
        self._card("GPU-tested", tested, holder="burn-1", namespace="burn-in")
        self._cards[-1].truth = [LEFT_OUT] * self._minutes
        self._card("GPU-free", [FREE] * self._minutes)
        self._card("GPU-spare", [FREE] * self._minutes, model="NVIDIA L40S")

    def _card(
        self, uuid: str, states: list[str], holder: str = "", namespace: str = "", model: str = ""
    ) -> None:
        model = model or "NVIDIA H100 80GB HBM3"
        self._cards.append(
            Card(
                uuid,
                holder,
                namespace,
                model=model,
                node=len(self._cards),
                truth=list(states),
                shown=list(states),
            )
        )

    def _course(self, course: "_Course", name: str) -> list[str]:
        random = _random(self._seed, name)
        found, state, left = [], LOADED, 0
        for minute in range(self._minutes):
            if not left:
                local = (self._start + minute * MINUTE + HOUR) % (7 * DAY)
                state, left = course(local, random)
            found.append(state)
            left -= 1
        return found

    # --- what goes wrong --------------------------------------------------------------------------------------

    def _troubles(self) -> None:
        day = DAY // MINUTE
        for index in range(self._minutes // day):
            base, random = index * day, _random(self._seed, "trouble", index)
            self._silent_exporter(base + random.randrange(day - 200), 3)
            self._restart(
                self._replicas[index % len(self._replicas)], base + random.randrange(200, day - 400)
            )
            if index % 3 == 1:
                self._silent_node(
                    self._replicas[random.randrange(len(self._replicas))],
                    base + random.randrange(day - 200),
                    90,
                )
            if index % 5 == 2 and "search" in self._pools:
                self._swap(base + 600)

    def _silent_exporter(self, at: int, minutes: int) -> None:
        """A gap of scrapes of every exporter: engines go on telling; who has none is unknown after two minutes."""
        for card in self._cards:
            for minute in range(at, min(at + minutes, self._minutes)):
                card.shown[minute] = "silent"

    def _silent_node(self, replica: Replica, at: int, minutes: int) -> None:
        """Neither engine nor card say anything."""
        for minute in range(at, min(at + minutes, self._minutes)):
            replica.up[minute] = None
            for card in self._of(replica, minute):
                card.truth[minute], card.shown[minute] = UNKNOWN, "silent"

    def _restart(self, replica: Replica, at: int) -> None:
        """It loads its model for five minutes, and is young for ten more."""
        for minute in range(at, min(at + 15, self._minutes)):
            if minute < at + 5:
                replica.up[minute] = 0.0
            replica.traffic[minute] = False
            for card in self._of(replica, minute):
                card.shown[minute] = LOADED
                card.truth[minute] = LOADED if minute < at + 5 else LEFT_OUT

    def _swap(self, at: int) -> None:
        """A card is replaced: nothing for two hours, then another in its slot."""
        old = next(card for card in self._cards if card.replica == "search-0" and card.shown[at] != "gone")
        new = Card(f"{old.uuid}-new", old.replica, model=old.model, node=old.node)
        new.truth = [""] * at + old.truth[at:]
        new.shown = ["gone"] * at + old.shown[at:]
        for minute in range(at, self._minutes):
            old.truth[minute], old.shown[minute] = "", "gone"
            if minute < at + 120:
                new.truth[minute], new.shown[minute] = "", "gone"
        self._cards.append(new)

    def _of(self, replica: Replica, minute: int) -> list[Card]:
        """Its cards at that time: one that was swapped has gone."""
        return [card for card in self._cards if card.replica == replica.name and card.shown[minute] != "gone"]

    # --- what is scraped --------------------------------------------------------------------------------------

    def _series(self) -> Iterator[tuple[dict[str, str], list[Value]]]:
        for replica in self._replicas:
            yield from _engine_series(replica)
        for card in self._cards:
            for copy in range(card.copies):
                yield from self._card_series(card, copy)

    def _card_series(self, card: Card, copy: int) -> Iterator[tuple[dict[str, str], list[Value]]]:
        random = _random(self._seed, card.uuid, card.mig)
        activity = [_activity(state, random) for state in card.shown]
        there = [state not in ("silent", "gone") for state in card.shown]
        memory = [_memory(state) for state in card.shown]
        values: dict[str, list[Value]] = {
            "DCGM_FI_DEV_GPU_TEMP": [40 + 30 * value for value in activity],
            "DCGM_FI_DEV_FB_USED": [value * _CARD_MIB for value in memory],
            "DCGM_FI_DEV_FB_FREE": [(1 - value) * _CARD_MIB for value in memory],
            "DCGM_FI_DEV_POWER_USAGE": [
                _IDLE_WATTS + (_BUSY_WATTS - _IDLE_WATTS) * value for value in activity
            ],
        }
        if card.measured and card.profiled:
            values["DCGM_FI_PROF_GR_ENGINE_ACTIVE"] = list(activity)
        if card.measured and not card.mig:
            # A kernel was resident: of a little work it makes much.
            values["DCGM_FI_DEV_GPU_UTIL"] = [
                float(round(100 * min(1.0, value * (1 if value < 0.15 else 1.4)))) for value in activity
            ]
        for name, samples in values.items():
            shown = [value if seen else None for value, seen in zip(samples, there, strict=True)]
            if name == "DCGM_FI_DEV_FB_USED":
                shown = [
                    SENTINEL if value is not None and minute % 977 == 5 else value
                    for minute, value in enumerate(shown)
                ]
            for labels in _labels(card, copy):
                yield {"__name__": name, **labels}, shown


_Course = Callable[[int, Random], tuple[str, int]]
"""From the second of the local week: a state, and for how many minutes."""


def _office(second: int, random: Random) -> tuple[str, int]:
    """Busy by day, underused in the evening, idle at night and on weekends but for a request now and then."""
    hour, weekday = second % DAY // HOUR, (second // DAY + 3) % 7
    if weekday < 5 and 8 <= hour < 18:
        return (
            (BUSY, random.randrange(20, 120))
            if random.random() < 0.85
            else (LOADED, random.randrange(10, 40))
        )
    if hour in range(18, 23):
        return (
            (UNDERUSED, random.randrange(20, 90))
            if random.random() < 0.5
            else (LOADED, random.randrange(30, 120))
        )
    return (
        (UNDERUSED, random.randrange(5, 15)) if random.random() < 0.1 else (LOADED, random.randrange(60, 240))
    )


def _rare(_second: int, random: Random) -> tuple[str, int]:
    return (
        (UNDERUSED, random.randrange(5, 30)) if random.random() < 0.3 else (LOADED, random.randrange(60, 300))
    )


def _nightly(second: int, random: Random) -> tuple[str, int]:
    return (
        (BUSY, random.randrange(60, 120)) if second % DAY // HOUR < 5 else (LOADED, random.randrange(30, 90))
    )


def _random(*parts: object) -> Random:
    return Random("/".join(map(str, parts)))  # noqa: S311 - chance that can be repeated, no secret


def _activity(state: str, random: Random) -> float:
    if state == BUSY:
        return random.uniform(0.25, 0.95)
    return random.uniform(0.03, 0.12) if state == UNDERUSED else 0.0


def _memory(state: str) -> float:
    return {EMPTY: 0.006, FREE: 0.001}.get(state, _WEIGHTS)


def _labels(card: Card, copy: int) -> Iterator[dict[str, str]]:
    own = {
        "job": "dcgm", "instance": f"10.1.{copy}.{card.node}:9400", "namespace": "gpu-operator",
        "pod": f"dcgm-{copy}-{card.node}", "UUID": card.uuid, "gpu": "0", "modelName": card.model,
        "Hostname": f"node-{card.node}",
    }  # fmt: skip
    own |= {"GPU_I_ID": card.mig, "GPU_I_PROFILE": "3g.40gb"} if card.mig else {}
    holder = (
        {"exported_namespace": card.namespace, "exported_pod": card.replica}
        if card.replica and not copy
        else {}
    )
    if card.shared:
        yield own
        yield {**own, "exported_namespace": "research", "exported_pod": "notebook-9"}
    yield {**own, **holder}


def _engine_series(replica: Replica) -> Iterator[tuple[dict[str, str], list[Value]]]:
    own = {"job": replica.pool, "namespace": "llm", "pod": replica.name, "instance": f"{replica.name}:8000"}
    engine = {**own, "engine": "0", "model_name": replica.pool}
    yield {"__name__": "up", **own}, list(replica.up)
    answered = [bool(up) for up in replica.up]
    running: list[Value] = [
        float(3 * busy) if up else None for busy, up in zip(replica.traffic, answered, strict=True)
    ]
    yield {"__name__": "vllm:num_requests_running", **engine}, running
    yield {"__name__": "vllm:num_requests_waiting", **engine}, [0.0 if up else None for up in answered]
    for name, pace in (("vllm:generation_tokens_total", 4000.0), ("vllm:prompt_tokens_total", 9000.0)):
        yield {"__name__": name, **engine}, list(_counter(replica, answered, pace))


def _counter(replica: Replica, answered: list[bool], pace: float) -> Iterator[Value]:
    """From 0 again whenever the engine is started anew."""
    total = 0.0
    for up, busy in zip(answered, replica.traffic, strict=True):
        total = total + pace * busy if up else 0.0
        yield total if up else None
