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
    ward: int = 0
    """Pools that stand side by side have one each: it keeps their pods, hosts and cards apart."""

    def replica(self, number: int) -> dict[str, str]:
        """Target labels of a replica."""
        target = {"job": "vllm", self.pool_label: self.pool}
        if self.identity == "host":
            return {**target, "instance": f"{self.host(number)}:8000"}
        where = {"namespace": "llm", "pod": self.pod(number)}
        return {**target, "instance": f"10.{self.ward}.0.{number}:8000", **where}

    def pod(self, number: int) -> str:
        """A replica's pod; its name must not depend on how a fleet spells its pools."""
        return f"replica-{self._beside}{number}"

    def host(self, number: int) -> str:
        """A replica's node."""
        return f"node-{self._beside}{number}"

    def uuid(self, place: Place) -> str:
        """A card's identity."""
        return f"GPU-{self._beside}{place.replica}{place.card}"

    @property
    def _beside(self) -> str:
        return f"{self.ward}-" if self.ward else ""

    def exporter(self, number: int) -> dict[str, str]:
        """Target labels of the GPU exporter on a replica's node."""
        if self.identity == "host":
            return {"job": "dcgm", "instance": f"{self.host(number)}:9400"}
        own, instance = (
            {"namespace": "gpu-operator", "pod": f"dcgm-{self._beside}{number}"},
            f"10.{self.ward}.1.{number}:9400",
        )
        return {"job": "dcgm", "instance": instance, **({} if self.honor_labels else own)}

    def card(self, place: Place) -> dict[str, str]:
        """What else a card's series say of where it sits; no rule reads it, and proofs are shorter without."""
        return {}

    def gateway(self, number: int) -> dict[str, str]:
        """Target labels of a replica's instance of the gateway's exporter."""
        return {"job": self.usage_job, "instance": f"10.{self.ward}.2.{number}:9109"}

    def holder(self, number: int) -> dict[str, str]:
        """How a card's series say which pod holds the card."""
        if self.identity == "host":
            return {}
        prefix = "" if self.honor_labels else "exported_"
        return {f"{prefix}namespace": "llm", f"{prefix}pod": self.pod(number)}


def series(name: str, labels: Mapping[str, str]) -> str:
    """A series as PromQL writes it; label values may be anything."""
    inside = ",".join(f'{key}="{_escaped(value)}"' for key, value in sorted(labels.items()))
    return f"{name}{{{inside}}}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
