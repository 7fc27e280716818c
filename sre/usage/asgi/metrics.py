"""The usage metrics in the registry of the engine's own process, so that they stand on the engine's /metrics.

The exporter's ``Accounts`` counts by itself and cannot be used here: where an engine runs several API servers,
only prometheus_client's own classes reach the page, through files in PROMETHEUS_MULTIPROC_DIR. Names, bounds and
what is counted when are the same; a test holds the two together.
"""

from collections.abc import Collection, Sequence
from itertools import product
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sre import __version__
from sre.usage import bounds, families
from sre.usage.families import Family
from sre.usage.labels import OTHER, UNASSIGNED
from sre.usage.record import ERROR_TYPES, FINISH_REASONS, TOKEN_CLASSES, UsageRecord

ROUTE = "asgi"
"""Of what is counted here; the log that is written has a route of its own."""
LOG = "asgi-log"


class Metrics:
    """Counts records. A name that is not known yet gets its series while ``label_sets`` allows, then is `other`."""

    def __init__(
        self,
        registry: CollectorRegistry,
        teams: Collection[str] = (),
        models: Collection[str] = (),
        *,
        label_sets: int = 2000,
        by_team: bool = False,
    ) -> None:
        """``teams`` and ``models`` are known from the start: all their series begin at 0."""
        names = ["team", "model"]
        self._tokens = _counter(families.TOKENS, [*names, "class"], registry)
        self._requests = _counter(families.REQUESTS, [*names, "outcome"], registry)
        self._errors = _counter(families.ERRORS, [*names, "error_type"], registry)
        lengths = names if by_team else ["model"]
        self._lengths = _histogram(families.OUTPUT_TOKENS, lengths, bounds.OUTPUT_TOKENS, registry)
        self._ttft = _histogram(families.TTFT, ["model"], bounds.TTFT_SECONDS, registry)
        self._duration = _histogram(families.DURATION, ["model"], bounds.DURATION_SECONDS, registry)
        self._finishes = _counter(families.FINISHES, ["model", "reason"], registry)
        self._missing = _counter(families.USAGE_MISSING, ["model"], registry)
        self._records = _counter(families.RECORDS, ["route", "result"], registry)
        self._overflow = _counter(families.OVERFLOW, ["label"], registry)
        self._config = _gauge(families.RELOAD_OK, [], registry, "min")
        self._open_own(registry)
        self._by_team = by_team
        self._pairs = set[tuple[str, str]]()
        for pair in product((*teams, OTHER, UNASSIGNED), (*models, OTHER)):
            self._open(*pair)
        self._most = len(self._pairs) + label_sets // len(ERROR_TYPES)

    def add(self, record: UsageRecord, team: str, model: str) -> None:
        """Count one record under the names that were decided for it."""
        team, model = self._admit(team, model)
        self._overflow.labels("team").inc(team == OTHER)
        self._overflow.labels("model").inc(model == OTHER and bool(record.model or record.requested_model))
        self._requests.labels(team, model, record.outcome).inc()
        if record.outcome == "error":
            self._errors.labels(team, model, record.error_type or "unknown").inc()
        self._add_tokens(record, team, model)
        if record.ttft_seconds is not None:
            self._ttft.labels(model).observe(record.ttft_seconds)
        if record.duration_seconds is not None:
            self._duration.labels(model).observe(record.duration_seconds)
        if record.finish_reason:
            self._finishes.labels(model, record.finish_reason).inc()
        self.note(ROUTE, "ok")

    def note(self, route: str, result: str, count: int = 1) -> None:
        """Count what became of records: ok, failed (not counted) or dropped (counted, not written to the log)."""
        self._records.labels(route, result).inc(count)

    def configured(self, successful: bool) -> None:
        """Say whether the configuration could be read."""
        self._config.set(successful)

    def _add_tokens(self, record: UsageRecord, team: str, model: str) -> None:
        tokens, succeeded = record.tokens, record.outcome == "success"
        if tokens is None:
            # Whoever leaves a stream has had tokens of it; other failures may have used none.
            self._missing.labels(model).inc(succeeded or record.error_type == "client_cancelled")
            return
        for name in TOKEN_CLASSES:
            self._tokens.labels(team, model, name).inc(getattr(tokens, name))
        if succeeded:
            names = (team, model) if self._by_team else (model,)
            self._lengths.labels(*names).observe(tokens.output + tokens.reasoning)

    def _admit(self, team: str, model: str) -> tuple[str, str]:
        pair = (team, model)
        if pair not in self._pairs and len(self._pairs) < self._most:
            self._open(*pair)
        elif pair not in self._pairs:
            pair = next(near for near in ((team, OTHER), (OTHER, OTHER)) if near in self._pairs)
        return pair

    def _open(self, team: str, model: str) -> None:
        self._pairs.add((team, model))
        for family, words in (
            (self._tokens, TOKEN_CLASSES),
            (self._requests, ("success", "error")),
            (self._errors, ERROR_TYPES),
        ):
            for word in words:
                family.labels(team, model, word)
        self._lengths.labels(*((team, model) if self._by_team else (model,)))
        for by_model in (self._ttft, self._duration, self._missing):
            by_model.labels(model)
        for reason in FINISH_REASONS:
            self._finishes.labels(model, reason)

    def _open_own(self, registry: CollectorRegistry) -> None:
        for route, result in ((ROUTE, "ok"), (ROUTE, "failed"), (LOG, "ok"), (LOG, "dropped")):
            self._records.labels(route, result)
        for label in ("team", "model"):
            self._overflow.labels(label)
        # Several API servers share one page: one that could not read its configuration shows.
        build = _gauge(families.BUILD, ["version"], registry, "max")
        build.labels(__version__).set(1)


def _counter(family: Family, labels: list[str], registry: CollectorRegistry) -> Counter:
    return Counter(family.name, family.help, labels, registry=registry)


def _histogram(
    family: Family, labels: list[str], upper: Sequence[float], registry: CollectorRegistry
) -> Histogram:
    return Histogram(family.name, family.help, labels, registry=registry, buckets=upper)


def _gauge(
    family: Family, labels: list[str], registry: CollectorRegistry, mode: Literal["min", "max"]
) -> Gauge:
    return Gauge(family.name, family.help, labels, registry=registry, multiprocess_mode=mode)
