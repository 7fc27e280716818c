"""Where simulated pools stand: addresses, pods and hosts that differ in all of a fleet."""

from dataclasses import dataclass

from sre.simulate.site import Site
from sre.simulate.story import Place


@dataclass(frozen=True)
class Plot(Site):
    """The site of one pool among others; ``first`` is the number of its first replica in the fleet."""

    first: int = 0
    engine: str = "engine"

    def replica(self, number: int) -> dict[str, str]:
        """Target labels of a replica, as a scrape configuration gives them."""
        target = {"job": self.engine, self.pool_label: self.pool}
        if self.identity == "host":
            return {**target, "instance": f"{self.host(number)}:8000"}
        return {**target, "instance": f"{self._address(0, number)}:8000", **self._pod(number)}

    def exporter(self, number: int) -> dict[str, str]:
        """Target labels of the GPU exporter beside a replica."""
        if self.identity == "host":
            return super().exporter(number)
        own = {"namespace": "gpu-operator", "pod": f"dcgm-{self.first + number}"}
        return {"job": "dcgm", "instance": f"{self._address(128, number)}:9400", **own}

    def pod(self, number: int) -> str:
        """A replica's pod."""
        return f"{self.pool}-{number}"

    def host(self, number: int) -> str:
        """A replica's host."""
        return f"node-{self.first + number}"

    def uuid(self, place: Place) -> str:
        """A card's identity, as a driver writes it."""
        return f"GPU-{self.first + place.replica:08x}-0000-4000-8000-{place.card or 0:012x}"

    def _pod(self, number: int) -> dict[str, str]:
        return {"namespace": "llm", "pod": self.pod(number)}

    def _address(self, network: int, number: int) -> str:
        high, low = divmod(self.first + number, 256)
        return f"10.{network + high // 256}.{high % 256}.{low}"


@dataclass(frozen=True)
class Inside(Plot):
    """The same as the targets see it: what Prometheus puts on their series is not on their pages.

    ``card_labels`` are those that the exporter's list of counters gives to every card.
    """

    card_labels: tuple[tuple[str, str], ...] = ()

    def replica(self, number: int) -> dict[str, str]:
        """A replica's page has no target labels."""
        return {}

    def exporter(self, number: int) -> dict[str, str]:
        """Nor has an exporter's."""
        return {}

    def card(self, place: Place) -> dict[str, str]:
        """Where a card sits in its host."""
        number = place.card or 0
        seat = {"device": f"nvidia{number}", "pci_bus_id": f"00000000:{0x1A + number:02X}:00.0"}
        return {**seat, **dict(self.card_labels)}

    def holder(self, number: int) -> dict[str, str]:
        """How a card's series say which pod holds the card."""
        return {} if self.identity == "host" else {**self._pod(number), "container": "engine"}
