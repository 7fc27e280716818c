"""Which type of the fleet file a card is of: by its pool, else by what the cards of its model were."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from sre.fleet import Fleet
from sre.idle.observed import Held


class Types:
    """Types by seat; the empty text where nothing tells."""

    def __init__(self, fleet: Fleet, held: Iterable[Held]) -> None:
        self._by_pool = {pool.name: pool.gpus.type for pool in fleet.pools if pool.gpus}
        self._known = sorted({*self._by_pool.values(), *fleet.capacity})
        votes = defaultdict[str, Counter[str]](Counter)
        for one in held:
            if kind := self._by_pool.get(one.seat.pool):
                votes[one.labels.get("gpu_model", "")][kind] += 1
        self._by_model = {model: count.most_common(1)[0][0] for model, count in votes.items() if model}

    def of(self, held: Held) -> str:
        """The card's type."""
        seat, model = held.seat, held.labels.get("gpu_model", "")
        if seat.pool:
            return self._by_pool.get(seat.pool, "")
        if not seat.uuid:
            return seat.replica
        return self._by_model.get(model) or self._alike(model)

    def _alike(self, model: str) -> str:
        """By the words of its name: "NVIDIA L40S" is of the type "l40s-48gb". One type alone is everybody's."""
        if len(self._known) == 1:
            return self._known[0]
        words = set(re.findall(r"[a-z0-9]+", model.lower()))
        scores = {kind: len(words & set(re.findall(r"[a-z0-9]+", kind.lower()))) for kind in self._known}
        best = max(scores.values(), default=0)
        chosen = [kind for kind, score in scores.items() if score == best]
        return chosen[0] if best and len(chosen) == 1 else ""
