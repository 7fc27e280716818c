"""Checks of runbooks against the whole catalogue: what they ask exists, and what they link is there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sre.catalogue import known, placeholders, references
from sre.catalogue.model import Alert, Catalogue
from sre.catalogue.runbooks import Question, Runbook
from sre.catalogue.typed_numbers import drifted, typed
from sre.findings import Finding, Severity
from sre.promql import check, series_read
from sre.source import suggest

ASKS: dict[str, frozenset[str]] = {
    "pool": frozenset({"pool"}),
    "replica": frozenset({"pool", "replica", "host"}),
    "gpu": frozenset({"pool", "replica", "uuid", "host"}),
    "host": frozenset({"host", "pool"}),
    "model": frozenset({"model", "pool"}),
    "fleet": frozenset(),
}
"""Words that the labels of an alert of each level can fill."""

_MACRO = re.compile(r"\$([a-z_]+)")
_MATCHERS = re.compile(r"\{([^{}]*)\}")
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]*)\)")
_ALERT = re.compile(r"\b(?:LLM|GPU)(?:[A-Z]+[a-z][A-Za-z]*)+\b|\bWatchdog\b")


@dataclass(frozen=True)
class _Problem:
    line: int
    what: str
    fix: str
    why: str = "the page would mislead whoever is woken"
    severity: Severity = "error"


def review_runbooks(catalogue: Catalogue) -> list[Finding]:
    """All findings about pages that are well-formed one by one."""
    pages: list[Runbook] = [catalogue.runbooks[name] for name in sorted(catalogue.runbooks)]
    recorded = known.series(catalogue)
    return [
        Finding(f"{page.file}:{p.line}", p.what, p.why, p.fix, p.severity)
        for page in pages
        for p in _problems(catalogue, recorded, page)
    ]


def _problems(catalogue: Catalogue, recorded: frozenset[str], page: Runbook) -> Iterator[_Problem]:
    alert = catalogue.alerts.get(page.name)
    if alert is None:
        fix = suggest(page.name, catalogue.alerts)
        yield _Problem(1, f"a runbook for `{page.name}`, which is no alert", fix, "nobody is ever sent here")
        return
    for line, question in zip(page.query_lines, page.questions, strict=True):
        for what, fix in _asked(catalogue, recorded, alert, question):
            yield _Problem(line, f"`{question.query}` {what}", fix, "it would have no answer at night")
    for start, text in page.texts:
        for at, what, fix in (*_links(catalogue, text), *_names(catalogue, recorded, alert, text)):
            yield _Problem(start + text.count("\n", 0, at), what, fix)
    line, related = page.sections().get("Related", (page.line, ""))
    if not _LINK.search(related):
        yield _Problem(line, "links to no related page", "write `[LLMEngineDown](LLMEngineDown.md)`")
    yield from _numbers(catalogue, alert, page)


def _asked(
    catalogue: Catalogue, recorded: frozenset[str], alert: Alert, question: Question
) -> Iterator[tuple[str, str]]:
    macros = {"replica_label": "pod", "replica": "pool, namespace, pod"} | query_macros(catalogue, alert)
    for name in sorted(set(_MACRO.findall(question.query)) - macros.keys()):
        yield f"uses `${name}`, which stands for nothing", suggest(name, macros)
    query = _MACRO.sub(lambda m: macros.get(m[1], "x"), question.query)
    said = check(query)
    if said:
        yield f"does not parse: {said}", "correct the PromQL"
        return
    carried = ASKS[alert.level]
    for name in sorted(series_read(query) - recorded):
        yield f"reads `{name}`, which nothing records", suggest(name, recorded)
    for word in sorted(question.asked() - carried):
        yield f"asks for {{{word}}}, which no alert of level {alert.level} carries", suggest(word, carried)
    limit = question.shows.threshold
    if limit and limit not in catalogue.thresholds:
        yield f"compares with `${limit}`, which is no threshold", suggest(limit, catalogue.thresholds)


def query_macros(catalogue: Catalogue, alert: Alert) -> dict[str, str]:
    """What `$name` stands for in a query, beside the fleet's own labels.

    The catalogue's constants, and `$when_VALUE`: the matchers of the alert's rule that sets a label to VALUE.
    """
    constants = {name: "|".join(values) for name, values in catalogue.constants.items()}
    when = {
        f"when_{value}": found[1]
        for rule in alert.rules
        for value in rule.fixed.values()
        if (found := _MATCHERS.search(rule.branches[0]))
    }
    return constants | when


def _links(catalogue: Catalogue, text: str) -> Iterator[tuple[int, str, str]]:
    for match in _LINK.finditer(text):
        name = match[1].removesuffix(".md")
        there = name in catalogue.runbooks and match[1].endswith(".md")
        if not there and not match[1].startswith("https://"):
            yield (
                match.start(),
                f"links to `{match[1]}`, which is not there",
                suggest(name, catalogue.runbooks),
            )


def _names(
    catalogue: Catalogue, recorded: frozenset[str], alert: Alert, text: str
) -> Iterator[tuple[int, str, str]]:
    """Alerts, series and thresholds that are only named."""
    alerts = dict.fromkeys(m[0] for m in _ALERT.finditer(text))
    for kind, named, there in (
        ("alert", alerts, catalogue.alerts),
        ("recorded series", sorted(references.series(text)), recorded),
    ):
        for name in named:
            if name not in there:
                yield text.index(name), f"names `{name}`, which is no {kind}", suggest(name, there)
    for field, argument in sorted(placeholders.fields(text)):
        limit = argument or alert.threshold or ""
        if field == "threshold" and limit not in catalogue.thresholds:
            fix = suggest(limit, catalogue.thresholds)
            yield text.index("{{threshold"), f"asks for the threshold `{limit}`, which is not declared", fix


def _numbers(catalogue: Catalogue, alert: Alert, page: Runbook) -> Iterator[_Problem]:
    why = "it stays behind when the rule or the fleet changes"
    for line, what in typed(catalogue, alert, page):
        fix = "write {{threshold}}, {{threshold:NAME}}, {{for}}, {{keep}} or {{within}}"
        yield _Problem(line, f"types `{what}`, a number of the alert's own", fix, why, "warning")
    for line, what in drifted(alert, page):
        yield _Problem(line, what, "write the rule's number", why, "warning")
