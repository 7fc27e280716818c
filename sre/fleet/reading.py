"""What could be made of a fleet file, and how much of it can be relied on."""

from dataclasses import dataclass
from typing import Any

from sre.findings import Finding
from sre.fleet.models import Fleet
from sre.fleet.pool import Pool
from sre.source import Loc

_BASE = ("name", "engine")
"""What everything else that is said of a pool rests on."""


@dataclass(frozen=True)
class Reading:
    """A fleet as far as it could be read, and what is to be said about it.

    ``doubtful`` are the places that an error is about: stand-ins are there, or values that cannot hold.
    """

    fleet: Fleet | None
    findings: tuple[Finding, ...]
    doubtful: frozenset[Loc]

    def doubts(self, loc: Loc) -> bool:
        """Whether an error is about what stands at ``loc``, or about what that rests on."""
        return self._names(loc) or (loc[:1] == ("pools",) and self._is_broken(loc[:2]))

    def sound(self) -> Fleet | None:
        """The fleet without what is in doubt, every place where it was; None where too little is left.

        It can be compiled, so that what only compiling shows is told together with the rest.
        """
        if not self.doubtful:
            return self.fleet
        if not self.fleet or ("pools",) in self.doubtful:
            return None
        places: list[Loc] = [("pools", index) for index in range(len(self.fleet.pools))]
        broken = [self._is_broken(place) for place in places]
        if all(broken):
            return None
        whole = self.fleet.pools[broken.index(False)]
        pools = zip(places, self.fleet.pools, broken, strict=True)
        kept = tuple(_double(whole, place) if bad else pool for place, pool, bad in pools)
        return self.fleet.model_copy(update={**self._defaults(), "pools": kept})

    def _names(self, loc: Loc) -> bool:
        return any(loc[: len(place)] == place for place in self.doubtful)

    def _is_broken(self, pool: Loc) -> bool:
        return self._names(pool) or any(place[:2] == pool and place[2] in _BASE for place in self.doubtful)

    def _defaults(self) -> dict[str, Any]:
        """Defaults of the keys in doubt beside the pools; those without one have a stand-in already."""
        names = {str(place[0]) for place in self.doubtful} & Fleet.model_fields.keys()
        fields = {name: Fleet.model_fields[name] for name in names - {"pools"}}
        return {
            name: field.get_default(call_default_factory=True)
            for name, field in fields.items()
            if not field.is_required()
        }


def _double(pool: Pool, place: Loc) -> Pool:
    """Stands where a broken pool stood, and brings nothing of its own."""
    return pool.model_copy(update={"name": f"-{place[0]}-{place[1]}-"})
