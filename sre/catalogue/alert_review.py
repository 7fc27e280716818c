"""What is wrong with an alert: with its condition, its times, its words, and with what it names."""

import re
from collections.abc import Iterator

from sre.catalogue import known, references, sentences
from sre.catalogue.expressions import Objection, alert_macros, objections
from sre.catalogue.model import Alert, Catalogue, Rule
from sre.findings import Finding
from sre.source import Loc, suggest
from sre.units import format_duration

INTERVAL = 30
"""Seconds between two scrapes, and two evaluations, for which content promises its times."""

_NAME = re.compile(r"[A-Z][A-Za-z0-9]{2,39}")
_OWN = ("alertname", "severity", "team", "pool")


def review_alerts(catalogue: Catalogue) -> Iterator[Finding]:
    """All findings about alerts that are well-formed one by one."""
    recorded = known.series(catalogue)
    for alert in catalogue.alerts.values():
        for loc, (what, why, fix) in _alert(catalogue, alert, recorded):
            yield Finding(catalogue.where("alerts", alert.name, *loc), f"{alert.name} {what}", why, fix)


def _alert(catalogue: Catalogue, alert: Alert, recorded: frozenset[str]) -> Iterator[tuple[Loc, Objection]]:
    yield from _page(catalogue, alert)
    yield from _times(alert)
    yield from _names(catalogue, alert, recorded)
    for said in sentences.summary_objections(alert.summary):
        yield ("summary",), said
    for index, rule in enumerate(alert.rules):
        yield from _rule(catalogue, alert, rule, ("rules", index), recorded)


def _page(catalogue: Catalogue, alert: Alert) -> Iterator[tuple[Loc, Objection]]:
    if not _NAME.fullmatch(alert.name):
        why, fix = "it becomes a label, a file and a URL", "write CamelCase of at most 40 letters"
        yield (), ("is no alert name", why, fix)
    if alert.name not in catalogue.runbooks:
        why, fix = "the person who is woken needs one", f"write runbooks/{alert.name}.md"
        yield (), ("has no runbook", why, fix)


def _times(alert: Alert) -> Iterator[tuple[Loc, Objection]]:
    """`within` is promised for steps of 30 s: a scrape sees the fault, an evaluation the sample, then it waits."""
    wait, soonest = alert.for_, alert.for_ + 2 * INTERVAL
    if 0 < wait < 2 * INTERVAL:
        what = f"waits {format_duration(wait)}, less than two evaluations of {INTERVAL} s"
        why, fix = "a single sample would be enough to fire it", "write `for: 1m` or more, or leave it out"
        yield ("for",), (what, why, fix)
    elif alert.within < soonest:
        what = f"promises to fire within {format_duration(alert.within)} and waits {format_duration(wait)}"
        why = f"a scrape and an evaluation, each up to {INTERVAL} s, come before the wait"
        yield ("within",), (what, why, f"write `within: {format_duration(soonest)}` or more")


def _names(catalogue: Catalogue, alert: Alert, recorded: frozenset[str]) -> Iterator[tuple[Loc, Objection]]:
    for said in sentences.shown_series(alert, recorded):
        yield ("shows",), said
    if alert.against is not None and alert.against not in recorded:
        why, fix = "the dashed limit is a share of it", suggest(alert.against, recorded)
        yield ("against",), (f"compares with `{alert.against}`, which nothing records", why, fix)
    histograms = [name for name, signal in catalogue.signals.items() if signal.type == "histogram"]
    if alert.histogram is not None and alert.histogram not in histograms:
        why, fix = "its bounds decide how exact the alert is", suggest(alert.histogram, histograms)
        yield ("histogram",), (f"rests on `{alert.histogram}`, which is no histogram", why, fix)
    for index, name in enumerate(alert.inhibits_on_card):
        if name not in catalogue.alerts:
            what, why = f"silences `{name}`, which is no alert", "nothing would be silenced"
            yield ("inhibits_on_card", index), (what, why, suggest(name, catalogue.alerts))
    yield from _threshold(catalogue, alert.threshold, ("threshold",))


def _threshold(catalogue: Catalogue, name: str | None, loc: Loc) -> Iterator[tuple[Loc, Objection]]:
    if name is not None and name not in catalogue.thresholds:
        what = f"uses the threshold `{name}`, which is not declared"
        yield loc, (what, "it has no number", suggest(name, catalogue.thresholds))


def _rule(
    catalogue: Catalogue, alert: Alert, rule: Rule, loc: Loc, recorded: frozenset[str]
) -> Iterator[tuple[Loc, Objection]]:
    if rule.threshold != alert.threshold:
        yield from _threshold(catalogue, rule.threshold, (*loc, "threshold"))
    macros = alert_macros(catalogue, rule.threshold)
    for index, said in objections(rule.branches, rule.join, macros, recorded):
        yield (*loc, "expr", index), said
    yield from _fixed(rule, loc)
    yield from _paced(catalogue, rule, loc)
    if rule.fault not in catalogue.faults:
        what = f"names the fault `{rule.fault}`, which is not described"
        yield (*loc, "fault"), (what, "it could not be proven to fire", suggest(rule.fault, catalogue.faults))
    own = rule.description != alert.description
    for said in (
        *sentences.description_objections(alert, rule, recorded),
        *sentences.untold(catalogue, alert, rule),
    ):
        yield ((*loc, "description") if own else ("description",)), said


def _paced(catalogue: Catalogue, rule: Rule, loc: Loc) -> Iterator[tuple[Loc, Objection]]:
    """A page promises times that steps of 30 s allow for; what is recorded seldom comes four of them late."""
    for index, branch in enumerate(rule.branches) if rule.severity == "page" else ():
        for name in sorted(references.series(branch) & catalogue.records.keys()):
            if catalogue.records[name].seldom:
                what = f"pages by `{name}`, which is recorded every two minutes"
                why, fix = (
                    "it would come later than it promises, or not at all",
                    "leave out the record's `seldom`",
                )
                yield (*loc, "expr", index), (what, why, fix)


def _fixed(rule: Rule, loc: Loc) -> Iterator[tuple[Loc, Objection]]:
    for name, value in rule.fixed.items():
        if name in _OWN:
            what, why = f"sets the label `{name}`", "the compiler sets it, and routes rest on it"
            yield (*loc, "set", name), (what, why, "leave it out, or call it otherwise")
        elif "{" in value or "}" in value:
            what, why = f"sets `{name}` to a template", "routes and silences rest on words that stay"
            yield (*loc, "set", name), (what, why, "write a word")
