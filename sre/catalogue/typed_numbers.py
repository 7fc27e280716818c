"""Numbers that a runbook types although the alert or the fleet owns them: they would stay behind on the next change."""

import re
from collections.abc import Iterator
from decimal import Decimal

from sre.catalogue import references
from sre.catalogue.model import Alert, Catalogue, Threshold
from sre.catalogue.runbooks import Runbook
from sre.units import format_duration, format_number

_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
_MATCHERS = r"""(?:\{(?:"[^"]*"|[^}"])*\})?"""
_COMPARISON = re.compile(rf"\b([a-z_]+:[a-z0-9_]+:[a-z0-9_]+){_MATCHERS} *(==|!=|>=|<=|>|<) *(-?[0-9.]+)")


def typed(catalogue: Catalogue, alert: Alert, page: Runbook) -> Iterator[tuple[int, str]]:
    """(line, number) of thresholds and durations spelled out in prose or typed as an expected answer.

    Code in prose is left alone: the window of a query may well be as long as the alert's `for`.
    """
    limits = [catalogue.thresholds[name] for name in _own(alert) if name in catalogue.thresholds]
    durations = (alert.for_, alert.keep_firing_for, alert.within)
    spelled = {s for limit in limits for s in _spelled(limit)} | {
        s for d in durations if d for s in _lasting(d)
    }
    for start, text in page.texts:
        bare = _CODE.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)
        for spelling in sorted(s for s in spelled if s in bare):
            for match in re.finditer(rf"(?<![\w.]){re.escape(spelling)}(?!\w|\.\d)", bare):
                yield start + bare.count("\n", 0, match.start()), spelling
    for line, question in zip(page.query_lines, page.questions, strict=True):
        bound = question.shows.bound
        units = {
            catalogue.records[n].unit for n in references.series(question.query) if n in catalogue.records
        }
        plain = "/" not in question.query and bound is not None
        if plain and any(limit.default == bound and units == {limit.unit} for limit in limits):
            yield line, f"{question.shows.op} {bound}"


def drifted(alert: Alert, page: Runbook) -> Iterator[tuple[int, str]]:
    """Comparisons of the page and of the rule that look at the same series and disagree about the number."""
    rule = {(n, op): value for r in alert.rules for b in r.branches for n, op, value in _comparisons(b)}
    for line, question in zip(page.query_lines, page.questions, strict=True):
        whole = f"{question.query} {question.shows.op} {question.shows.bound}"
        for name, op, value in _comparisons(whole):
            if rule.get((name, op), value) != value:
                yield line, f"compares `{name} {op} {value}`, the rule `{name} {op} {rule[name, op]}`"


def _comparisons(expr: str) -> list[tuple[str, str, str]]:
    """(series, operator, number) wherever a series is compared with a number as it is."""
    return _COMPARISON.findall(expr)


def _own(alert: Alert) -> list[str]:
    return [name for name in dict.fromkeys([alert.threshold, *(r.threshold for r in alert.rules)]) if name]


def _spelled(threshold: Threshold) -> Iterator[str]:
    """The default as people write it; a bare small count is too common a word to look for."""
    value = threshold.default
    if value is None:
        return
    number, hundred = format_number(value), format_number(value * 100)
    match threshold.unit:
        case "ratio":
            yield from (f"{hundred}%", f"{hundred} %")
        case "seconds":
            thousand = format_number(value * 1000)
            yield from (format_duration(value), f"{number} s", f"{number} seconds", f"{thousand} ms")
        case "celsius":
            yield from (f"{number} C", f"{number} °C", f"{number} degrees")
        case unit:
            yield from (f"{number} {unit}", f"{number}/s", f"{number} a second")


def _lasting(seconds: int) -> Iterator[str]:
    yield from (format_duration(seconds), f"{seconds} s", f"{seconds} seconds")
    if seconds % 60 == 0:
        minutes = format_number(Decimal(seconds) / 60)
        yield from (f"{minutes} m", f"{minutes} min", f"{minutes} minutes")
