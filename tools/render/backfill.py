"""Three hours of every recorded series of a fleet, with one incident in them, for looking at dashboards.

    python tools/render/backfill.py examples/fleet.yaml out.om
    promtool tsdb create-blocks-from openmetrics out.om data

The values are invented; what a fault really looks like is the simulator's to say.
"""

import argparse
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from incident import GONE, SLOW, XID, Labels, Moment, value

from sre import content, fleet
from sre.catalogue.load import load
from sre.compile.plan import Plan, RecordRule
from sre.compile.planning import make_plan

END = 1795176000
HOURS, STEP = 3, 30

_NUMBER = re.compile(r"vector\(([0-9.]+)\)")
_BOUNDS = ("0.05", "0.1", "0.25", "0.5", "0.75", "1.0", "2.5", "5.0", "+Inf")
_VARIANTS = {
    "pool_le": [{"le": le} for le in _BOUNDS],
    "pool_type": [{"error_type": "server_error"}, {"error_type": "invalid_input"}],
    "pool_status": [{"status": "2xx"}, {"status": "4xx"}, {"status": "5xx"}],
    "pool_reason": [{"reason": "stop"}, {"reason": "length"}, {"reason": "abort"}],
    "pool_signal": [{"signal": "queue_wait"}],
}


@dataclass(frozen=True)
class Series:
    """One series: its labels, whose it is (-1: nobody's), and when it has which value, if not the incident's."""

    name: str
    labels: Labels
    pool: int = -1
    replica: int = -1
    card: int = -1
    fixed: float | None = None
    span: tuple[float, float] = (-1, 2)

    def samples(self) -> Iterator[tuple[int, float]]:
        """Time in seconds, and value."""
        count = HOURS * 3600 // STEP
        for k in range(count + 1):
            x = k / count
            moment = Moment(self.name, self.labels, self.pool, self.replica, self.card, x)
            found = self.fixed if self.fixed is not None else value(moment)
            if found is not None and self.span[0] <= x < self.span[1]:
                yield END - (count - k) * STEP, found

    def text(self) -> Iterator[str]:
        """Lines of OpenMetrics."""
        inner = ",".join(f'{k}="{_escaped(v)}"' for k, v in sorted(self.labels.items()))
        return (f"{self.name}{{{inner}}} {found:.12g} {at}\n" for at, found in self.samples())


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("fleet")
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    plan = make_plan(fleet.load(asked.fleet)[0], load(content.root()))
    with asked.out.open("w") as file:
        known = ""
        for series in sorted(everything(plan), key=lambda s: s.name):
            if series.name != known:
                known = series.name
                file.write(f"# TYPE {known} gauge\n")
            file.writelines(series.text())
        file.write("# EOF\n")


def everything(plan: Plan) -> Iterator[Series]:
    """Each series that a dashboard of this fleet may ask for."""
    cards = list(_cards(plan))
    constant = set[str]()
    for group in plan.groups:
        yield Series("prometheus_rule_group_interval_seconds", {"rule_group": f"rules.yaml;{group.name}"})
        yield Series(
            "prometheus_rule_group_last_duration_seconds", {"rule_group": f"rules.yaml;{group.name}"}
        )
        for rule in group.rules:
            number = _NUMBER.fullmatch(rule.expr)
            if isinstance(rule, RecordRule) and number:
                constant.add(rule.record)
                yield Series(rule.record, rule.labels, fixed=float(number[1]))
    for name in plan.series:
        if name not in constant and not name.startswith("fleet:"):
            yield from (replace(series, name=name) for series in _of_level(plan, name, cards))
    yield from _targets(plan, cards)
    yield from _alerts(plan, cards)


