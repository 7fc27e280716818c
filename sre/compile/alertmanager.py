"""Routes by team and severity, and inhibition from cause to consequence, as one Alertmanager configuration.

Valid for Alertmanager 0.22 (``matchers``) and later, with its classic and its UTF-8 matcher parser.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from sre.compile.plan import Plan
from sre.compile.prometheus import HEADER, dump
from sre.findings import Finding
from sre.fleet.receiver_names import NULL, REQUIRED, SEVERITIES, WATCHDOG, owners, team_receiver
from sre.fleet.receivers import Receivers, stubs
from sre.promql import quote
from sre.write import Artefact

# No interval is longer than the 5 days after which Alertmanager forgets what it sent (--data.retention).
# The wait lets a cause arrive before its consequences are sent.
_TIMES = {
    "page": ("30s", "5m", "4h"),
    "ticket": ("2m", "15m", "1d"),
    "info": ("5m", "1h", "4d"),
    WATCHDOG: ("0s", "1m", "5m"),
}
"""(group_wait, group_interval, repeat_interval)."""

_LISTED = f"{', '.join(REQUIRED[:-1])} and {REQUIRED[-1]}"

Route = dict[str, Any]


def render(plan: Plan, receivers: Receivers | None = None) -> Iterator[Artefact]:
    """``receivers`` from the user's file; without them, stubs with every name that a route could use."""
    teams = owners(plan.fleet)
    receivers = receivers or stubs(teams)
    decided = dump({"route": _tree(teams, receivers.names), "inhibit_rules": list(_inhibitions(plan))})
    yield Artefact("alertmanager/alertmanager.yaml", f"{HEADER}{decided}{receivers.text}")


def advise(receivers: Receivers | None) -> Iterator[Finding]:
    """A warning where every route leads to a stub."""
    if receivers is None:
        yield Finding(
            "receivers",
            "nobody will be told of any alert: the fleet names no `receivers`",
            "every route leads to a stub, and a page that reaches nobody is none",
            f"write `receivers: ./receivers.yaml`, a file of Alertmanager receivers called {_LISTED}",
            "warning",
        )


def _tree(teams: Iterable[str], names: frozenset[str]) -> Route:
    """The first branch that matches wins. What matches none, like other rule sets' alerts, is a ticket."""
    watchdog = {**_branch([_is("alertname", "Watchdog")], WATCHDOG, WATCHDOG), "group_by": ["alertname"]}
    silent = {"matchers": [_is("severity", "none")], "receiver": NULL}
    return {
        "receiver": "ticket",
        "group_by": ["alertname", "pool"],
        **_times("ticket"),
        "routes": [
            watchdog,
            silent,
            *(_team(team, names) for team in teams),
            *(_branch([_is("severity", one)], one, one) for one in ("page", "info")),
        ],
    }


def _team(team: str, names: frozenset[str]) -> Route:
    to = {one: own if (own := team_receiver(team, one)) in names else one for one in SEVERITIES}
    branches = [_branch([_is("severity", one)], to[one], one) for one in SEVERITIES]
    return {"matchers": [_is("team", team)], "receiver": to["ticket"], "routes": branches}


def _branch(matchers: list[str], receiver: str, severity: str) -> Route:
    return {"matchers": matchers, "receiver": receiver, **_times(severity)}


def _times(severity: str) -> dict[str, str]:
    return dict(zip(("group_wait", "group_interval", "repeat_interval"), _TIMES[severity], strict=True))


def _inhibitions(plan: Plan) -> Iterator[Route]:
    """Always by name, for another rule set in the same Alertmanager may mean something else by `pool`."""
    tiers, pages, lesser = _tiers(plan), _emitted(plan, "page"), _emitted(plan, *_LESSER)
    for tier, causes in tiers.items():
        later = [name for other, names in tiers.items() if other > tier for name in names]
        if later:
            yield _inhibit("pool", [_PAGE, _any("alertname", causes)], [_PAGE, _any("alertname", later)])
    if pages and lesser:
        tickets = [_any("severity", _LESSER), _any("alertname", lesser)]
        yield _inhibit("pool", [_PAGE, _any("alertname", pages)], tickets)
    yield from _on_card(plan, "page", [])
    # A contained memory error is two tickets otherwise; a ticket never keeps a page back.
    yield from _on_card(plan, "ticket", [_any("severity", _LESSER)])


def _on_card(plan: Plan, severity: str, weaker: list[str]) -> Iterator[Route]:
    """One event of a card is told once: by the alert that says most about it."""
    emitted = {*_emitted(plan, "page", *_LESSER)}
    for name in _emitted(plan, severity):
        told = [other for other in plan.catalogue.alerts[name].inhibits_on_card if other in emitted]
        if told:
            source = [_is("severity", severity), _is("alertname", name)]
            yield _inhibit("uuid", source, [*weaker, _any("alertname", told)])


def _tiers(plan: Plan) -> dict[int, list[str]]:
    """Alerts that can page, by their place between cause (0) and consequence."""
    tiers: dict[int, list[str]] = {}
    for name in _emitted(plan, "page"):
        tier = plan.catalogue.alerts[name].causes
        if tier is not None:
            tiers.setdefault(tier, []).append(name)
    return dict(sorted(tiers.items()))


def _emitted(plan: Plan, *severities: str) -> list[str]:
    """Alerts with a rule of one of these severities; blind ones have none."""
    return [p.alert.name for p in plan.alerts if any(r.labels["severity"] in severities for r in p.rules)]


def _inhibit(label: str, source: list[str], target: list[str]) -> Route:
    # Alertmanager takes two absent labels as equal: without this, cards of no pool would silence each other.
    present = f'{label}!=""'
    return {"source_matchers": [*source, present], "target_matchers": [*target, present], "equal": [label]}


_PAGE = 'severity="page"'
_LESSER = ("ticket", "info")


def _is(label: str, value: str) -> str:
    # PromQL's escapes (\\, \", \n) are the ones that both of Alertmanager's parsers know.
    return f"{label}={quote(value)}"


def _any(label: str, values: Iterable[str]) -> str:
    # Names of alerts and severities are plain words: nothing in them means anything to a regular expression.
    names = sorted(values)
    return _is(label, names[0]) if len(names) == 1 else f"{label}=~{quote('|'.join(names))}"
