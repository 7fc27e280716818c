"""Which labels tell replicas, and their cards, apart: pods on Kubernetes, hosts on bare metal."""

from dataclasses import dataclass
from typing import Self

from sre.fleet import Fleet

# The instance without its port; the address may be IPv6 in brackets.
HOST_OF_INSTANCE = "(.+?)(?::[0-9]+)?"


@dataclass(frozen=True)
class Identity:
    """Label lists of one fleet.

    ``replica`` tells replicas apart, ``place`` is what an engine's series share with its card's, ``joined`` is
    what a card takes over from the replica at its place, ``owner`` is what it carries then, ``replica_label``
    is the replica's name.
    A label called `replica` is avoided: Thanos and Prometheus pairs use it for themselves and drop it.
    """

    kind: str
    replica: tuple[str, ...]
    place: tuple[str, ...]
    joined: tuple[str, ...]
    owner: tuple[str, ...]
    replica_label: str

    @classmethod
    def of(cls, fleet: Fleet) -> Self:
        if fleet.identity == "kubernetes":
            return cls(
                "kubernetes",
                ("pool", "namespace", "pod"),
                ("namespace", "pod"),
                ("pool",),
                ("pool", "namespace", "pod"),
                "pod",
            )
        return cls(
            "host",
            ("pool", "host", "instance"),
            ("host",),
            ("pool", "instance"),
            ("pool", "instance"),
            "instance",
        )

    @property
    def card(self) -> tuple[str, ...]:
        """What `gpu:card:info` lays beside a card's own uuid and mig."""
        return ("gpu", "gpu_model", "host", "team", *self.owner)
