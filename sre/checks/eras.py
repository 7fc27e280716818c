"""Which releases can be running, read off the names that are there: most exporters do not say their version."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sre.catalogue.bindings import Binding, Mark, MetricSource
from sre.fleet.values import release

Release = tuple[int, int, int]


@dataclass(frozen=True)
class Era:
    """From ``low`` on, before ``high`` (None: no end is known). ``mixed``: names of two eras are there at once."""

    kind: str
    low: str
    high: str | None
    mixed: bool = False

    def __str__(self) -> str:
        if self.mixed:
            return f"{self.kind} before {self.high} beside {self.low} or later"
        return f"{self.kind} {self.low} or later" + (f", before {self.high}" if self.high else "")

    def has(self, version: str) -> bool:
        """Whether this release can be the one that runs."""
        return self.mixed or (
            at(self.low) <= at(version) and (self.high is None or at(version) < at(self.high))
        )


def at(version: str) -> Release:
    """A release for comparison; (0, 0, 0) where the text is none."""
    return release(version) or (0, 0, 0)


def era_of(binding: Binding, names: Collection[str], labels: Collection[str] = ()) -> Era:
    """``names`` of the binding's metrics that are there, ``labels`` that its series carry.

    What is there dates from below and, where it was removed later, from above. What is missing is weaker evidence, for
    relabelling may drop it: it only ends a range that it does not contradict.
    """
    there = [m for m in _dated(binding) if _sample(m, names) or m_label(m) in labels]
    missing = [m for m in _dated(binding) if m not in there and _default_on(m)]
    low = max((m.since for m in there), key=at, default="0")
    low = max(low, binding.versions.oldest, key=at)
    ends = [m.until for m in there if m.until]
    if any(at(end) <= at(low) for end in ends):
        return Era(binding.kind, low, min(ends, key=at), mixed=True)
    ends += [m.since for m in missing if at(m.since) > at(low)]
    return Era(binding.kind, low, min(ends, key=at, default=None))


def _dated(binding: Binding) -> Iterator[MetricSource | Mark]:
    yield from binding.marks
    for signal in binding.signals.values():
        # The counters of a GPU exporter come from a list that its user may change: they date nothing.
        yield from (source for source in signal if not source.csv and not source.image)


def _sample(one: MetricSource | Mark, names: Collection[str]) -> bool:
    return bool(one.metric) and any(one.metric + ending in names for ending in ("", "_bucket"))


def m_label(one: MetricSource | Mark) -> str | None:
    """The label that a mark is, where it is one."""
    return (one.label or None) if isinstance(one, Mark) else None


def _default_on(one: MetricSource | Mark) -> bool:
    return at(one.since) > (0, 0, 0) and not (isinstance(one, Mark) and one.list)
