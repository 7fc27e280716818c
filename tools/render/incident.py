"""Invented values of every recorded series over one incident; the same each time."""

import math
import random
from dataclasses import dataclass
from functools import cached_property

SLOW, GONE, THROTTLED, XID = (0.55, 0.80), (0.30, 0.36), (0.40, 0.50), 0.90
"""When, as shares of the time: a pool is overloaded, a replica is gone, a card is hot, a card fails."""

Labels = dict[str, str]


@dataclass(frozen=True)
class Moment:
    """One series at one time; ``x`` runs from 0 to 1."""

    name: str
    labels: Labels
    pool: int
    replica: int
    card: int
    x: float

    @property
    def gone(self) -> bool:
        return self.pool == 1 and self.replica == 1 and GONE[0] < self.x < GONE[1]

    @cached_property
    def load(self) -> float:
        """How far the overload has grown."""
        slow = self.pool == 0 and SLOW[0] < self.x < SLOW[1]
        return 0.05 + 0.9 * min(1.0, (self.x - SLOW[0]) / 0.1) if slow else 0.0

    @cached_property
    def wave(self) -> float:
        """The ups and downs of a day, a little apart for each pool, replica and card."""
        phase = self.x + 0.2 * self.pool + 0.07 * self.replica + 0.03 * self.card
        return 0.5 + 0.5 * math.sin(7 * phase)

    @cached_property
    def noise(self) -> float:
        seed = f"{self.name}{sorted(self.labels.items())}{self.x:.4f}"
        return random.Random(seed).random()  # noqa: S311

    def within(self, span: tuple[float, float]) -> bool:
        return span[0] < self.x < span[1]


def value(at: Moment) -> float | None:
    """The value, or None where the series has a gap."""
    if at.gone and at.name != "replica:up:state":
        return None
    for known in (_engine, _latency, _card, _rest):
        found = known(at)
        if at.name in found:
            return found[at.name]
    return _distribution(at)


def _engine(at: Moment) -> dict[str, float | None]:
    tokens, usual = 3600 + 1200 * at.wave - 1400 * at.load, 3600 + 1200 * at.wave
    full = min(0.995, 0.5 + 0.2 * at.wave + 0.5 * at.load)
    return {
        "replica:up:state": 0 if at.gone else 1,
        "pool:replicas_serving:count": 4 - 2 * (at.pool == 1) - (at.pool == 1 and at.within(GONE)),
        "replica:stalled:state": 0,
        "replica:starts:count1h": int(at.replica == 1 and at.within((GONE[1], GONE[1] + 0.33))),
        "replica:queue_depth:sum": round(2 * at.noise + 22 * at.load),
        "pool:queue_depth:sum": round(4 * at.wave + 4 * at.noise + 90 * at.load),
        "replica:running:sum": round(24 + 20 * at.wave + 2 * at.noise),
        "pool:running:sum": round(100 + 70 * at.wave + 8 * at.noise),
        "replica:kv_cache_usage:ratio": full,
        "pool:kv_cache_usage:max": min(0.995, full + 0.04),
        "replica:preemptions:rate5m": 0.3 * at.load,
        "pool:preemptions:rate5m": 0.9 * at.load,
        "replica:generation_tokens:rate5m": tokens / 4,
        "pool:generation_tokens:rate5m": tokens,
        "pool:generation_tokens:baseline": usual,
        "pool:throughput_drop:ratio": 0.02 * at.noise + 0.32 * at.load,
        "replica:prompt_tokens:rate5m": 5200 + 900 * at.wave,
        "pool:prompt_tokens:rate5m": 21000 + 3600 * at.wave,
        "pool:prefix_cache_hit:ratio10m": 0.42 + 0.06 * at.wave,
        "pool:prefix_cache_hit:baseline": 0.45 + 0.05 * at.wave,
    }


def _latency(at: Moment) -> dict[str, float | None]:
    slow = _slowness(at)
    return {
        **{f"pool:ttft:{q}": v * slow for q, v in (("p50", 0.11), ("p95", 0.24), ("p99", 0.36))},
        **{f"pool:itl:{q}": v * slow**0.3 for q, v in (("p50", 0.021), ("p95", 0.048), ("p99", 0.066))},
        **{f"pool:e2e:{q}": v * slow**0.4 for q, v in (("p50", 2.4), ("p95", 5.9), ("p99", 7.8))},
        "replica:ttft:mean5m": 0.13 * slow,
        "pool:queue_wait:p95": 0.06 * slow**3,
        "pool:queue_wait:mean30m": 0.02 * slow**2,
    }


