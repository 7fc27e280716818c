"""What the on-call got: every notification that Alertmanager delivered after routing, grouping and inhibition."""

import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote

Labels = Mapping[str, str]


class Delivery(NamedTuple):
    """One notification: its receiver, and the labels and annotations of the alerts in it that fire."""

    receiver: str
    alerts: tuple[dict[str, str], ...]
    annotations: tuple[dict[str, str], ...] = ()

    def tells(self, labels: Labels) -> bool:
        """Whether an alert with these labels is in it."""
        return any(labels.items() <= alert.items() for alert in self.alerts)


@dataclass
class Deliveries:
    """Collects what is posted to the webhook; safe to be filled by several threads."""

    _taken: list[Delivery] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, path: str, body: bytes) -> None:
        """A notification in Alertmanager's JSON, posted to the path of its receiver."""
        told = json.loads(body)["alerts"]
        firing = [alert for alert in told if alert["status"] == "firing"]
        if firing:
            alerts = tuple(alert["labels"] for alert in firing)
            texts = tuple(alert.get("annotations", {}) for alert in firing)
            with self._lock:
                self._taken.append(Delivery(unquote(path.strip("/")), alerts, texts))

    @property
    def all(self) -> tuple[Delivery, ...]:
        """In the order in which they came."""
        with self._lock:
            return tuple(self._taken)


def pages(deliveries: Iterable[Delivery], labels: Labels) -> tuple[str, ...]:
    """The alerts with these labels for which somebody was paged, one entry for each page."""
    wanted = {**labels, "severity": "page"}
    return tuple(
        next(a["alertname"] for a in delivery.alerts if wanted.items() <= a.items())
        for delivery in deliveries
        if delivery.tells(wanted)
    )
