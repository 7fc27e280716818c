"""Tables: what fires, with the ways to runbook and dashboard, and one row per pool, replica or card."""

import string
from collections.abc import Iterable

from sre.catalogue.dashboard_model import Panel, Query
from sre.compile import panels
from sre.compile.links import Links
from sre.compile.panels import Frame, Json, Look
from sre.compile.plan import Plan
from sre.compile.scope import Scope

_NAMES = {
    "alertname": "Alert", "gpu": "GPU", "uuid": "Card", "mig": "MIG slice", "gpu_type": "GPU type", "pod": "Replica",
    "instance": "Replica", "gpu_model": "GPU model",
}  # fmt: skip

_SEVERITIES = {"page": "red", "ticket": "orange", "info": "blue"}


def column(label: str) -> str:
    """What a label is called at the head of a column."""
    return _NAMES.get(label, label.replace("_", " ").capitalize())


def firing(frame: Frame, plan: Plan, scope: Scope, links: Links, panel: Panel) -> Json:
    """Alerts that fire now, newest first, each with its runbook and the dashboards of what it is about."""
    me = plan.identity.replica_label
    told = tuple(dict.fromkeys(label for p in plan.alerts for label in p.alert.labels if label != "host"))
    labels = ("severity", "alertname", "detail", "pool", me, "host", "gpu", "uuid", "model", "team")
    since = scope.narrow(
        'ALERTS_FOR_STATE{severity!="none"} * 1000 and ignoring (alertstate) ALERTS{alertstate="firing"}'
    )
    listed = ", ".join(f'"{label}"' for label in told)
    # Labels that an alert lacks leave their separators behind.
    detailed = (
        f'label_replace(label_join({since}, "detail", " ", {listed}), "detail", "$1", "detail", " *(.*?) *")'
    )
    expr = f"max by ({', '.join(labels)}) ({detailed})"
    names = {label: column(label) for label in labels}
    order = (*(names[label] for label in labels), "Since")
    overrides = [
        _BLANK,
        panels.override("Since", {"unit": panels.unit("timestamp_ms"), "custom.width": 130}),
        panels.override("Severity", {"mappings": [_severities()], "custom.width": 90, **_COLOURED}),
        *_linked(links, names, (me, "pool", "host", "uuid", "model")),
    ]
    if plan.fleet.runbook_base_url:
        base = plan.fleet.runbook_base_url.rstrip("/").replace("$", "%24")
        overrides.append(
            panels.override(
                "Alert", {"links": [panels.link("Runbook", f"{base}/${{__value.raw}}", new=True)]}
            )
        )
    moved = _organized({"Time": True}, {**names, "Value": "Since"}, order)
    return panels.table(
        frame,
        Look("short", panel.no_value),
        [panels.target("A", expr, form="table", instant=True)],
        moved,
        overrides,
        sort=("Since", True),
    )


def joined(frame: Frame, look: Look, scope: Scope, links: Links, panel: Panel, queries: list[Query]) -> Json:
    """One row per value of the panel's labels, one column per query."""
    by = tuple(scope.label(label) for label in panel.by)
    refs = list(zip(string.ascii_uppercase, queries, strict=False))
    targets, names, hidden = list[Json](), {label: column(label) for label in by}, {"Time": True}
    for ref, query in refs:
        labels = (*by, *(scope.label(label) for label in query.by))
        names |= {label: column(label) for label in labels}
        expr = f"max by ({', '.join(labels)}) ({scope.narrow(query.expr)})"
        targets.append(panels.target(ref, expr, form="table", instant=True))
        # One frame alone calls its values `Value`.
        value = f"Value #{ref}" if len(refs) > 1 else "Value"
        if query.hidden:
            hidden[value] = True
        else:
            names[value] = query.name
    overrides = [
        _BLANK,
        *_linked(links, names, tuple(names)),
        *(o for _, q in refs for o in _coloured(q, look)),
    ]
    transformations = [
        *([{"id": "merge", "options": {}}] if len(refs) > 1 else []),
        *_organized(hidden, names, names.values()),
    ]
    return panels.table(frame, look, targets, transformations, overrides, sort=(names[by[0]], False))


_BLANK = panels.override("/.*/", {"noValue": "-"}, by="byRegexp")
"""What the panel says when it has no rows is not what a cell without a value says."""

_COLOURED = {"custom.cellOptions": {"type": "color-background", "mode": "basic"}}


def _coloured(query: Query, look: Look) -> Iterable[Json]:
    if query.hidden:
        return
    properties: dict[str, object] = {"unit": panels.unit(query.unit) if query.unit else look.unit}
    if query.red_from is not None or query.red_below is not None:
        base, other = ("green", "red") if query.red_from is not None else ("red", "green")
        at = query.red_from if query.red_from is not None else query.red_below
        steps = [{"color": base, "value": None}, {"color": other, "value": float(at or 0)}]
        properties |= {
            "thresholds": {"mode": "absolute", "steps": steps},
            "color": {"mode": "thresholds"},
            "custom.cellOptions": {"type": "color-text"},
        }
    yield panels.override(query.name, properties)


def _severities() -> Json:
    return {
        "type": "value",
        "options": {
            name: {"text": name, "color": colour, "index": index}
            for index, (name, colour) in enumerate(_SEVERITIES.items())
        },
    }


def _linked(links: Links, names: dict[str, str], labels: Iterable[str]) -> Iterable[Json]:
    for label in labels:
        found = links.of_column(label, names)
        if found:
            yield panels.override(names[label], {"links": list(found)})


def _organized(hidden: dict[str, bool], names: dict[str, str], order: Iterable[str]) -> list[Json]:
    origin = {shown: name for name, shown in names.items()}
    position = {origin[shown]: index for index, shown in enumerate(order)}
    return [
        {
            "id": "organize",
            "options": {"excludeByName": hidden, "renameByName": names, "indexByName": position},
        }
    ]
