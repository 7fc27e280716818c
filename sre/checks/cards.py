"""What the GPU exporter shows beside what the fleet file says: cards, their pools, the exporter's era and list."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sre.catalogue.model import Catalogue
from sre.checks.eras import at
from sre.checks.observation import Card, Observation
from sre.checks.sight import Seeing
from sre.compile.counted import count
from sre.findings import Finding
from sre.fleet import Fleet, GpuExporter
from sre.source import show


@dataclass(frozen=True)
class Cards:
    """The checks of all cards; findings name a path into the fleet file."""

    fleet: Fleet
    catalogue: Catalogue
    observation: Observation
    seeing: Seeing

    def findings(self) -> Iterator[Finding]:
        exporter = self.fleet.gpu_exporter
        if exporter is None or not self.observation.cards:
            return
        yield from self._release(exporter)
        yield from self._list(exporter)
        if self.observation.live:
            yield from self._ambiguous()
            yield from self._unowned()
            yield from self._count()

    def _release(self, exporter: GpuExporter) -> Iterator[Finding]:
        era = self.seeing.exporter_era
        if era and not era.has(exporter.version):
            yield Finding(
                "gpu_exporter/version",
                f"{exporter.kind} {exporter.version} is declared, but the labels are those of {era}",
                "the release decides which counters are on by default",
                "write the release that runs",
                "warning",
            )

    def _list(self, exporter: GpuExporter) -> Iterator[Finding]:
        """A mark of one list that is missing, or there although another list is declared."""
        for mark in self.catalogue.gpus[exporter.kind].marks:
            if not (mark.list and mark.metric) or at(exporter.version) < at(mark.since):
                continue
            there = mark.metric in self.observation.exporter_names
            if (exporter.counters == mark.list and not there) or (
                exporter.counters == _other(mark.list) and there
            ):
                yield Finding(
                    "gpu_exporter/counters",
                    f"`counters: {exporter.counters}` is declared, but {mark.metric} is {'' if there else 'not '}there",
                    f"only the list of the {mark.list} has it: another list seems to be in use",
                    f"write `counters: {mark.list if there else _other(mark.list)}`, or the path of the CSV in use",
                    "warning",
                )

    def _ambiguous(self) -> Iterator[Finding]:
        places = self.seeing.places
        if places.ambiguous_places:
            listed = ", ".join(show("/".join(place)) for place in places.ambiguous_places[:5])
            serve = count(len(places.ambiguous_places), "pod or host serves", "pods or hosts serve")
            yield Finding(
                "pools",
                f"{serve} more than one pool: {listed}",
                "whose their cards are cannot be said, so their alerts name no pool",
                "name the cards with `gpus.match`, or run one pool in each",
                "warning",
            )
        several = [card for card in self.observation.cards if len(places.claims[card.id]) > 1]
        if several:
            yield Finding(
                "pools",
                f"{count(len(several), 'card belongs', 'cards belong')} to more than one pool: {_listed(several)}",
                "their alerts name no pool, and reach the platform team",
                "narrow `gpus.match`, or share no card between pools",
                "warning",
            )

    def _unowned(self) -> Iterator[Finding]:
        free = [card for card in self.observation.cards if not self.seeing.places.claims[card.id]]
        if free:
            cards = count(len(self.observation.cards), "card")
            what = f"{len(free)} of {cards} {'joins' if len(free) == 1 else 'join'} no pool: {_listed(free)}"
            why = "free, or used by something that is not declared: their alerts reach the platform team"
            yield Finding("gpu_exporter", what, why, "nothing, where they are free", "info")

    def _count(self) -> Iterator[Finding]:
        for index, pool in enumerate(self.fleet.pools):
            targets = (self.observation.targets or {}).get(pool.name)
            if pool.gpus is None or not targets:
                continue
            cards = len({uuid for uuid, _ in self.seeing.places.cards_of(pool)})
            wanted = pool.gpus.per_replica * targets.up
            if cards and cards != wanted:
                yield Finding(
                    f"pools/{index}",
                    f"pool {show(pool.name)}: {count(cards, 'card joins', 'cards join')} it, "
                    f"its {count(targets.up, 'replica')} should have {wanted}",
                    "cards that do not join are watched without their pool; idle hours would be wrong",
                    "correct `gpus.per_replica`, or see which exporter is silent",
                    "warning",
                )


def _other(name: str) -> str:
    return "chart" if name == "image" else "image"


def _listed(cards: Iterable[Card]) -> str:
    """By host, for that is where somebody would go and look."""
    hosts = Counter(next((one[k] for k in ("hostname", "Hostname", "instance") if one.get(k)), "?")
                    for one in (card.labels[0] for card in cards))  # fmt: skip
    listed = ", ".join(f"{count} on {show(host)}" for host, count in sorted(hosts.items())[:5])
    return listed + (", ..." if len(hosts) > 5 else "")
