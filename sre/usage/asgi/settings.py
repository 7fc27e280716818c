"""What the middleware is told: vLLM hands it the application alone, so the rest comes from the environment.

SRE_USAGE_CONFIG: the exporter's configuration; `roster`, `identity` and `limits` are used, the rest is the
    exporter's. Without it every request is `unassigned`, and models are those that the engine answered for.
SRE_USAGE_LOG: file that a record is appended to for each request, for the exporter's log tail.
SRE_USAGE_METRICS: `off` leaves the metrics out of the engine's /metrics, where the exporter has them from the log.
SRE_USAGE_TEAM_HEADER: header that names the team. Only where a gateway sets it and nobody else can reach the engine.
SRE_USAGE_POOL: the pool that records name.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from prometheus_client import REGISTRY, CollectorRegistry

from sre.usage.asgi.log import Log
from sre.usage.asgi.meter import Meter
from sre.usage.asgi.metrics import LOG, Metrics
from sre.usage.asgi.served import Served
from sre.usage.asgi.shapes import Problem
from sre.usage.identity import Identity


def meter_from(
    environment: Mapping[str, str] = os.environ, registry: CollectorRegistry = REGISTRY
) -> Meter:
    """A meter as the environment describes it. A configuration that cannot be used is logged and left out."""
    metrics = None if environment.get("SRE_USAGE_METRICS") == "off" else Metrics(registry)
    path, header = environment.get("SRE_USAGE_LOG"), environment.get("SRE_USAGE_TEAM_HEADER")

    def note(result: str, count: int) -> None:
        if metrics:
            metrics.note(LOG, result, count)

    return Meter(
        identity=Identity(),
        served=Served(),
        classify=_by_status,
        finishes={"stop": "stop", "length": "length", "tool_calls": "tool_calls", "end_turn": "stop", "max_tokens": "length", "completed": "stop", "max_output_tokens": "length"},
        metrics=metrics,
        log=Log(Path(path), note) if path else None,
        header=header.lower().encode() if header else None,
        pool=environment.get("SRE_USAGE_POOL"),
    )


def _by_status(problem: Problem, status: int) -> str:
    return {401: "auth", 404: "model_not_found", 400: "invalid_input"}.get(status, "server_error")
