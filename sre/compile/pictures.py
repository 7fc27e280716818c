"""One panel of a dashboard in one fleet: what is drawn, in which unit and colours, against which limit."""

import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sre.catalogue import references
from sre.catalogue.dashboard_model import Panel, Query, State
from sre.compile import captions, panels, tables
from sre.compile.links import Links
from sre.compile.panels import Frame, Json, Look
from sre.compile.plan import Plan, PlannedAlert
from sre.compile.scope import Scope
from sre.compile.thresholds import series as threshold_series

_LIMIT = {"page": "red", "ticket": "orange", "info": "blue", "none": "blue"}
_YES_NO = {0: State(text="no", colour="green"), 1: State(text="yes", colour="red")}


@dataclass(frozen=True)
class Pictures:
    """The panels of one dashboard."""

    plan: Plan
    scope: Scope
    links: Links

    def draw(self, frame: Frame, panel: Panel, planned: PlannedAlert | None) -> Json | None:
        """The panel; a text where there is nothing to draw, or nothing at all where it says nothing then."""
        if planned and not planned.rules:
            return panels.text(frame, captions.blind(self.plan, planned))
        match panel.draw:
            case "text":
                return panels.text(frame, panel.text)
            case "blind_alerts":
                return panels.text(frame, captions.blind_table(self.plan))
            case "firing_alerts":
                return tables.firing(frame, self.plan, self.scope, self.links, panel)
        queries = [*self._watched(planned), *(q for q in panel.queries if self.scope.seen(q.expr))]
        if not queries:
            return panels.text(frame, panel.otherwise) if panel.otherwise else None
        return self._drawn(frame, panel, planned, queries)

    def _watched(self, planned: PlannedAlert | None) -> Iterator[Query]:
        """The series that an alert watches; for one that watches none, such as the Watchdog, the alert itself."""
        if planned is None:
            return
        alert = planned.alert
        if not references.series(alert.shows):
            yield Query(expr=f'max by (alertname) (ALERTS{{alertname="{alert.name}", alertstate="firing"}})')
        elif self.scope.seen(alert.shows):
            yield Query(expr=alert.shows, name=_quantile(alert.shows))
        if alert.against and self.scope.seen(alert.against):
            yield Query(expr=alert.against, name="usual", usual=True)

    def _drawn(self, frame: Frame, panel: Panel, planned: PlannedAlert | None, queries: list[Query]) -> Json:
        first, look = queries[0], self._look(panel, planned, queries[0])
        if panel.draw == "table":
            return tables.joined(frame, replace(look, links=()), self.scope, self.links, panel, queries)
        named = list(zip(string.ascii_uppercase, queries, strict=False))
        targets = [
            panels.target(ref, self.scope.narrow(q.expr), self.scope.legend(q.expr, q.name))
            for ref, q in named
        ]
        match panel.draw:
            case "stat":
                return panels.stat(frame, look, targets)
            case "state_timeline":
                return panels.state_timeline(frame, look, targets)
            case "heatmap":
                buckets = [{**made, "format": "heatmap", "legendFormat": "{{le}}"} for made in targets]
                return panels.heatmap(frame, look, buckets)
        dashed, styles = self._limits(planned)
        lines = [style for ref, query in named for style in self._line(ref, query, first)]
        return panels.timeseries(frame, look, [*targets, *dashed], [*lines, *styles], stack=panel.stack)

    def _look(self, panel: Panel, planned: PlannedAlert | None, first: Query) -> Look:
        states = panel.states or (_YES_NO if panel.draw == "state_timeline" else {})
        judged = panel.orange_from is not None or panel.red_from is not None or bool(states)
        steps = [(float(at), colour) for at, colour in ((panel.orange_from, "orange"), (panel.red_from, "red"))
                 if at is not None]  # fmt: skip
        lacks = planned is not None and planned.state == "needs_counter" and planned.counters
        return Look(
            unit=panels.unit(panel.unit or self._unit(first)),
            no_value=f"Needs counter {lacks[0]}" if lacks else panel.no_value,
            steps=((None, "green" if judged else "text"), *steps),
            mappings=(_mapping(states),) if states else (),
            links=self.links.of_lines(first.expr),
            maximum=None if panel.max is None else float(panel.max),
        )

    def _unit(self, query: Query) -> str:
        read = sorted(references.series(query.expr), key=query.expr.index)
        return query.unit or (self.plan.series[read[0]].unit if read else "")

    def _line(self, ref: str, query: Query, first: Query) -> Iterator[Json]:
        """How the lines of one query differ from those of the panel's first."""
        style: dict[str, object] = {}
        if query.usual:
            style |= {"custom.lineStyle": {"fill": "dot", "dash": [2, 6]}, "custom.lineWidth": 2}
        if query.axis == "right":
            style |= {
                "custom.axisPlacement": "right",
                "custom.lineStyle": {"fill": "dash", "dash": [4, 4]},
                "unit": panels.unit(self._unit(query)),
            }
        if self.scope.level(query.expr) != self.scope.level(first.expr):
            style["links"] = list(self.links.of_lines(query.expr))
        if style:
            yield panels.override(ref, style, by="byFrameRefID")

    def _limits(self, planned: PlannedAlert | None) -> tuple[list[Json], list[Json]]:
        """The recorded numbers that an alert compares with, as dashed lines: the same series, so one number."""
        targets, styles = list[Json](), list[Json]()
        if planned is None:
            return targets, styles
        limits = {n: expr for n in captions.limits(planned) if (expr := self._limit(planned, n)) is not None}
        for index, (name, expr) in enumerate(limits.items()):
            ref = f"LIMIT{index or ''}"
            word = f" {name.replace('_', ' ')}" if len(limits) > 1 else ""
            targets.append(panels.target(ref, expr, f"limit{word} {{{{pool}}}}"))
            styles.append(panels.override(ref, _dashed(captions.severity(planned, name)), by="byFrameRefID"))
        return targets, styles

    def _limit(self, planned: PlannedAlert, name: str) -> str | None:
        threshold, alert = self.plan.catalogue.thresholds[name], planned.alert
        series = threshold_series(threshold)
        if series not in self.plan.series:
            return None
        limit = self.scope.narrow(series)
        if alert.against:
            return f"{limit} * on (pool) {self.scope.narrow(alert.against)}"
        if threshold.fleet or alert.level == "pool" or not self.scope.seen(alert.shows):
            return limit
        # Only the limits of pools that have something on the graph: one card's graph shows one limit.
        return f"{limit} and on (pool) {self.scope.narrow(alert.shows)}"


def _dashed(severity: str) -> dict[str, object]:
    return {
        "color": {"mode": "fixed", "fixedColor": _LIMIT[severity]},
        "custom.lineStyle": {"fill": "dash", "dash": [10, 10]},
        "custom.lineWidth": 2,
        "links": [],
    }


def _quantile(series: str) -> str:
    operation = series.rpartition(":")[2]
    return operation if re.fullmatch(r"p\d+", operation) else ""


def _mapping(states: Mapping[int, State]) -> Json:
    options = {
        str(value): {"text": state.text, "color": state.colour, "index": index}
        for index, (value, state) in enumerate(sorted(states.items()))
    }
    return {"type": "value", "options": options}