def _of_level(plan: Plan, name: str, cards: list[Series]) -> Iterator[Series]:
    level, first = name.partition(":")[0], [card for card in cards if card.card == 0]
    match level:
        case "gpu_xid":
            yield replace(_ill(cards), labels={**_ill(cards).labels, "xid": "79"})
        case "gpu" if "throttled" in name:
            yield replace(_ill(cards), labels={**_ill(cards).labels, "reason": "hw_thermal"})
        case "gpu":
            yield from cards
        case "host":
            hosts = {card.labels["host"]: card for card in first}
            yield from (replace(card, labels={"host": host}) for host, card in hosts.items())
        case "replica":
            yield from (replace(c, labels=_part(c, plan.identity.replica), card=-1) for c in first)
        case "model":
            for index, pool in enumerate(plan.fleet.pools):
                yield Series(name, {"model": pool.model, "team": pool.owner, "pool": pool.name}, index)
        case _:
            for index, pool in enumerate(plan.fleet.pools):
                yield from (
                    Series(name, {"pool": pool.name, **more}, index) for more in _VARIANTS.get(level, [{}])
                )


def _cards(plan: Plan) -> Iterator[Series]:
    """Cards of all declared replicas, two replicas on a host."""
    for at, pool in enumerate(plan.fleet.pools):
        each = pool.gpus.per_replica if pool.gpus else 1
        for replica in range(pool.replicas_max):
            whose = {
                "pool": pool.name, "namespace": "inference", "pod": f"{pool.name}-{replica}",
                "instance": f"10.0.{at}.{replica}:8000",
            }  # fmt: skip
            owner = {label: whose[label] for label in plan.identity.owner}
            for index in range(each):
                labels = {
                    "uuid": f"GPU-{zlib.crc32(f'{at}{replica}{index}'.encode()):08x}", "team": pool.owner,
                    "gpu_model": "NVIDIA H100 80GB HBM3", "host": f"gpu-{at}{replica // 2}",
                    "gpu": str(replica % 2 * each + index), **owner,
                }  # fmt: skip
                yield Series("", labels, at, replica, index)


def _ill(cards: list[Series]) -> Series:
    return cards[min(5, len(cards) - 1)]


def _part(card: Series, labels: tuple[str, ...]) -> Labels:
    return {label: card.labels[label] for label in labels}


def _targets(plan: Plan, cards: list[Series]) -> Iterator[Series]:
    for card in cards:
        if card.card == 0:
            instance = f"10.0.{card.pool}.{card.replica}:8000"
            labels = {plan.fleet.pool_label: plan.fleet.pools[card.pool].name, "instance": instance}
            yield Series("scrape_duration_seconds", labels, card.pool, card.replica)
            yield Series("scrape_samples_scraped", labels, card.pool, card.replica)


def _alerts(plan: Plan, cards: list[Series]) -> Iterator[Series]:
    pools = [{"pool": pool.name, "team": pool.owner} for pool in plan.fleet.pools]
    replica = {**pools[0], **_part(cards[0], plan.identity.replica)}
    for name, severity, labels, span in (
        ("LLMTimeToFirstTokenHigh", "page", pools[0], (SLOW[0] + 0.04, SLOW[1] + 0.03)),
        ("LLMQueueDepthHigh", "page", pools[0], (SLOW[0] + 0.05, SLOW[1] + 0.02)),
        ("LLMPreemptionsHigh", "ticket", replica, (SLOW[0] + 0.05, 2.0)),
        ("LLMEngineDown", "page", pools[-1], (GONE[0] + 0.02, GONE[1] + 0.01)),
        ("GPUXidError", "page", {**_ill(cards).labels, "xid": "79", "action": "reboot"}, (XID, 2.0)),
        ("Watchdog", "none", {"team": "platform"}, (-1.0, 2.0)),
    ):
        told = {"alertname": name, "severity": severity, **labels}
        since = END - HOURS * 3600 * (1 - max(span[0], 0))
        yield Series("ALERTS", {**told, "alertstate": "firing"}, fixed=1, span=span)
        yield Series("ALERTS_FOR_STATE", told, fixed=since, span=span)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


if __name__ == "__main__":
    main()
