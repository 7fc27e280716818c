"""Dashboards: each YAML page with this fleet's series, limits, runbooks and links in it, as Grafana's JSON."""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from sre.catalogue.dashboard_model import Dashboard, Draw, Panel, Row, Variable
from sre.compile import captions, panels
from sre.compile.alerts import DASHBOARDS
from sre.compile.links import Links
from sre.compile.panels import Frame, Json
from sre.compile.pictures import Pictures
from sre.compile.plan import Plan, PlannedAlert
from sre.compile.scope import Scope
from sre.units import format_duration
from sre.write import Artefact

_CHOICES = {"pool": "Pool", "replica": "Replica", "host": "Host", "uuid": "Card", "model": "Model"}
_STARTS = "replica:starts:count1h"

_PROVISIONING = """\
# Copy this file to /etc/grafana/provisioning/dashboards/, and the JSON files beside it to `path`.
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
        yield Artefact(f"grafana/{dashboard.uid}.json", _Page(plan, _completed(plan, dashboard)).text())
    yield Artefact("grafana/provisioning.yaml", _PROVISIONING)


def panel_id(uid: str, name: str) -> int:
    """The number of a panel, by its alert or title: it stays when others come and go, so links hold on to it."""
    return zlib.crc32(f"{uid}/{name}".encode()) & 0x7FFFFFFF


def _completed(plan: Plan, dashboard: Dashboard) -> Dashboard:
    """With a panel for each alert that no dashboard draws, such as a team's own, where the alert's link leads."""
    drawn = {panel.alert for other in plan.catalogue.dashboards.values() for panel in other.panels}
    left = tuple(
        _own_panel(planned)
        for planned in plan.alerts
        if planned.alert.name not in drawn and DASHBOARDS[planned.alert.level][0] == dashboard.uid
    )
    more = (Row(title="More alerts", panels=left),) if left else ()
    return dashboard.model_copy(update={"rows": (*dashboard.rows, *more)})


def _own_panel(planned: PlannedAlert) -> Panel:
    alert = planned.alert
    draw: Draw = "state_timeline" if alert.unit == "boolean" else "timeseries"
    return Panel(title=alert.summary, about="What the alert watches.", alert=alert.name, draw=draw)


@dataclass(frozen=True)
class _Page:
    """One dashboard in one fleet."""

    plan: Plan
    dashboard: Dashboard

    @cached_property
    def _scope(self) -> Scope:
        return Scope(self.plan, self.dashboard)

    @cached_property
    def _pictures(self) -> Pictures:
        return Pictures(self.plan, self._scope, Links(self.plan, self._scope))

    @cached_property
    def _planned(self) -> dict[str, PlannedAlert]:
        return {planned.alert.name: planned for planned in self.plan.alerts}

    def text(self) -> str:
        page = self.dashboard
        return panels.dashboard(
            page.uid, page.title, page.about, panels=list(self._rows()), variables=list(self._variables()),
            annotations=list(self._marks()), look_back=page.range, refresh=page.refresh,
        )  # fmt: skip

    def _variables(self) -> Iterator[Json]:
        yield panels.choose_source()
        above = dict[str, Variable]()
        for name, variable in self.dashboard.variables.items():
            if name not in self._scope.variables:
                continue
            # Narrowed by the choices above it alone: by its own or those below, it would go round in a circle.
            scope = Scope(self.plan, self.dashboard.model_copy(update={"variables": dict(above)}))
            query = f"label_values({scope.narrow(variable.values)}, {scope.label(name)})"
            start = self.plan.fleet.pools[0].name if variable.first else None
            every = ".*" if variable.absent else ".+"
            yield panels.variable(name, _CHOICES[name], query, all_value=every, start=start)
            above[name] = variable

    def _marks(self) -> Iterator[Json]:
        every = format_duration(self.plan.fleet.evaluation_interval)
        for name, state, colour in (
            ("Firing alerts", "firing", "red"),
            ("Pending alerts", "pending", "yellow"),
        ):
            expr, shown = self._scope.narrow(self._alerts(state)), state == "firing"
            # Only labels that every alert has: Grafana prints the name of one that is missing.
            words = ("{{alertname}}", "{{severity}} for {{team}}")
            yield panels.marks(name, expr, colour, words, interval=every, shown=shown)
        if _STARTS in self.plan.series:
            now, replica = self._scope.narrow(_STARTS), self.plan.identity.replica_label
            # A new replica has no value two minutes ago: its start counts against zero.
            expr = f"({now} - ({now} offset 2m or 0 * {now})) > 0"
            words = ("Replica start", f"{{{{pool}}}} {{{{{replica}}}}}")
            yield panels.marks("Replica starts", expr, "blue", words, interval=every, shown=False)

    def _alerts(self, state: str) -> str:
        written = self.dashboard.firing.removeprefix("ALERTS")[1:-1].strip()
        # Watchdog always fires, and severity none tells nobody: neither is news on a graph.
        matchers = filter(None, (written, f'alertstate="{state}"', 'severity!="none"'))
        return f"ALERTS{{{', '.join(matchers)}}}"

    def _rows(self) -> Iterator[Json]:
        top = 0
        for row in self.dashboard.rows:
            drawn, bottom = self._flow(row.panels, top + 1)
            if drawn:
                yield panels.row(panel_id(self.dashboard.uid, f"row/{row.title}"), row.title, top)
                yield from drawn
                top = bottom

    def _flow(self, wanted: Iterable[Panel], top: int) -> tuple[list[Json], int]:
        """Panels from left to right, then down, and the first free line below them."""
        drawn, left, bottom = list[Json](), 0, top
        for panel in wanted:
            if left + panel.width > 24:
                left, top = 0, bottom
            planned = self._planned.get(panel.alert or "")
            made = self._pictures.draw(self._frame(panel, planned, left, top), panel, planned)
            if made is not None:
                drawn.append(made)
                left, bottom = left + panel.width, max(bottom, top + panel.height)
        return drawn, bottom

    def _frame(self, panel: Panel, planned: PlannedAlert | None, x: int, y: int) -> Frame:
        url = captions.runbook_url(self.plan, planned) if planned else None
        links = (panels.panel_link(f"Runbook: {panel.alert}", url),) if url else ()
        number = panel_id(self.dashboard.uid, panel.alert or panel.title)
        about = captions.caption(self.plan, panel, planned)
        return Frame(number, panel.title, about, x, y, panel.width, panel.height, links)
