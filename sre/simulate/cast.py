"""Cards and engines whose true state is known in every minute."""

from collections.abc import Iterator
from dataclasses import dataclass, field

BUSY, UNDERUSED, LOADED, EMPTY, FREE, UNKNOWN, LEFT_OUT = (
    "busy", "underused", "loaded_idle", "empty_idle", "unallocated", "unknown", "excluded",
)  # fmt: skip

Value = float | None
"""A sample; None where the series is not there."""


@dataclass
class Card:
    """One card or slice: its labels under the exporter, who holds it, and its true state in each minute."""

    uuid: str
    replica: str = ""
    namespace: str = "llm"
    mig: str = ""
    model: str = "NVIDIA H100 80GB HBM3"
    node: int = 0
    profiled: bool = True
    measured: bool = True
    """Whether anything tells its activity: a slice without profiling counters has nothing."""
    copies: int = 1
    """Exporters that show it; the second knows no pods."""
    shared: bool = False
    """Time-slicing: shown once without a pod, and once for each of two, both of which work."""
    truth: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    """What it does, which the truth is as long as anybody can tell."""

    @property
    def kind(self) -> str:
        """What makes it hard to tell."""
        if self.mig:
            return "MIG slice" if self.measured else "MIG slice without profiling counters"
        if self.shared:
            return "time-slicing, two pods at work"
        if self.copies > 1:
            return "two exporters"
        return "profiling counters" if self.profiled else "GPU_UTIL alone"


@dataclass
class Replica:
    """An engine: up, answering, not there; and whether it has requests."""

    pool: str
    name: str
    up: list[Value] = field(default_factory=list)
    traffic: list[bool] = field(default_factory=list)
    rollouts: list[int] = field(default_factory=list)
    """Minutes from which on it is another pod, under another name."""

    def pods(self) -> Iterator[tuple[str, range]]:
        """Their names, and when they were there."""
        starts, ends = [0, *self.rollouts], [*self.rollouts, len(self.up)]
        for number, (first, end) in enumerate(zip(starts, ends, strict=True)):
            yield f"{self.name}-{number}" if number else self.name, range(first, end)
