"""What an on-call must read when a fault strikes: which rules fire, with which labels, in which words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote, quote_plus

from sre.catalogue import references
from sre.catalogue.faults import Fault, Story
from sre.catalogue.formula import Formula
from sre.catalogue.model import Alert, Rule
from sre.compile import text
from sre.compile.alerts import DASHBOARDS
from sre.compile.coverage import State
from sre.compile.plan import Plan
from sre.compile.thresholds import threshold_value
from sre.fleet import Pool
from sre.simulate.site import Site
from sre.simulate.story import Place
from sre.simulate.truth import Truth


@dataclass(frozen=True)
class Proven:
    """One rule of an alert, as it is written in this fleet's rule files."""

    alert: Alert
    rule: Rule

    def called(self, word: str) -> bool:
        """Whether a fault means this rule: `Name`, or `Name part` with its severity or one of its fixed labels."""
        name, _, part = word.partition(" ")
        return name == self.alert.name and part in ("", self.rule.severity, *self.rule.fixed.values())


@dataclass(frozen=True)
class Fired:
    """One alert as it reaches Alertmanager. ``annotations`` are None where its numbers are in motion."""

    labels: dict[str, str]
    annotations: dict[str, str] | None


class Expectations:
    """Answers for one pool of one fleet."""

    def __init__(self, plan: Plan, pool: Pool, site: Site) -> None:
        self._plan, self._pool, self._site = plan, pool, site

    @cached_property
    def rules(self) -> tuple[Proven, ...]:
        """Every rule that sees in this pool."""
        return tuple(
            Proven(planned.alert, rule)
            for planned in self._plan.alerts
            for index in planned.sources
            if self._sees(rule := planned.alert.rules[index])
        )

    def _sees(self, rule: Rule) -> bool:
        if rule.threshold and self._limit(rule) is None:
            return False
        branches = (branch.replace("$threshold", "0") for branch in rule.branches)
        return self._plan.coverage.branches(branches, self._pool).state > State.BLIND

    def _limit(self, rule: Rule) -> float | None:
        threshold = self._plan.catalogue.thresholds[rule.threshold or ""]
        if threshold.fleet:
            return float(threshold.default or 0)
        value = threshold_value(self._pool, threshold, self._plan.catalogue.engines[self._pool.engine.kind])
        return None if value is None else float(value)

    def firing(self, fault: Fault) -> tuple[Proven, ...]:
        """Rules that must fire."""
        return tuple(
            p for p in self.rules if p.rule.fault == fault.name or any(p.called(word) for word in fault.fires)
        )

    def allowed(self, story: Story) -> tuple[str, ...]:
        """Names of alerts that may fire beside it."""
        return tuple(dict.fromkeys(word.partition(" ")[0] for word in story.also))

    def alerts(
        self, name: str, fault: Fault, truth: Truth, places: tuple[Place, ...], index: int
    ) -> Iterator[Fired]:
        """Every alert of this name that fires at a scrape: those that must, and those of the same name beside them."""
        must = self.firing(fault)
        for proven in self.rules:
            if proven.alert.name == name and (
                proven in must or self._beside(proven, fault, truth, places[0], index)
            ):
                for place in places_of(proven.alert, places):
                    yield from self._fired(proven, fault, truth, place, index)

    def _beside(self, proven: Proven, fault: Fault, truth: Truth, place: Place, index: int) -> bool:
        if not any(proven.called(word) for word in fault.also):
            return False
        limit = self._limit(proven.rule) if proven.rule.threshold else None
        value = self._value(proven, fault, {}, truth, place, index)
        return limit is None or (
            value is not None and (value < limit if proven.alert.below else value > limit)
        )

    def _fired(self, proven: Proven, fault: Fault, truth: Truth, place: Place, index: int) -> Iterator[Fired]:
        for _, labels in self.labels(proven, fault, place):
            annotations = (
                self._annotations(proven, fault, labels, truth, place, index) if fault.numbers else None
            )
            yield Fired(labels, annotations)

    # --- labels ---------------------------------------------------------------------------------------------

    def labels(
        self, proven: Proven, fault: Fault, place: Place
    ) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
        """For each alert that a rule fires at a place: what tells it from others of its name, and all its labels."""
        for more in fault.labels.get(proven.alert.name, ({},)):
            own, consumer = (
                {**proven.rule.fixed, "severity": proven.rule.severity},
                self._consumer_labels(proven.rule),
            )
            yield (
                {**own, **consumer, **more},
                {
                    **own,
                    **self._place_labels(proven.alert, place),
                    **consumer,
                    **more,
                },
            )

    def _consumer_labels(self, rule: Rule) -> dict[str, str]:
        """A rule about a team's replies names the team and its model."""
        read = references.levels(rule.branches)
        return {"model": self._pool.model, "consumer": self._site.team} if "consumer" in read else {}

    def _place_labels(self, alert: Alert, place: Place) -> dict[str, str]:
        pool, host = {"pool": self._pool.name, "team": self._pool.owner}, self._site.host(place.replica)
        replica = self._site.replica(place.replica)
        on_kubernetes = self._plan.identity.kind == "kubernetes"
        match alert.level:
            case "pool":
                return pool
            case "replica":
                return {
                    **pool,
                    **(
                        {k: replica[k] for k in ("namespace", "pod")}
                        if on_kubernetes
                        else {"host": host, "instance": replica["instance"]}
                    ),
                }
            case "gpu":
                owner = {k: replica[k] for k in (("namespace", "pod") if on_kubernetes else ("instance",))}
                card = {
                    "uuid": self._site.uuid(place),
                    "gpu": str(place.card),
                    "gpu_model": "NVIDIA H100 80GB HBM3",
                    "host": host,
                }
                return {**pool, **card, **owner}
            case "host":
                return {**pool, "host": host}
            case "model":
                return self._model_labels()
            case "fleet":
                return {"team": "platform"}

    def _model_labels(self) -> dict[str, str]:
        pools = [pool for pool in self._plan.fleet.pools if pool.model == self._pool.model]
        teams = {pool.owner for pool in pools}
        labels = {"model": self._pool.model, "team": teams.pop() if len(teams) == 1 else "platform"}
        return labels | ({"pool": pools[0].name} if len(pools) == 1 else {})

    # --- words ----------------------------------------------------------------------------------------------

    def _annotations(
        self, proven: Proven, fault: Fault, labels: Mapping[str, str], truth: Truth, place: Place, index: int
    ) -> dict[str, str]:
        fleet, name = self._plan.fleet, proven.alert.name
        words = {
            field: self._word(field, proven, fault, labels, truth, place, index)
            for field in text.fields(proven.rule.description)
        }
        found = {
            "summary": proven.alert.summary,
            "description": text.render(proven.rule.description, words),
            "runbook_url": f"{(fleet.runbook_base_url or 'runbooks').rstrip('/')}/{name}",
        }
        if fleet.grafana_base_url:
            found["dashboard_url"] = fleet.grafana_base_url.rstrip("/") + self._dashboard(
                proven.alert, labels
            )
        return found

    def _dashboard(self, alert: Alert, labels: Mapping[str, str]) -> str:
        uid, variables = DASHBOARDS[alert.level]
        asked = "&".join(f"var-{name}={quote_plus(labels[self._label(name)], safe='')}" for name in variables)
        return f"/d/{quote(uid)}" + (f"?{asked}" if asked else "")

    def _label(self, word: str) -> str:
        return self._plan.identity.replica_label if word == "replica" else word

    def _word(
        self,
        field: str,
        proven: Proven,
        fault: Fault,
        labels: Mapping[str, str],
        truth: Truth,
        place: Place,
        index: int,
    ) -> str:
        catalogue, rule = self._plan.catalogue, proven.rule
        if field == "value":
            return _written(self._value(proven, fault, labels, truth, place, index), rule.unit or "")
        if field == "threshold":
            return _written(self._limit(rule), catalogue.thresholds[rule.threshold or ""].unit)
        if "|" in field:
            return ", ".join(sorted(truth.hidden))
        if ":" in field:
            origin = {to: name for name, to in catalogue.baselines.items()}.get(field, field)
            return _written(truth.value(field, place, index), catalogue.records[origin].unit)
        return labels[self._label(field)]

    def _value(
        self, proven: Proven, fault: Fault, labels: Mapping[str, str], truth: Truth, place: Place, index: int
    ) -> float | None:
        """The number that the rule gives: a fault's formula, the series that its alert shows, or 1 for a state."""
        formula: Formula | None = self._plan.catalogue.faults[proven.rule.fault].value
        if fault.value and any(proven.called(word) for word in fault.fires):
            formula = fault.value
        if formula:
            known = {
                n: truth.value(n, place, index) if references.series(n) else truth.inputs[n]
                for n in formula.names
            }
            return formula.value(known)
        if proven.rule.unit == "boolean":
            return 1.0
        kind = labels.get("error_type")
        return truth.value(proven.alert.shows + (f"{{{kind}}}" if kind else ""), place, index)


def _written(value: float | None, unit: str) -> str:
    return "unknown" if value is None else text.format_value(value, unit)


def places_of(alert: Alert, places: tuple[Place, ...]) -> Iterator[Place]:
    """Places on the alert's level: every card, or each replica or host once, or the pool."""
    if alert.level == "gpu":
        yield from (place for place in places if place.card is not None)
    elif alert.level in ("replica", "host"):
        yield from (Place(number) for number in dict.fromkeys(place.replica for place in places))
    else:
        yield Place(0)
