"""Dashboards: each YAML page with this fleet's series, limits, runbooks and links in it, as Grafana's JSON."""

import re
import string
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from sre.catalogue import references
from sre.catalogue.dashboards import Dashboard, Draw, Panel, Query, Row, State
from sre.compile import captions, panels, tables
from sre.compile.captions import caption
from sre.compile.links import Links
from sre.compile.alerts import DASHBOARDS
from sre.compile.panels import Frame, Json, Look
from sre.compile.plan import Plan, PlannedAlert
from sre.compile.scope import Scope
from sre.compile.thresholds import series as threshold_series
from sre.units import format_duration
from sre.write import Artefact

_LIMIT = {"page": "red", "ticket": "orange", "info": "blue", "none": "blue"}
_YES_NO = {0: State(text="no", colour="green"), 1: State(text="yes", colour="red")}
_LABELS = {"pool": "Pool", "replica": "Replica", "host": "Host", "uuid": "Card", "model": "Model"}

_PROVISIONING = """\
# Copy to /etc/grafana/provisioning/dashboards/ and the JSON files beside it to `path`.
apiVersion: 1
providers:
  - name: inference-sre
    folder: LLM inference
    type: file
    allowUiUpdates: false
    disableDeletion: false
    updateIntervalSeconds: 60
    options:
      path: /var/lib/grafana/dashboards/inference-sre
"""


def render(plan: Plan) -> Iterator[Artefact]:
    """``grafana/<uid>.json`` for every dashboard of the catalogue, and the file that makes Grafana load them."""
    for dashboard in plan.catalogue.dashboards.values():
        yield Artefact(f"grafana/{dashboard.uid}.json", Page(plan, _completed(plan, dashboard)).text())
    yield Artefact("grafana/provisioning.yaml", _PROVISIONING)


def panel_id(uid: str, name: str) -> int:
    """A number that stays when panels come and go: links to a panel hold on to it."""
    return zlib.crc32(f"{uid}/{name}".encode()) & 0x7FFFFFFF


def _completed(plan: Plan, dashboard: Dashboard) -> Dashboard:
    """An alert that no dashboard draws, such as one of a team's own, gets a panel on the page that its link leads to."""
    drawn = {panel.alert for other in plan.catalogue.dashboards.values() for panel in other.panels}
    left = tuple(
        _own_panel(planned)
        for planned in plan.alerts
        if planned.alert.name not in drawn and DASHBOARDS[planned.alert.level][0] == dashboard.uid
    )
    return (
        dashboard.model_copy(update={"rows": (*dashboard.rows, Row(title="More alerts", panels=left))})
        if left
        else dashboard
    )


def _own_panel(planned: PlannedAlert) -> Panel:
    draw: Draw = "state_timeline" if planned.alert.unit == "boolean" else "timeseries"
    return Panel(
        title=planned.alert.summary,
        about="The series that the alert watches.",
        alert=planned.alert.name,
        draw=draw,
    )


