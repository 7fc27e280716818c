"""Alert rules: conditions filled in, the paged team joined on, sentences turned into templates."""

from collections.abc import Iterator
from urllib.parse import quote as url_quote

from sre.catalogue.model import Alert, Catalogue, Rule
from sre.compile import text
from sre.compile.coverage import Coverage, Sight, State, best
from sre.compile.expansion import fill
from sre.compile.identity import Identity
from sre.compile.pace import group_pace
from sre.compile.plan import AlertRule, PlannedAlert
from sre.compile.thresholds import comparison
from sre.compile.thresholds import series as threshold_series
from sre.fleet import Fleet

DASHBOARDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "pool": ("llm-pool", ("pool",)),
    "replica": ("llm-replica", ("pool", "replica")),
    "gpu": ("llm-gpu", ("host", "uuid")),
    "host": ("llm-gpu", ("host",)),
    "model": ("llm-usage", ("model",)),
    "fleet": ("llm-monitoring", ()),
}
"""Level -> (dashboard, the variables that its link fills from the alert's labels)."""


class Planner:
    """Turns catalogue alerts into rules for one fleet."""

    def __init__(self, fleet: Fleet, catalogue: Catalogue, coverage: Coverage) -> None:
        self._fleet, self._catalogue, self._coverage = fleet, catalogue, coverage
        self._identity = Identity.of(fleet)
        self._constants = {name: "|".join(values) for name, values in catalogue.constants.items()}

    def plan(self, alert: Alert) -> PlannedAlert:
        """The alert with its state; blind conditions are left out, and all of them blind leave no rule."""
        pools = self.sights(alert)
        overall = best(pools.values())
        made = [
            (index, rule) for index, source in enumerate(alert.rules) if (rule := self._rule(alert, source))
        ]
        return PlannedAlert(
            alert,
            overall.state.word,
            _reasons(overall, pools) + self._lost_rules(alert, overall),
            {name: s.state.word for name, s in pools.items()},
            tuple(rule for _, rule in made),
            tuple(index for index, _ in made),
            self._counters(alert),
        )

    def sights(self, alert: Alert) -> dict[str, Sight]:
        """How well an alert sees, pool by pool: as well as the best of its rules."""
        return self._coverage.by_pool(
            lambda pool: best(
                self._coverage.branches(self._conditions(alert, rule), pool) for rule in alert.rules
            )
        )

    def _lost_rules(self, alert: Alert, overall: Sight) -> tuple[str, ...]:
        """What an alert that sees cannot say, because some of its rules are blind in every pool."""
        if overall.state < State.NEEDS_COUNTER or not self._coverage.representatives:
            return ()
        sights = [
            best(
                self._coverage.branches(self._conditions(alert, rule), p)
                for p in self._coverage.representatives
            )
            for rule in alert.rules
        ]
        lost = [sight for sight in sights if sight.state is State.BLIND]
        why = dict.fromkeys(reason for sight in lost for reason in sight.reasons)
        return (f"without {len(lost)} of its {len(sights)} rules: {'; '.join(why)}",) if lost else ()

    def _counters(self, alert: Alert) -> tuple[str, ...]:
        """Exporter metrics that would let any of the alert's conditions see."""
        found = (
            counter
            for rule in alert.rules
            for branch in self._conditions(alert, rule)
            for pool in self._coverage.representatives
            for counter in self._coverage.branch(branch, pool).counters
        )
        return tuple(dict.fromkeys(found))

    def _conditions(self, alert: Alert, rule: Rule) -> tuple[str, ...]:
        return tuple(self._filled(rule, branch) for branch in rule.branches)

    def _filled(self, rule: Rule, branch: str) -> str:
        macros = dict(self._constants)
        if rule.threshold:
            macros["threshold"] = comparison(self._catalogue.thresholds[rule.threshold])
        return fill(branch, macros)

    def _rule(self, alert: Alert, rule: Rule) -> AlertRule | None:
        seen = [
            c
            for c in self._conditions(alert, rule)
            if any(
                self._coverage.branch(c, pool).state > State.BLIND for pool in self._coverage.representatives
            )
        ]
        if not seen:
            return None
        expr = seen[0] if len(seen) == 1 else f" {rule.join} ".join(f"({c})" for c in seen)
        return AlertRule(
            alert.name,
            self._with_team(alert, expr),
            patience(alert, self._fleet),
            alert.keep_firing_for,
            {**rule.fixed, "severity": rule.severity, **self._team(alert)},
            self._annotations(alert, rule),
        )

    def _with_team(self, alert: Alert, expr: str) -> str:
        """Who is paged stands in the fleet file, once per pool; series of cards and hosts carry it already."""
        if alert.level in ("pool", "replica"):
            return f"({expr}) * on (pool) group_left (team) pool:fleet:info"
        return expr

    def _team(self, alert: Alert) -> dict[str, str]:
        return {"team": "platform"} if alert.level == "fleet" else {}

    def _annotations(self, alert: Alert, rule: Rule) -> dict[str, str]:
        return {
            "summary": alert.summary,
            "description": self.sentence(rule),
            "runbook_url": self._runbook_url(alert),
            **self._dashboard_url(alert),
        }

    def sentence(self, rule: Rule) -> str:
        """The rule's description as a Prometheus template."""
        threshold = self._catalogue.thresholds.get(rule.threshold or "")
        return text.go_template(
            rule.description,
            rule.unit or "",
            (threshold_series(threshold), threshold.unit) if threshold else None,
            self.scope,
            self._unit,
            {"replica": self._identity.replica_label},
        )

    def scope(self, series: str) -> tuple[str, ...]:
        """The labels by which a sentence asks for a series of the alert's own pool, replica, card or model."""
        level = series.split(":", maxsplit=1)[0].split("_", maxsplit=1)[0]
        return {
            "pool": ("pool",),
            "replica": self._identity.replica,
            "gpu": ("uuid", "mig"),
            "host": ("host",),
            "model": ("model",),
            "consumer": ("model", "consumer"),
        }.get(level, ())

    def _unit(self, series: str) -> str:
        origin = {to: name for name, to in self._catalogue.baselines.items()}.get(series, series)
        record = self._catalogue.records.get(origin)
        return record.unit if record else ""

    def _runbook_url(self, alert: Alert) -> str:
        # Without a base the page is named as it lies beside the rules.
        return f"{(self._fleet.runbook_base_url or 'runbooks').rstrip('/')}/{alert.name}"

    def _dashboard_url(self, alert: Alert) -> dict[str, str]:
        if not self._fleet.grafana_base_url:
            return {}
        uid, variables = DASHBOARDS[alert.level]
        asked = "&".join(f"var-{name}={{{{ $labels.{self._label(name)} | urlquery }}}}" for name in variables)
        return {
            "dashboard_url": f"{self._fleet.grafana_base_url.rstrip('/')}/d/{url_quote(uid)}"
            + (f"?{asked}" if asked else "")
        }

    def _label(self, variable: str) -> str:
        return self._identity.replica_label if variable == "replica" else variable


def patience(alert: Alert, fleet: Fleet) -> int:
    """Seconds of `for`: at least two evaluations, or one odd sample would be enough to fire."""
    return max(alert.for_, 2 * group_pace(alert.group, int(fleet.evaluation_interval))) if alert.for_ else 0


def _reasons(overall: Sight, pools: dict[str, Sight]) -> tuple[str, ...]:
    if overall.state is not State.LIVE:
        return overall.reasons
    return tuple(_partly(pools))


def _partly(pools: dict[str, Sight]) -> Iterator[str]:
    for name, sight in pools.items():
        if sight.state is not State.LIVE:
            yield f"{sight.state.word} in pool {name}: {'; '.join(sight.reasons)}"
