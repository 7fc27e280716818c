"""Cards that work and stand still by a known plan, minute by minute: the truth that the idle report is measured by.

Cheap on purpose: no queue is simulated and no batch. Each card has a course of true states, and shows what an exporter
and an engine show of such a state, with everything that goes wrong with telemetry. Pure: the same seed gives the same
samples.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from sre.simulate.appearance import Shown, of_card, of_engine
from sre.simulate.cast import BUSY, EMPTY, FREE, LEFT_OUT, LOADED, UNDERUSED, UNKNOWN, Card, Replica
from sre.simulate.courses import DAY, HOUR, Course, drawn, nightly, office, rare

MINUTE = 60

OTHERS = "others"
POOLS = ("chat", "agents", "search", "extract", "slices", OTHERS)
"""Pools of the fleet, and what belongs to none."""


@dataclass(frozen=True)
class Stage:
    """Everything of one period. ``fleet`` is the fleet file that fits; minutes are counted from ``start``."""

    fleet: Mapping[str, object]
    start: int
    minutes: int
    cards: tuple[Card, ...]
    series: Callable[[], Iterator[Shown]]


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
            self._engine("chat", number, 2, office)
        for number in range(2):
            self._engine("agents", number, 2, rare if number else office, profiled=False)
        for number in range(3):
            self._engine("search", number, 1, rare, model="NVIDIA L40S", copies=2 if number == 1 else 1)
        for number in range(2):
            self._engine("extract", number, 1, nightly, model="NVIDIA L40S", shared=number == 1)
        for number in range(2):
            self._slice(number)
        self._keep()
        if OTHERS in self._pools:
            self._others()
        self._troubles()
        return Stage(fleet(), self._start, self._minutes, tuple(self._cards), self._series)

    # --- who does what ----------------------------------------------------------------------------------------

    def _engine(
        self, pool: str, number: int, cards: int, course: Course, *, model: str = "NVIDIA H100 80GB HBM3",
        profiled: bool = True, copies: int = 1, shared: bool = False,
    ) -> None:  # fmt: skip
        replica = Replica(pool, f"{pool}-{number}")
        states = self._course(course, f"{pool}/{number}")
        replica.up = [1.0] * self._minutes
        replica.traffic = [state in (BUSY, UNDERUSED) for state in states]
        self._replicas.append(replica)
        if shared:
            both = zip(states, self._course(office, f"{pool}/{number}/other"), strict=True)
            states = [max(pair, key=(LOADED, UNDERUSED, BUSY).index) for pair in both]
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
        states = self._course(office, f"slices/{number}")
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
        training = [BUSY if state == BUSY else EMPTY for state in self._course(nightly, "training")]
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

    def _course(self, course: Course, name: str) -> list[str]:
        random = drawn(self._seed, name)
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
            base, random = index * day, drawn(self._seed, "trouble", index)
            self._silent_exporter(base + random.randrange(day - 200), 3)
            self._restart(
                self._replicas[index % len(self._replicas)],
                base + random.randrange(200, day - 400),
                renamed=index % 2 == 1,
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

    def _restart(self, replica: Replica, at: int, *, renamed: bool) -> None:
        """It loads its model for five minutes, and is young for ten more; another pod is young from the beginning."""
        if renamed:
            replica.rollouts.append(at)
        for minute in range(at, min(at + 15, self._minutes)):
            if minute < at + 5:
                replica.up[minute] = 0.0
            replica.traffic[minute] = False
            for card in self._of(replica, minute):
                card.shown[minute] = LOADED
                card.truth[minute] = LOADED if minute < at + 5 and not renamed else LEFT_OUT

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

    def _series(self) -> Iterator[Shown]:
        for replica in self._replicas:
            yield from of_engine(replica)
        holders = {replica.name: replica for replica in self._replicas}
        for card in self._cards:
            yield from of_card(card, holders.get(card.replica), self._seed)
