"""What stands beside a panel: how to read it, which alert watches it, when that fires and what to do then."""

import re
from collections.abc import Iterator

from sre.catalogue.dashboard_model import Panel
from sre.catalogue.model import Rule
from sre.compile import markdown
from sre.compile.counted import few
from sre.compile.expansion import fill
from sre.compile.partial import remarks
from sre.compile.plan import Plan, PlannedAlert
from sre.compile.thresholds import series
from sre.units import format_duration

_LONG_TEXT = re.compile(r'"([^"]{28})[^"]{16,}"')
_LISTED = 5


def caption(plan: Plan, panel: Panel, planned: PlannedAlert | None) -> str:
    """Markdown for a panel's description."""
    parts = [" ".join(panel.about.split())]
    if planned:
        parts += [_alert(planned), *_emitted(plan, planned), _runbook(plan, planned)]
    return "\n\n".join(filter(None, parts))


def blind(plan: Plan, planned: PlannedAlert) -> str:
    """What stands in the place of a panel whose alert cannot see, or is not asked for."""
    why = [f"- {markdown.plain(reason)}" for reason in _few(planned.reasons)]
    state = f"**{planned.alert.name}** is {planned.state.replace('_', ' ')} in this fleet:"
    return "\n".join([state, "", *why, "", _runbook(plan, planned)])


def blind_table(plan: Plan) -> str:
    """All alerts that do not see everywhere, and what would make them see."""
    rows = [_blind_row(plan, planned) for planned in plan.alerts if _lacking(planned)]
    live = sum(planned.state == "live" for planned in plan.alerts)
    head = f"{live} of {len(plan.alerts)} alerts see."
    if not rows:
        return f"{head} None is blind or off in any pool."
    return "\n".join([head, "", *markdown.table(("alert", "state", "where", "why, or what it lacks"), rows)])


def runbook_url(plan: Plan, planned: PlannedAlert) -> str | None:
    """Where the runbook lies, if the fleet file says where; `$` would begin one of Grafana's variables."""
    base = plan.fleet.runbook_base_url
    return f"{base.rstrip('/').replace('$', '%24')}/{planned.alert.name}" if base else None


def severity(planned: PlannedAlert, threshold: str) -> str:
    """The most urgent severity of the rules that compare with a threshold."""
    found = {
        planned.alert.rules[i].severity
        for i in planned.sources
        if planned.alert.rules[i].threshold == threshold
    }
    return next((severity for severity in ("page", "ticket", "info") if severity in found), "none")


def _emitted(plan: Plan, planned: PlannedAlert) -> Iterator[str]:
    """When it fires; of an alert that is not compiled, that it does not."""
    if not planned.rules:
        yield f"It is {planned.state.replace('_', ' ')} in this fleet, and never fires: the panel says why."
        return
    yield from _conditions(plan, planned)
    yield from _dashes(plan, planned)
    yield from _partly(plan, planned)


def _alert(planned: PlannedAlert) -> str:
    emitted = [planned.alert.rules[i] for i in planned.sources]
    severities = dict.fromkeys(rule.severity for rule in emitted or planned.alert.rules)
    return f"**{planned.alert.name}** ({', '.join(severities)}): {planned.alert.summary}. {planned.alert.why}"


def _conditions(plan: Plan, planned: PlannedAlert) -> Iterator[str]:
    alert = planned.alert
    head = f"Fires after {format_duration(alert.for_)} of" if alert.for_ else "Fires at once on"
    lines = [
        f"- {_kind(alert.rules[i])}: {markdown.code(_short(plan, alert.rules[i], branch))}"
        for i in planned.sources
        for branch in alert.rules[i].branches
    ]
    yield "\n".join([f"{head}:", "", *dict.fromkeys(lines)])


def _kind(rule: Rule) -> str:
    """Severity, with what tells a rule from the alert's others: `page (reboot)`."""
    return f"{rule.severity} ({', '.join(rule.fixed.values())})" if rule.fixed else rule.severity


def _short(plan: Plan, rule: Rule, branch: str) -> str:
    """The condition as a person reads it: the name of its limit, and long lists cut."""
    macros = {name: "|".join(values) for name, values in plan.catalogue.constants.items()}
    if rule.threshold:
        macros["threshold"] = series(plan.catalogue.thresholds[rule.threshold])
    return _LONG_TEXT.sub(r'"\1…"', fill(branch, macros))


def _dashes(plan: Plan, planned: PlannedAlert) -> Iterator[str]:
    names = limits(planned)
    if names:
        told = " ".join(
            f"{markdown.code(series(t))}: {t.why}" for t in (plan.catalogue.thresholds[n] for n in names)
        )
        yield f"Dashed: the limit that the alert compares with. {told}"


def limits(planned: PlannedAlert) -> tuple[str, ...]:
    """Thresholds that an alert compares the series with that its panel shows."""
    alert = planned.alert
    used = (alert.rules[i] for i in planned.sources)
    compared = (
        r.threshold for r in used if r.threshold and any(alert.shows in branch for branch in r.branches)
    )
    return tuple(dict.fromkeys(n for n in (alert.threshold, *compared) if n))


def _partly(plan: Plan, planned: PlannedAlert) -> Iterator[str]:
    if planned.counters:
        yield f"Sees more with {', '.join(map(markdown.code, planned.counters))}: `dcgm/counters.csv` has the lines."
    lacking = tuple(remarks(plan, planned))
    if lacking:
        lines = [f"- {markdown.plain(reason)}" for reason in _few(lacking)]
        yield "\n".join(["It does not see everywhere:", "", *lines])


def _runbook(plan: Plan, planned: PlannedAlert) -> str:
    url = runbook_url(plan, planned)
    # In angle brackets: a parenthesis may stand in a URL.
    return f"[Runbook](<{url}>)" if url else f"Runbook: `runbooks/{planned.alert.name}.md`"


def _lacking(planned: PlannedAlert) -> bool:
    return planned.state != "live" or any(state != "live" for state in planned.pools.values())


def _blind_row(plan: Plan, planned: PlannedAlert) -> tuple[str, str, str, str]:
    where = [name for name, state in planned.pools.items() if state != "live"]
    place = "everywhere" if len(where) == len(planned.pools) else markdown.plain(few(where, _LISTED, "pool"))
    states = sorted({state for state in planned.pools.values() if state != "live"})
    state = planned.state if planned.state != "live" else f"{' and '.join(states)} in part"
    return (
        planned.alert.name,
        state.replace("_", " "),
        place,
        "; ".join(map(markdown.plain, _few(tuple(remarks(plan, planned)) or planned.reasons))),
    )


def _few(words: tuple[str, ...]) -> tuple[str, ...]:
    if len(words) <= _LISTED:
        return words
    return (*words[:_LISTED], f"and {len(words) - _LISTED} more: manifest.json lists them")
