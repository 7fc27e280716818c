"""Whether the server evaluates the rules of this fleet, and as they would be compiled now."""

from collections.abc import Iterator, Mapping

from sre.answers import LoadedGroup
from sre.compile.counted import count
from sre.compile.plan import AlertRule, Plan, RecordRule
from sre.findings import Finding
from sre.promql import same

Key = tuple[str, tuple[tuple[str, str], ...]]
"""Name and labels of a rule: what tells it from others in its group."""

_RELOAD = "run `sre generate`, put the files where the server reads them, and reload it"


def check(plan: Plan, groups: tuple[LoadedGroup, ...] | None) -> Iterator[Finding]:
    """``groups`` as the server holds them; None where rules are evaluated elsewhere."""
    names = {group.name for group in plan.groups}
    ours = [group for group in groups or () if group.name in names]
    if groups is None:
        why = "they are evaluated elsewhere, by a ruler or by vmalert"
        yield Finding(
            "rules", "this server does not say which rules are loaded", why, "ask the one that does", "info"
        )
    elif not ours:
        why = "until they are, no alert can fire"
        yield Finding("rules", "none of this fleet's rules are loaded here", why, _RELOAD, "warning")
    else:
        yield from _compared(plan, ours)
        yield from _broken(ours)


def _compared(plan: Plan, ours: list[LoadedGroup]) -> Iterator[Finding]:
    loaded = {_key(rule.name, rule.labels): rule for group in ours for rule in group.rules}
    wanted = {_key(_name(rule), rule.labels): rule.expr for group in plan.groups for rule in group.rules}
    missing = [key for key in wanted if key not in loaded]
    stale = [key for key in loaded if key not in wanted]
    other = [key for key, expr in wanted.items() if key in loaded and not same(loaded[key].query, expr)]
    rules = count(len(wanted), "rule")
    for keys, one, several in (
        (missing, f"of {rules} is not loaded", f"of {rules} are not loaded"),
        (stale, "rule is loaded and no longer compiled", "rules are loaded and no longer compiled"),
        (other, f"of {rules} differs", f"of {rules} differ"),
    ):
        if keys:
            why = "the server evaluates another state of the fleet file or the catalogue"
            what = f"{count(len(keys), one, several)}: {_listed(keys)}"
            yield Finding("rules", what, why, _RELOAD, "warning")


def _broken(ours: list[LoadedGroup]) -> Iterator[Finding]:
    broken = [rule for group in ours for rule in group.rules if rule.health == "err"]
    for rule in broken[:5]:
        why = "what it records or alerts on is missing"
        yield Finding(
            "rules", f"the server cannot evaluate {rule.name}: {rule.error}", why, "see the reason above"
        )


def _name(rule: AlertRule | RecordRule) -> str:
    return rule.alert if isinstance(rule, AlertRule) else rule.record


def _key(name: str, labels: Mapping[str, str]) -> Key:
    return name, tuple(sorted(labels.items()))


def _listed(keys: list[Key]) -> str:
    names = list(dict.fromkeys(name for name, _ in keys))
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
