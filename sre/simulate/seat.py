"""A replica and its cards in one place, from moment to moment: what they answer when they are scraped."""

from collections.abc import Mapping

from sre.simulate.card import Card
from sre.simulate.course import Courses, current
from sre.simulate.queueing import QueueingReplica
from sre.simulate.replica import Key
from sre.simulate.scrape import Values
from sre.simulate.story import Place

Engine = tuple[Values, Mapping[str, float], frozenset[str]]
"""Values of a replica's signals, and the inputs and hidden signals that they belong to."""
Cards = list[tuple[Mapping[Key, float], Mapping[str, float]]]
"""Values and inputs, card by card."""


class Seat:
    """One replica of a pool with its cards. ``engine`` and ``cards`` are None while nobody answers."""

    def __init__(self, number: int, replica: QueueingReplica, courses: Courses, cards: int) -> None:
        self.number, self.replica = number, replica
        self._course = courses[Place(number)]
        self._cards = [(Card(), courses[Place(number, card)]) for card in range(cards)]
        self.engine: Engine | None = None
        self.cards: Cards | None = None
        self.gone = False

    def follow(self, courses: Courses) -> None:
        """Let something else come to pass from now on; what has been is not undone."""
        self._course = courses[Place(self.number)]
        self._cards = [(card, courses[Place(self.number, n)]) for n, (card, _) in enumerate(self._cards)]

    def step(self, seconds: float) -> None:
        """Let time pass, under what its course says of the time from now on."""
        replica, now = self.replica, self.replica.now
        moment = current(self._course, now)
        replica.step(moment.inputs, seconds)
        self.gone = bool(moment.inputs["gone"])
        self.engine = (replica.values, moment.inputs, moment.hidden) if replica.seen else None
        found, silent = Cards(), False
        for card, course in self._cards:
            own = current(course, now)
            card.step(own.inputs, own.hidden, replica.work, seconds)
            found.append((card.values, own.inputs))
            silent = silent or bool(own.inputs["exporter_down"])
        self.cards = None if silent else found
