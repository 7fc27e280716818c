"""Checks that need the whole catalogue: every name is known, every alert has its page, fault and sentence."""

import re
from collections.abc import Iterator

from sre.catalogue import references
from sre.catalogue.dashboards import review_dashboards
from sre.catalogue.model import Alert, Catalogue
from sre.catalogue.runbook_review import review_runbooks
from sre.findings import Finding
from sre.source import suggest

_NAME = re.compile(r"[A-Z][A-Za-z0-9]{2,39}")


def review(catalogue: Catalogue) -> list[Finding]:
    """All findings about content that is well-formed entry by entry."""
    return [
        *_records(catalogue),
        *_bindings(catalogue),
        *_alerts(catalogue),
        *review_dashboards(catalogue),
        *review_runbooks(catalogue),
    ]


def _where(catalogue: Catalogue, key: str) -> str:
    return catalogue.places.get(key, key)


def known_series(catalogue: Catalogue) -> frozenset[str]:
    return frozenset(catalogue.records) | frozenset(catalogue.baselines.values())


def _unknown(catalogue: Catalogue, expr: str) -> Iterator[tuple[str, str]]:
    known = known_series(catalogue)
    for name in sorted(references.series(expr)):
        if name not in known and not references.static(name):
            yield f"reads the series `{name}`, which nothing records", suggest(name, known)
    for name in sorted(references.signals(expr)):
        if references.signal_of(name, catalogue.signals) not in catalogue.signals:
            yield f"reads the signal `@{name}`, which is not declared", suggest(name, catalogue.signals)


def _records(catalogue: Catalogue) -> Iterator[Finding]:
    for record in catalogue.records.values():
        where = _where(catalogue, f"records.{record.name}")
        for branch in record.branches:
            for what, fix in _unknown(catalogue, branch):
                yield Finding(where, f"`{record.name}` {what}", "the series would never exist", fix)
    for name in catalogue.baselines:
        if name not in catalogue.records:
            yield Finding(
                name,
                f"a baseline of `{name}`, which nothing records",
                "it would never exist",
                suggest(name, catalogue.records),
            )


def _bindings(catalogue: Catalogue) -> Iterator[Finding]:
    for section in ("engines", "gpus", "usage"):
        for kind, binding in getattr(catalogue, section).items():
            for name in binding.signals:
                if name not in catalogue.signals:
                    yield Finding(
                        _where(catalogue, f"{section}.{kind}"),
                        f"binds `{name}`, which is no signal",
                        "nothing would read it",
                        suggest(name, catalogue.signals),
                    )


def _alerts(catalogue: Catalogue) -> Iterator[Finding]:
    for alert in catalogue.alerts.values():
        where = _where(catalogue, f"alerts.{alert.name}")
        for what, why, fix in _objections(catalogue, alert):
            yield Finding(where, f"{alert.name} {what}", why, fix)


def _objections(catalogue: Catalogue, alert: Alert) -> Iterator[tuple[str, str, str]]:
    if not _NAME.fullmatch(alert.name):
        yield (
            "is no alert name",
            "it becomes a label, a file and a URL",
            "write CamelCase of at most 40 letters",
        )
    if alert.name not in catalogue.runbooks:
        yield "has no runbook", "the person who is woken needs one", f"write runbooks/{alert.name}.md"
    for rule in alert.rules:
        if rule.fault not in catalogue.faults:
            yield (
                f"names the fault `{rule.fault}`, which is not described",
                "it could not be proven to fire",
                suggest(rule.fault, catalogue.faults),
            )
        if rule.threshold and rule.threshold not in catalogue.thresholds:
            yield (
                f"uses the threshold `{rule.threshold}`, which is not declared",
                "it has no number",
                suggest(rule.threshold, catalogue.thresholds),
            )
        for branch in rule.branches:
            for what, fix in _unknown(catalogue, branch):
                yield what, "the alert could never fire", fix
            if references.signals(branch):
                yield "reads raw signals", "engine names end at level 0", "record a series and read that"
