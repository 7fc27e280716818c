"""Checks of runbooks against the whole catalogue: what they ask exists, what they link is there, no number is typed twice."""

import re
from collections.abc import Iterator
from decimal import Decimal

from sre.catalogue import placeholders, references
from sre.catalogue.model import Alert, Catalogue, Threshold
from sre.catalogue.runbooks import Question, Runbook
from sre.findings import Finding
from sre.promql import check, series_read
from sre.source import suggest
from sre.units import format_duration, format_number

_ASKS = {
    "pool": {"pool"},
    "replica": {"pool", "replica", "host"},
    "gpu": {"pool", "replica", "uuid", "host"},
    "host": {"host", "pool"},
    "model": {"model", "pool"},
    "fleet": set[str](),
}
"""Which words the labels of an alert of each level can fill."""

_MACROS = {"$replica_label": "pod", "$replica": "pool, namespace, pod"}
_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]*)\)")
_ALERT = re.compile(r"\b(?:LLM|GPU)(?:[A-Z]+[a-z][A-Za-z]*)+\b|\bWatchdog\b")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def review_runbooks(catalogue: Catalogue) -> list[Finding]:
    """All findings about pages that are well-formed one by one."""
    return [finding for name in sorted(catalogue.runbooks) for finding in _page(catalogue, catalogue.runbooks[name])]


def _page(catalogue: Catalogue, page: Runbook) -> Iterator[Finding]:
    alert = catalogue.alerts.get(page.name)
    if alert is None:
        yield Finding(f"{page.file}:1", f"a runbook for `{page.name}`, which is no alert", "nobody is ever sent here",
                      suggest(page.name, catalogue.alerts))  # fmt: skip
        return
    for question in page.questions:
        for what, fix in _question(catalogue, alert, question):
            yield Finding(f"{page.file}:1", f"`{question.query}` {what}", "it would have no answer at night", fix)
    for line, what, fix in _prose(catalogue, alert, page):
        inside = line <= page.body.count("\n")
        yield Finding(f"{page.file}:{page.line + line if inside else 1}", what, "the page would mislead", fix)
    for line, number in _typed(catalogue, alert, page):
        inside = line <= page.body.count("\n")
        yield Finding(f"{page.file}:{page.line + line if inside else 1}", f"types `{number}`, a number of the alert's own",
                      "it stays behind when the fleet sets another", "write {{threshold}}, {{threshold:NAME}}, {{for}} or {{within}}",
                      "warning")  # fmt: skip


def _question(catalogue: Catalogue, alert: Alert, question: Question) -> Iterator[tuple[str, str]]:
    query = question.query
    for macro, value in _MACROS.items():
        query = query.replace(macro, value)
    said = check(query)
    if said:
        yield f"does not parse: {said}", "correct the PromQL"
        return
    known = known_series(catalogue)
    for name in sorted(series_read(query) - known):
        yield f"reads `{name}`, which nothing records", suggest(name, known)
    for word in sorted(question.asked() - _ASKS[alert.level]):
        yield f"asks for {{{word}}}, which an alert of level {alert.level} does not carry", suggest(word, _ASKS[alert.level])
    limit = question.shows.threshold
    if limit and limit not in catalogue.thresholds:
        yield f"compares with `${limit}`, which is no threshold", suggest(limit, catalogue.thresholds)


def known_series(catalogue: Catalogue) -> frozenset[str]:
    """Recorded series and those that the compiler writes from the fleet file."""
    limits = {f"{'fleet' if t.fleet else 'pool'}:{t.name}:threshold" for t in catalogue.thresholds.values()}
    static = {"pool:fleet:info", "model:fleet:info", "fleet:business_hours:state", "fleet:utc_offset:seconds",
              "pool_signal:missing:state", "pool:signals_missing:count"}  # fmt: skip
    return frozenset(catalogue.records) | frozenset(catalogue.baselines.values()) | limits | static


def _prose(catalogue: Catalogue, alert: Alert, page: Runbook) -> Iterator[tuple[int, str, str]]:
    text = page.prose
    for match in _LINK.finditer(text):
        target = match[1]
        if not target.startswith("https://") and target.removesuffix(".md") not in catalogue.runbooks:
            yield _line(text, match), f"links to `{target}`, which is not there", suggest(target, catalogue.runbooks)
    if not _LINK.search(page.sections().get("Related", (0, ""))[1]):
        yield page.body.count("\n"), "links to no related page", "write `[LLMEngineDown](LLMEngineDown.md)`"
    for match in _ALERT.finditer(text):
        if match[0] not in catalogue.alerts:
            yield _line(text, match), f"names `{match[0]}`, which is no alert", suggest(match[0], catalogue.alerts)
    known = known_series(catalogue)
    for name in sorted(references.series(text) - known):
        yield text.count("\n", 0, text.index(name)), f"names the series `{name}`, which nothing records", suggest(name, known)
    for name, argument in sorted(placeholders.fields(text)):
        limit = argument or alert.threshold
        if name == "threshold" and limit not in catalogue.thresholds:
            yield (text.count("\n", 0, text.index("{{threshold")), f"asks for the threshold `{limit}`, which is not declared",
                   suggest(limit or "", catalogue.thresholds))  # fmt: skip


def _line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start())


def _typed(catalogue: Catalogue, alert: Alert, page: Runbook) -> Iterator[tuple[int, str]]:
    """Numbers of the alert itself, spelled out in prose. Code is left alone: a window of a query may well be as long."""
    text = _CODE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), page.prose)
    spellings = {s for t in _limits(catalogue, alert) for s in _spelled(t)} | {
        s for seconds in (alert.for_, alert.keep_firing_for, alert.within) if seconds for s in _lasting(seconds)
    }
    for spelling in sorted(spellings):
        for match in re.finditer(rf"(?<![\w.]){re.escape(spelling)}(?![\w.]*\d|\w)", text):
            yield _line(text, match), spelling
    for question in page.questions:
        for limit in _limits(catalogue, alert):
            if limit.default == question.shows.bound and limit.unit in ("ratio", "seconds", "celsius"):
                yield page.body.count("\n") + 1, f"{question.shows.op} {question.shows.bound}"


def _limits(catalogue: Catalogue, alert: Alert) -> list[Threshold]:
    names = dict.fromkeys([alert.threshold, *(rule.threshold for rule in alert.rules)])
    return [catalogue.thresholds[name] for name in names if name in catalogue.thresholds]


def _spelled(threshold: Threshold) -> Iterator[str]:
    """The default as people write it; a bare small count is too common a word to look for."""
    value = threshold.default
    if value is None:
        return
    number = format_number(value)
    if threshold.unit == "ratio":
        yield from (f"{format_number(value * 100)}%", f"{format_number(value * 100)} %")
    elif threshold.unit == "seconds":
        yield from (format_duration(value), f"{number} s", f"{number} seconds", f"{format_number(value * 1000)} ms")
    elif threshold.unit == "celsius":
        yield from (f"{number} C", f"{number} °C", f"{number} degrees")
    else:
        yield from (f"{number} {threshold.unit}", f"{number}/s", f"{number} a second")


def _lasting(seconds: int) -> Iterator[str]:
    yield format_duration(seconds)
    yield from (f"{seconds} s", f"{seconds} seconds")
    if seconds % 60 == 0:
        minutes = format_number(Decimal(seconds) / 60)
        yield from (f"{minutes} m", f"{minutes} min", f"{minutes} minutes")