@dataclass(frozen=True)
class Page:
    """One dashboard in one fleet."""

    plan: Plan
    dashboard: Dashboard
    scope: Scope = field(init=False)
    links: Links = field(init=False)
    planned: dict[str, PlannedAlert] = field(init=False)

    def __post_init__(self) -> None:
        # Frozen: what follows from the two arguments is set once, here.
        self.__dict__["scope"] = Scope(self.plan, self.dashboard)
        self.__dict__["links"] = Links(self.plan, self.scope)
        self.__dict__["planned"] = {planned.alert.name: planned for planned in self.plan.alerts}

    def text(self) -> str:
        """The JSON text."""
        page = self.dashboard
        return panels.dashboard(
            page.uid,
            page.title,
            page.about,
            list(self._rows()),
            self._variables(),
            self._marks(),
            page.range,
            page.refresh,
        )

    def _variables(self) -> list[Json]:
        chosen = [panels.choose_source()]
        for name in self.scope.variables:
            spec, label = self.dashboard.variables[name], self.scope.label(name)  # type: ignore[index]
            # Only the variables above narrow a choice: below would be a circle.
            above = Scope(
                self.plan,
                self.dashboard.model_copy(
                    update={
                        "variables": {
                            n: v
                            for n, v in self.dashboard.variables.items()
                            if n in _before(self.scope.variables, name)
                        }
                    }
                ),
            )
            start = self.plan.fleet.pools[0].name if spec.first else None
            chosen.append(
                panels.variable(
                    name,
                    _LABELS[name],
                    f"label_values({above.narrow(spec.values)}, {label})",
                    ".*" if spec.absent else ".+",
                    start,
                )
            )
        return chosen

    def _marks(self) -> list[Json]:
        every = format_duration(self.plan.fleet.evaluation_interval)
        found = [
            self._mark("Firing alerts", "firing", "red", every, on=True),
            self._mark("Pending alerts", "pending", "yellow", every, on=False),
        ]
        starts = "replica:starts:count1h"
        if starts in self.plan.series:
            now = self.scope.narrow(starts)
            # A new replica has no value two minutes ago: then the start counts against zero.
            expr = f"({now} - ({now} offset 2m or 0 * {now})) > 0"
            label = self.plan.identity.replica_label
            found.append(
                panels.marks(
                    "Replica starts",
                    expr,
                    "blue",
                    "Replica start",
                    f"{{{{pool}}}} {{{{{label}}}}}",
                    every,
                    on=False,
                )
            )
        return found

    def _mark(self, name: str, state: str, colour: str, every: str, *, on: bool) -> Json:
        firing = self.dashboard.firing
        written = firing[firing.index("{") + 1 : -1] + ", " if firing.endswith("}") else ""
        # Watchdog always fires, and severity none tells nobody: neither is news on a graph.
        expr = self.scope.narrow(f'ALERTS{{{written}alertstate="{state}", severity!="none"}}')
        # Only labels that every alert has: Grafana prints the name of one that is missing.
        return panels.marks(name, expr, colour, "{{alertname}}", "{{severity}} for {{team}}", every, on=on)

    def _rows(self) -> Iterator[Json]:
        top = 0
        for row in self.dashboard.rows:
            drawn, bottom = self._flow(row.panels, top + 1)
            if drawn:
                yield panels.row(panel_id(self.dashboard.uid, f"row/{row.title}"), row.title, top)
                yield from drawn
                top = bottom

    def _flow(self, wanted: Iterable[Panel], top: int) -> tuple[list[Json], int]:
        """Panels from left to right, then down; ``bottom`` is the first free line."""
        drawn, left, bottom = list[Json](), 0, top
        for panel in wanted:
            if left + panel.width > 24:
                left, top = 0, bottom
            made = self._panel(panel, left, top)
            if made is not None:
                drawn.append(made)
                left, bottom = left + panel.width, max(bottom, top + panel.height)
        return drawn, bottom

    def _panel(self, panel: Panel, x: int, y: int) -> Json | None:
        planned = self.planned.get(panel.alert or "")
        if panel.alert and not planned:
            return None
        frame = self._frame(panel, planned, x, y)
        if planned and not planned.rules:
            return panels.text(frame, captions.blind(self.plan, planned))
        if panel.draw == "blind_alerts":
            return panels.text(frame, captions.blind_table(self.plan))
        if panel.draw == "text":
            return panels.text(frame, panel.text)
        if panel.draw == "firing_alerts":
            return tables.firing(frame, self.plan, self.scope, self.links, panel)
        queries = [*self._watched(planned), *(q for q in panel.queries if self.scope.seen(q.expr))]
        if not queries:
            return panels.text(frame, panel.otherwise) if panel.otherwise else None
        return self._drawn(frame, panel, planned, queries)

    def _frame(self, panel: Panel, planned: PlannedAlert | None, x: int, y: int) -> Frame:
        url = captions.runbook_url(planned) if planned else None
        links = (panels.panel_link(f"Runbook: {panel.alert}", url),) if url else ()
        return Frame(
            panel_id(self.dashboard.uid, panel.alert or panel.title),
            panel.title,
            caption(self.plan, panel, planned),
            x,
            y,
            panel.width,
            panel.height,
            links,
        )

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
        look = self._look(panel, planned, queries[0])
        if panel.draw == "table":
            return tables.joined(frame, replace(look, links=()), self.scope, self.links, panel, queries)
        named = list(zip(string.ascii_uppercase, queries, strict=False))
        targets = [
            panels.target(ref, self.scope.narrow(q.expr), self.scope.legend(q.expr, q.name))
            for ref, q in named
        ]
        if panel.draw == "stat":
            return panels.stat(frame, look, targets)
        if panel.draw == "heatmap":
            return panels.heatmap(
                frame, look, [{**t, "format": "heatmap", "legendFormat": "{{le}}"} for t in targets]
            )
        if panel.draw == "state_timeline":
            return panels.state_timeline(frame, look, targets)
        overrides = [o for ref, q in named for o in self._line(ref, q, queries[0])]
        dashed, styles = self._limits(planned)
        return panels.timeseries(
            frame,
            look,
            [*targets, *dashed],
            [*overrides, *styles],
            stack=panel.stack,
            beside=panel.width >= 12 and self.scope.level(queries[0].expr) in ("gpu", "replica"),
        )

    def _look(self, panel: Panel, planned: PlannedAlert | None, first: Query) -> Look:
        states = panel.states or (_YES_NO if panel.draw == "state_timeline" else {})
        no_value = panel.no_value
        if planned and planned.counters and planned.state == "needs_counter":
            no_value = f"Needs counter {planned.counters[0]}"
        calm = "green" if panel.orange_from or panel.red_from or states else "text"
        steps = [(None, calm), (panel.orange_from, "orange"), (panel.red_from, "red")]
        return Look(
            panels.unit(panel.unit or self._unit(first)),
            no_value,
            tuple(
                (None if at is None else float(at), colour)
                for i, (at, colour) in enumerate(steps)
                if i == 0 or at is not None
            ),
            (_mapping(states),) if states else (),
            self.links.of_lines(first.expr),
            None if panel.max is None else float(panel.max),
        )

    def _unit(self, query: Query) -> str:
        read = sorted(references.series(query.expr), key=query.expr.index)
        return query.unit or (self.plan.series[read[0]].unit if read else "")

    def _line(self, ref: str, query: Query, first: Query) -> Iterator[Json]:
        """How the lines of one query differ from the panel's first."""
        style: dict[str, object] = {}
        if query.usual:
            style |= {
                "custom.lineStyle": {"fill": "dot", "dash": [2, 6]},
                "custom.fillOpacity": 0,
                "custom.lineWidth": 2,
            }
        if query.axis == "right":
            style |= {
                "custom.axisPlacement": "right",
                "unit": panels.unit(self._unit(query)),
                "custom.fillOpacity": 0,
                "custom.lineStyle": {"fill": "dash", "dash": [4, 4]},
            }
        if self.scope.level(query.expr) != self.scope.level(first.expr):
            style["links"] = list(self.links.of_lines(query.expr))
        if style:
            yield panels.override(ref, style, by="byFrameRefID")

    def _limits(self, planned: PlannedAlert | None) -> tuple[list[Json], list[Json]]:
        """The recorded numbers that an alert compares with, as dashed lines: the same series, so the same number."""
        targets, styles = list[Json](), list[Json]()
        names = captions.limits(planned) if planned else ()
        for index, name in enumerate(names):
            assert planned is not None
            ref, expr = f"LIMIT{index or ''}", self._limit(planned, name)
            if expr is None:
                continue
            word = f" {name.replace('_', ' ')}" if len(names) > 1 else ""
            targets.append(panels.target(ref, expr, f"limit{word} {{{{pool}}}}"))
            styles.append(panels.override(ref, {
                "color": {"mode": "fixed", "fixedColor": _LIMIT[captions.severity(planned, name)]}, "custom.fillOpacity": 0,
                "custom.lineStyle": {"fill": "dash", "dash": [10, 10]}, "custom.lineWidth": 2, "links": [],
            }, by="byFrameRefID"))  # fmt: skip
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


def _quantile(series: str) -> str:
    operation = series.split(":")[-1]
    return operation if re.fullmatch(r"p\d+", operation) else ""


def _before(names: tuple[str, ...], name: str) -> tuple[str, ...]:
    return names[: names.index(name)]


def _mapping(states: dict[int, State]) -> Json:
    return {
        "type": "value",
        "options": {
            str(value): {"text": state.text, "color": state.colour, "index": index}
            for index, (value, state) in enumerate(sorted(states.items()))
        },
    }
