"""Which alerts see, which need a counter, which are blind, and why: plan and observation laid side by side."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from sre.checks import loaded
from sre.checks.cards import Cards
from sre.checks.live import Asking
from sre.checks.observation import Observation
from sre.checks.pools import Pools
from sre.checks.sight import Seeing
from sre.compile.alerts import Planner
from sre.compile.coverage import Sight, State
from sre.compile.plan import Plan
from sre.findings import Finding, Severity, sort
from sre.prometheus import Server

UNKNOWN = "unknown"
"""The state of an alert that reads what no file shows."""
WORDS = {
    State.LIVE: "sees",
    State.NEEDS_COUNTER: "needs_counter",
    State.BLIND: "blind",
    State.OFF: "off",
}
IN_PART = "in_part"
"""The state of an alert that sees in one pool and does not in another that asks for it."""
_BEST_FIRST = ("sees", "needs_counter", UNKNOWN, "blind", "off")


@dataclass(frozen=True)
class Row:
    """One alert: the best that it sees anywhere, or that it sees in part; what it sees in each pool; why not more."""

    alert: str
    severities: tuple[str, ...]
    state: str
    pools: Mapping[str, str]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Diagnosis:
    """Everything that there is to say; ``alerts`` is empty where the server is the wrong one.

    An error among the findings means that a compiled alert is blind.
    """

    origin: str
    alerts: tuple[Row, ...]
    findings: tuple[Finding, ...]


def examine(plan: Plan, server: Server) -> Diagnosis:
    """Ask a live server. Raises ``Unreachable``."""
    asking = Asking(server, plan.fleet, plan.catalogue)
    wrong = asking.wrong_server()
    if wrong:
        return Diagnosis(server.url, (), (wrong,))
    return diagnose(plan, asking.observe())


def diagnose(plan: Plan, observation: Observation) -> Diagnosis:
    """The same for what was seen already; pure."""
    seeing = Seeing(plan.fleet, plan.catalogue, observation)
    sights = _sights(plan, seeing)
    parts = (plan.fleet, plan.catalogue, observation, seeing)
    findings = [
        *_blind(plan, sights, seeing),
        *_off(plan, sights, seeing),
        *Pools(*parts).findings(),
        *Cards(*parts).findings(),
        *(loaded.check(plan, observation.rules) if observation.live else ()),
    ]
    if not (observation.live or observation.engine or observation.cards or observation.usage):
        return Diagnosis(observation.origin, (), tuple(sort(findings)))
    doubting = Seeing(plan.fleet, plan.catalogue, observation, unknown=State.BLIND)
    certain = _sights(plan, doubting)
    rows = tuple(
        _row(plan, name, by_pool, certain[name], doubting.unseen) for name, by_pool in sights.items()
    )
    return Diagnosis(observation.origin, rows, tuple(sort(findings)))


Sights = dict[str, dict[str, Sight]]
"""Alert -> pool -> how well it sees there."""


def _sights(plan: Plan, seeing: Seeing) -> Sights:
    planner = Planner(plan.fleet, plan.catalogue, seeing)
    return {planned.alert.name: planner.sights(planned.alert) for planned in plan.alerts}


def _row(
    plan: Plan, name: str, sights: Mapping[str, Sight], certain: Mapping[str, Sight], unseen: Collection[str]
) -> Row:
    """``certain`` differs from ``sights`` where an answer rests on what nothing showed."""
    alert, words, reasons = plan.catalogue.alerts[name], dict[str, str](), dict[str, tuple[str, ...]]()
    for pool, sight in sights.items():
        guessed = sight.state is State.LIVE and certain[pool].state is not State.LIVE
        words[pool] = UNKNOWN if guessed else WORDS[sight.state]
        reasons[pool] = tuple(r for r in certain[pool].reasons if r in unseen) if guessed else sight.reasons
    state = next(word for word in _BEST_FIRST if word in words.values())
    if state == "sees" and not {"sees", "off"}.issuperset(words.values()):
        state = IN_PART
    # Why it is off in one pool says nothing of the others.
    said = [reason for pool in words if words[pool] != "off" or state == "off" for reason in reasons[pool]]
    severities = tuple(dict.fromkeys(rule.severity for rule in alert.rules))
    return Row(name, severities, state, words, tuple(dict.fromkeys(said)))


def _blind(plan: Plan, sights: Sights, seeing: Seeing) -> Iterator[Finding]:
    """One finding for each reason, with all alerts that it blinds: a pool without targets is one fault, not twenty."""
    blinded = defaultdict[str, dict[str, None]](dict)
    pools = defaultdict[str, set[str]](set)
    for planned in plan.alerts:
        for pool, sight in sights[planned.alert.name].items():
            if planned.pools[pool] == State.LIVE.word and State.OFF < sight.state < State.LIVE:
                # Not what the fleet file itself rules out, such as an alternative that it never declared.
                for reason in [one for one in sight.reasons if one in seeing.fixes]:
                    blinded[reason][planned.alert.name] = None
                    pools[reason].add(pool)
    names = [pool.name for pool in plan.fleet.pools]
    for reason, alerts in blinded.items():
        first = min(map(names.index, pools[reason]))
        where = f"pools/{first}" if len(pools[reason]) == 1 else "pools"
        what = f"{reason}: blind {'is' if len(alerts) == 1 else 'are'} {_listed(alerts)}"
        severity: Severity = "warning" if reason in seeing.rightly else "error"
        why = "an alert that reads nothing neither fires nor fails"
        yield Finding(where, what, why, seeing.fixes[reason], severity)


def _off(plan: Plan, sights: Sights, seeing: Seeing) -> Iterator[Finding]:
    """Counters that nobody expects to be on, each with the line that switches it on."""
    waiting = defaultdict[str, dict[str, None]](dict)
    for planned in plan.alerts:
        for pool, sight in sights[planned.alert.name].items():
            if planned.pools[pool] == State.NEEDS_COUNTER.word and sight.state == State.NEEDS_COUNTER:
                for reason in sight.reasons:
                    waiting[reason][planned.alert.name] = None
    for reason, alerts in waiting.items():
        what = f"{reason}: {_listed(alerts)} {'waits' if len(alerts) == 1 else 'wait'} for it"
        yield Finding("gpu_exporter/counters", what, "it is off in the lists that are shipped",
                      seeing.fixes.get(reason, ""), "warning")  # fmt: skip


def _listed(alerts: Mapping[str, None]) -> str:
    names = list(alerts)
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
