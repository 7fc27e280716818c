"""What the middleware is told: vLLM hands it the application alone, so the rest comes from the environment.

SRE_USAGE_CONFIG: the exporter's configuration; its roster, identity, limits and output_tokens_by_team are used.
    Without it every request is `unassigned`, and models are those that the engine answered for.
SRE_USAGE_LOG: file that a record is appended to for each request, for the exporter's log tail.
SRE_USAGE_LOG_BYTES: size at which that file becomes NAME.1; where nothing else rotates it.
SRE_USAGE_METRICS: `off` leaves the metrics out of the engine's /metrics, where the exporter has them from the log.
SRE_USAGE_TEAM_HEADER: header that names the team. Only where a gateway sets it and nobody else can reach the engine.
SRE_USAGE_POOL: the pool that records name.
"""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry
from pydantic import ValidationError

from sre.explain import explain
from sre.findings import Refused
from sre.source import read
from sre.usage.asgi.errors import classifier
from sre.usage.asgi.log import Log
from sre.usage.asgi.meter import Meter
from sre.usage.asgi.metrics import LOG, Metrics
from sre.usage.asgi.served import Served
from sre.usage.config.models import Config
from sre.usage.formats.load import load_gateways
from sre.usage.identity import Identity

_log = logging.getLogger("sre.usage")

_LEAST: dict[str, Any] = {"version": 1, "routes": [{"kind": "http", "path": "/-", "format": "usage"}]}
"""What a configuration must have and the middleware does not need: a file of the roster alone will do."""


def meter_from(environment: Mapping[str, str] = os.environ, registry: CollectorRegistry = REGISTRY) -> Meter:
    """A meter as the environment describes it. A configuration that cannot be used is logged and left out."""
    config, usable = _config(environment.get("SRE_USAGE_CONFIG"))
    metrics = None if environment.get("SRE_USAGE_METRICS") == "off" else _metrics(registry, config)
    if metrics:
        metrics.configured(usable)
    gateways = load_gateways([config.catalogue] if config.catalogue else [])
    header = environment.get("SRE_USAGE_TEAM_HEADER", "").lower().encode()
    return Meter(
        identity=Identity(config.roster.teams, config.identity.keys, config.limits.value_length),
        served=Served(config.roster.models),
        classify=classifier(gateways.rules),
        finishes=gateways.finishes,
        metrics=metrics,
        log=_record_log(environment, metrics),
        header=header or None,
        pool=environment.get("SRE_USAGE_POOL") or None,
    )


def _config(path: str | None) -> tuple[Config, bool]:
    """The configuration, and whether it could be used: an engine is not kept from serving by its accounting."""
    if path:
        try:
            return read_part(Path(path)), True
        except Refused as refused:
            for finding in refused.findings:
                _log.error("%s: %s; every request is `unassigned`", finding.where, finding.what)
    return Config.model_validate(_LEAST), not path


def read_part(path: Path) -> Config:
    """A configuration without asking what only the exporter needs. Raises ``Refused``."""
    text = read(path)
    try:
        return Config.model_validate(_LEAST | (text.data if isinstance(text.data, dict) else {}))
    except ValidationError as error:
        raise Refused(explain(error, text, Config)) from None


def _metrics(registry: CollectorRegistry, config: Config) -> Metrics:
    return Metrics(
        registry,
        config.roster.teams or (),
        config.roster.models or (),
        label_sets=config.limits.label_sets,
        by_team=config.output_tokens_by_team,
    )


def _record_log(environment: Mapping[str, str], metrics: Metrics | None) -> Log | None:
    def note(result: str, count: int) -> None:
        if metrics:
            metrics.note(LOG, result, count)

    path, most = environment.get("SRE_USAGE_LOG"), environment.get("SRE_USAGE_LOG_BYTES", "")
    if not most.isascii() or not most.isdecimal():
        if most:
            _log.error("SRE_USAGE_LOG_BYTES is no whole number: the log is not rotated")
        most = ""
    return Log(Path(path), note, int(most) if most else None) if path else None
