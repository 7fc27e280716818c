"""The way down: from a pool to its replicas, to their cards, and back, keeping what was chosen and the time."""

from collections.abc import Iterable
from dataclasses import dataclass

from sre.compile import panels
from sre.compile.alerts import DASHBOARDS
from sre.compile.panels import Json
from sre.compile.plan import Plan
from sre.compile.scope import Scope, level_of

_WORD = {"pool": "pool", "replica": "replica", "gpu": "card", "host": "host", "model": "model"}

# `percentencode`: a name with & or # in it would otherwise end the value that it stands in.
_ALWAYS = ("${datasource:queryparam}", "${__url_time_range}")


@dataclass(frozen=True)
class Links:
    """Links from one dashboard."""

    plan: Plan
    scope: Scope

    def of_lines(self, expr: str) -> tuple[Json, ...]:
        """From a line on a graph to the dashboard of what it belongs to; none where that is this one."""
        labels = self.scope.result(expr)
        return self._to(
            level_of(self.plan.identity, labels),
            labels,
            "${{__field.labels.{}:percentencode}}",
            dict.fromkeys(labels, ""),
        )

    def of_column(self, label: str, columns: dict[str, str]) -> tuple[Json, ...]:
        """From a cell of a table; ``columns`` maps labels to the names of their columns."""
        level = level_of(self.plan.identity, (label,))
        return self._to(level, columns, '${{__data.fields["{}"]:percentencode}}', columns)

    def _to(self, level: str, labels: Iterable[str], form: str, named: dict[str, str]) -> tuple[Json, ...]:
        uid, filled = DASHBOARDS.get(level, ("", ()))
        page = self.plan.catalogue.dashboards.get(uid)
        if not level or page is None or uid == self.scope.dashboard.uid:
            return ()
        has, asked = frozenset(labels), list[str]()
        for variable in page.variables:
            label = self.scope.label(variable)
            if variable in filled and label in has:
                asked.append(f"var-{variable}=" + form.format(named[label] or label))
            elif variable in self.scope.variables:
                asked.append(f"${{{variable}:queryparam}}")
        return (panels.link(f"Open {_WORD[level]}", f"/d/{uid}?{'&'.join((*asked, *_ALWAYS))}"),)
