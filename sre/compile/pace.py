"""How often what is recorded is evaluated: as often as the fleet file says, or less where nothing waits for it."""

from sre.catalogue.model import Record

# Over ten thousand cards and their replicas evaluation is what a Prometheus does most of all. Every alert still fires
# within its promise: a test adds up what each one waits for.
SELDOM = 120
"""Seconds: the dearest rules, over a day or over every card, well inside the five minutes that a sample lives."""

MINUTE = 60
"""Seconds between two samples of a card's state, which are counted as minutes: in every fleet."""

_GROUPS = {"gpu": 60, "latency": 60}
"""Seconds, of whole groups."""


def group_pace(group: str, interval: int) -> int:
    """Seconds between two evaluations of a group, in a fleet that evaluates every ``interval`` seconds."""
    return MINUTE if group == "state" else max(interval, _GROUPS.get(group, 0))


def pace(record: Record, interval: int) -> int:
    """Seconds between two samples of a recorded series."""
    return max(interval, SELDOM) if record.seldom else group_pace(record.group, interval)