def _slowness(at: Moment) -> float:
    return (1 + 0.3 * at.wave + 0.1 * at.noise) * (1 + 3 * at.load)


def _card(at: Moment) -> dict[str, float | None]:
    return {
        "pool:gpu_utilization:avg5m": 0.6 + 0.2 * at.wave,
        "gpu:utilization:ratio": min(1, 0.55 + 0.25 * at.wave + 0.15 * at.noise),
        "gpu:utilization:avg5m": 0.6 + 0.2 * at.wave,
        "gpu:utilization:avg1h": 0.64 + 0.05 * at.wave,
        "gpu:dram_active:ratio": 0.42 + 0.15 * at.wave,
        "gpu:tensor_active:ratio": 0.2 + 0.1 * at.wave,
        "gpu:memory_used:ratio": 0.905 + 0.004 * at.wave,
        "gpu:temperature:celsius": round(58 + 12 * at.wave + at.noise),
        "gpu:memory_temperature:celsius": round(66 + 12 * at.wave),
        "gpu:temperature_margin:celsius": round(29 - 12 * at.wave),
        "gpu:power:watts": 420 + 160 * at.wave + 20 * at.noise,
        "gpu:ecc_double_bit:count": 0,
        "gpu:rows_uncorrectable:increase1h": 0,
        "gpu:rows_correctable:increase1h": int(at.labels.get("gpu") == "1" and at.x > 0.7),
        "gpu:row_remap_failure:state": 0,
        "gpu:row_remap_pending:state": 0,
        "gpu_xid:new:state": 1 if at.x > XID else None,
        "gpu:throttled:state": 1 if at.within(THROTTLED) else None,
        "gpu:nvlink_bandwidth:avg10m": 2400 + 800 * at.wave,
        "replica:nvlink_drop:ratio": 0.03 * at.noise,
        "host:gpus:count": 4,
    }


def _rest(at: Moment) -> dict[str, float | None]:
    missing = 1 if at.within((0.1, 0.2)) else None
    return {
        "pool_signal:missing:state": missing,
        "pool:signals_missing:count": missing,
        "pool:output_tokens:mean1h": 210 + 20 * at.wave,
        "pool:output_tokens:mean1h_baseline": 205 + 18 * at.wave,
        "pool:output_tokens:p95": 640 + 60 * at.wave,
        "pool:output_tokens:p95_baseline": 650 + 50 * at.wave,
        "pool:output_tokens:ks1h": 0.05 + 0.03 * at.wave,
        "pool:finishes_length:ratio1h": 0.06 + 0.01 * at.wave,
        "pool:finishes_length:ratio1h_baseline": 0.06,
        "model:usage_accounted:ratio30m": 0.994 - 0.01 * at.noise,
        "model:generation_tokens:rate30m": 3600 + 1200 * at.wave,
        "model:usage_output_tokens:rate30m": 3580 + 1190 * at.wave,
        "scrape_duration_seconds": 0.012 + 0.004 * at.noise,
        "scrape_samples_scraped": 640,
        "prometheus_rule_group_interval_seconds": 30,
        "prometheus_rule_group_last_duration_seconds": 0.02 + 0.01 * at.noise,
    }


def _distribution(at: Moment) -> float:
    if at.name.endswith(":info"):
        return 1
    if "le" in at.labels:
        return 30 * (1 - math.exp(-float(at.labels["le"]) / (0.12 * _slowness(at))))
    if at.name == "pool_type:errors:ratio5m" and at.labels["error_type"] == "server_error":
        return 0.0005 + 0.004 * at.load
    told = at.labels.get("status") or at.labels.get("reason") or at.labels.get("error_type") or ""
    parts = {
        "2xx": 28,
        "4xx": 0.4,
        "5xx": 0.01,
        "stop": 24,
        "length": 2,
        "abort": 0.3,
        "invalid_input": 0.012,
    }
    return parts.get(told, 0.1 if told else at.noise) * (1 + 0.3 * at.wave)
