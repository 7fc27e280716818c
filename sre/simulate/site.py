"""Where simulated things stand: the target labels that Prometheus puts on them, and how a series is written."""

from collections.abc import Mapping
from dataclasses import dataclass

from sre.simulate.samples import Samples
from sre.simulate.story import Place

Named = tuple[str, Samples]
"""A series as PromQL writes it, and its samples."""


@dataclass(frozen=True)
class Site:
    """How one fleet names its places. ``honor_labels`` is the GPU exporter's scrape job's."""

    pool: str
    model: str
    pool_label: str = "job"
    identity: str = "kubernetes"
    honor_labels: bool = False
    usage_job: str = ""
    team: str = "search"

    def replica(self, number: int) -> dict[str, str]:
        """Target labels of a replica."""
        target = {"job": "vllm", self.pool_label: self.pool}
        if self.identity == "host":
            return {**target, "instance": f"{self.node(number)}:8000"}
        return {**target, "instance": f"10.0.0.{number}:8000", "namespace": "llm", "pod": self.pod(number)}

    def pod(self, number: int) -> str:
        """A replica's pod; its name must not depend on how a fleet spells its pools."""
        return f"replica-{number}"

    def node(self, number: int) -> str:
        """The host of a replica and its cards."""
        return f"node-{number}"

    def card(self, place: Place) -> str:
        """A card's identity."""
        return uuid(place)

    def exporter(self, number: int) -> dict[str, str]:
        """Target labels of the GPU exporter on a replica's node."""
        if self.identity == "host":
            return {"job": "dcgm", "instance": f"{self.node(number)}:9400"}
        own = {"namespace": "gpu-operator", "pod": f"dcgm-{number}"}
        return {"job": "dcgm", "instance": f"10.0.1.{number}:9400", **({} if self.honor_labels else own)}

    def holder(self, number: int) -> dict[str, str]:
        """How a card's series say which pod holds the card."""
        if self.identity == "host":
            return {}
        prefix = "" if self.honor_labels else "exported_"
        return {f"{prefix}namespace": "llm", f"{prefix}pod": self.pod(number)}


def uuid(place: Place) -> str:
    """A card's identity."""
    return f"GPU-{place.replica}{place.card}"


def series(name: str, labels: Mapping[str, str]) -> str:
    """A series as PromQL writes it; label values may be anything."""
    inside = ",".join(f'{key}="{_escaped(value)}"' for key, value in sorted(labels.items()))
    return f"{name}{{{inside}}}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
