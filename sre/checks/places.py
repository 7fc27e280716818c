"""Which card is whose, joined as the rules join it: over the pod, the host, or the labels in ``gpus.match``."""

from collections import defaultdict
from collections.abc import Mapping
from functools import cached_property

from sre.catalogue.model import Catalogue
from sre.checks.live import host
from sre.checks.observation import Card, CardId, Observation
from sre.compile.identity import Identity
from sre.fleet import Fleet, Pool

Place = tuple[str, ...]


class Places:
    """Cards and replicas of one observation, laid side by side."""

    def __init__(self, fleet: Fleet, catalogue: Catalogue, observation: Observation) -> None:
        self._fleet, self._catalogue, self._observed = fleet, catalogue, observation
        self.identity = Identity.of(fleet)
        self._honor = bool(fleet.gpu_exporter and fleet.gpu_exporter.honor_labels)

    @cached_property
    def pools_at(self) -> dict[Place, frozenset[str]]:
        """The pools whose replicas stand at a place."""
        found = defaultdict[Place, set[str]](set)
        for pool, targets in (self._observed.targets or {}).items():
            for place in targets.places:
                if all(place):
                    found[place].add(pool)
        return {place: frozenset(pools) for place, pools in found.items()}

    @cached_property
    def ambiguous_places(self) -> tuple[Place, ...]:
        """Pods or hosts that serve more than one pool: whose card is there cannot be said."""
        return tuple(sorted(place for place, pools in self.pools_at.items() if len(pools) > 1))

    @cached_property
    def claims(self) -> dict[CardId, frozenset[str]]:
        """Card -> the pools that it joins."""
        return {card.id: frozenset(self._claims(card)) for card in self._observed.cards}

    @cached_property
    def _owned(self) -> dict[str, frozenset[CardId]]:
        found = defaultdict[str, set[CardId]](set)
        for card, pools in self.claims.items():
            if len(pools) == 1:
                found[min(pools)].add(card)
        return {pool: frozenset(cards) for pool, cards in found.items()}

    def cards_of(self, pool: Pool) -> frozenset[CardId]:
        """The cards that are this pool's and no other's."""
        return self._owned.get(pool.name, frozenset())

    def card_place(self, labels: Mapping[str, str], *, honor: bool | None = None) -> Place:
        """Where a card's series says it is; with ``honor`` as if the scrape job had that ``honor_labels``."""
        if self.identity.kind == "host":
            return (host(labels.get("instance", "")),)
        prefix = "" if (self._honor if honor is None else honor) else "exported_"
        return labels.get(f"{prefix}namespace", ""), labels.get(f"{prefix}pod", "")

    def joins(self, *, honor: bool) -> int:
        """How many cards would join a pool under that ``honor_labels``."""
        places = (
            {self.card_place(labels, honor=honor) for labels in card.labels} for card in self._observed.cards
        )
        return sum(bool(found & self.pools_at.keys()) for found in places)

    def advice(self, pool: Pool) -> str:
        """What may make a pool's cards join."""
        if self.identity.kind == "kubernetes":
            if self.joins(honor=not self._honor) > self.joins(honor=self._honor):
                return f"write `gpu_exporter.honor_labels: {'false' if self._honor else 'true'}`: then cards do join"
            return (
                "let the exporter map cards to pods (DCGM_EXPORTER_KUBERNETES=true), or name the cards with "
                "`gpus.match`; without Kubernetes write `identity: host`"
            )
        return "let both be scraped under the host's one name, or name the cards with `gpus.match`"

    def _claims(self, card: Card) -> set[str]:
        places = {self.card_place(labels) for labels in card.labels}
        joined = {
            pool
            for place in places & self.pools_at.keys()
            if place not in self.ambiguous_places
            for pool in self.pools_at[place]
        }
        return joined | {pool.name for pool in self._fleet.pools if self._matched(pool, card)}

    @staticmethod
    def _matched(pool: Pool, card: Card) -> bool:
        wanted = pool.gpus.match if pool.gpus else {}
        return bool(wanted) and any(wanted.items() <= labels.items() for labels in card.labels)
