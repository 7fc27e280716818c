"""The exporter's own health, as far as logs and the state file tell it."""

from collections.abc import Iterable
from dataclasses import dataclass

from sre.usage import families
from sre.usage.families import Family
from sre.usage.labels import labels
from sre.usage.tail import Condition


@dataclass(frozen=True)
class Vitals:
    """One log: ``lag`` in seconds, 0 where all of it was read."""

    route: str
    lag: float
    condition: Condition


def expose(logs: Iterable[Vitals], checkpoint_age: float, *, saved: bool) -> bytes:
    """Lines for the end of the page; ``checkpoint_age`` in seconds, ``saved``: the last save went well."""
    logs = list(logs)
    text = "".join(
        (
            _per_route(families.LAG, {one.route: f"{one.lag:.3f}" for one in logs}),
            _per_route(families.BACKLOG, {one.route: str(one.condition.backlog) for one in logs}),
            _per_route(families.LOST, {one.route: str(one.condition.lost) for one in logs}),
            _per_route(families.READABLE, {one.route: str(int(not one.condition.problem)) for one in logs}),
            f"{families.CHECKPOINT_AGE.head}{families.CHECKPOINT_AGE.name} {checkpoint_age:.3f}\n",
            f"{families.SAVED.head}{families.SAVED.name} {int(saved)}\n",
        )
    )
    return text.encode()


def _per_route(family: Family, values: dict[str, str]) -> str:
    lines = (f"{family.name}{labels(route=route)} {value}\n" for route, value in values.items())
    return family.head + "".join(lines) if values else ""
