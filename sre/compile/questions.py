"""What promtool is to ask of a simulated pool, and the right answers."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sre.compile.expected import Fired
from sre.simulate.site import series
from sre.units import format_duration


@dataclass
class Questions:
    """The questions of one test; times are indices of scrapes."""

    interval: int
    alerts: list[dict[str, object]] = field(default_factory=list)
    exprs: list[dict[str, object]] = field(default_factory=list)

    def firing(self, name: str, index: int, fired: list[Fired]) -> None:
        """These alerts fire and no others of that name; where numbers are in motion only that they fire."""
        if all(one.annotations is not None for one in fired):
            expected = [{"exp_labels": one.labels, "exp_annotations": one.annotations} for one in fired]
            self.alerts.append({"eval_time": self._time(index), "alertname": name, "exp_alerts": expected})
            return
        for one in fired:
            self.holds(
                f"max({series('ALERTS', {'alertname': name, 'alertstate': 'firing', **one.labels})})",
                index,
                1,
            )

    def silence(self, allowed: Iterable[str], first: int, last: int) -> None:
        """No other alert fires from one scrape to another."""
        names = "|".join(("Watchdog", *allowed))
        window = format_duration((last - first) * self.interval or self.interval)
        firing = f'ALERTS{{alertstate="firing",alertname!~"{names}"}}[{window}]'
        expr = f"group by (alertname) (max_over_time({firing}))"
        self.exprs.append({"expr": expr, "eval_time": self._time(last)})

    def silent(self, names: tuple[str, ...], index: int) -> None:
        """These alerts have resolved."""
        self.alerts += [
            {"eval_time": self._time(index), "alertname": name, "exp_alerts": []} for name in names
        ]

    def holds(self, expr: str, index: int, value: float | None) -> None:
        """An expression without labels has this value."""
        self.exprs.append(
            {"expr": expr, "eval_time": self._time(index), "exp_samples": [{"labels": "{}", "value": value}]}
        )

    def _time(self, index: int) -> str:
        return format_duration(index * self.interval)
