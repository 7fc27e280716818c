"""What somebody sees who looks at one pool of a running lab: its queue, its cards, and its alerts."""

from dataclasses import dataclass

from sre.prometheus import Server
from sre.promql import quote

QUEUE = "pool:queue_depth:sum"
_RUNNING, _UTILIZATION = "pool:running:sum", "pool:gpu_utilization:avg5m"
_NUMBERS = f"{QUEUE}|{_RUNNING}|{_UTILIZATION}"


@dataclass(frozen=True)
class Sight:
    """One look, ``minute`` minutes after the fault struck; a number is None while nothing is recorded."""

    minute: float
    queue: float | None = None
    running: float | None = None
    utilization: float | None = None
    pending: tuple[str, ...] = ()
    firing: tuple[str, ...] = ()


def look(server: Server, pool: str, minute: float) -> Sight:
    """Ask Prometheus; raises ``Unreachable``."""
    own = quote(pool)
    found = server.query(f'{{__name__=~"{_NUMBERS}",pool={own}}}')
    numbers = {sample.labels["__name__"]: sample.value for sample in found}
    alerts = server.query(f"ALERTS{{pool={own}}}")
    states: dict[str, list[str]] = {"pending": [], "firing": []}
    for sample in alerts:
        states[sample.labels["alertstate"]].append(sample.labels["alertname"])
    pending, firing = (tuple(sorted(set(names))) for names in states.values())
    return Sight(
        minute, numbers.get(QUEUE), numbers.get(_RUNNING), numbers.get(_UTILIZATION), pending, firing
    )
