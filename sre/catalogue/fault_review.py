"""What is wrong with a fault: whatever it names must exist, or it would silently prove less than it says."""

from collections.abc import Iterator

from sre import promql
from sre.catalogue import known, references
from sre.catalogue.faults import GIVEN, INPUTS, Fault, Story
from sre.catalogue.formula import Formula
from sre.catalogue.model import Alert, Catalogue
from sre.findings import Finding
from sre.source import Loc, suggest

_LESS = "the fault would prove less than it says"
# A number that is asked for has no input of its own whose healthy value it could be.
_USUAL = tuple(name for name in (*GIVEN, *INPUTS) if name != "healthy")
_Said = tuple[Loc, str, str]


def review_faults(catalogue: Catalogue) -> Iterator[Finding]:
    """All findings about faults that are well-formed one by one."""
    for fault in catalogue.faults.values():
        said = [*_fault(catalogue, fault), *_story(catalogue, fault, ())]
        for name, story in fault.silent.items():
            said += _story(catalogue, story, ("silent", name))
        for loc, what, fix in said:
            where = catalogue.where("faults", fault.name, *loc)
            yield Finding(where, f"the fault `{fault.name}` {what}", _LESS, fix)


def _fault(catalogue: Catalogue, fault: Fault) -> Iterator[_Said]:
    for index, word in enumerate(fault.fires):
        yield from _called(catalogue, word, ("fires", index))
    for name in fault.labels:
        if name not in catalogue.alerts:
            yield ("labels", name), f"labels `{name}`, which is no alert", suggest(name, catalogue.alerts)
    if fault.value:
        yield from _formula(fault.value, (*_USUAL, *known.series(catalogue)), ("value",))
    recorded = known.series(catalogue)
    for expr, number in fault.holds.items():
        loc = ("holds", expr)
        yield from _formula(number, _USUAL, loc)
        if error := promql.check(expr):
            yield loc, f"asks what does not parse: {error}", "correct the PromQL"
            continue
        for name in sorted(promql.series_read(expr)):
            if references.series(name) and name not in recorded:
                yield loc, f"asks for `{name}`, which nothing records", suggest(name, recorded)


def _story(catalogue: Catalogue, story: Story, loc: Loc) -> Iterator[_Said]:
    for index, word in enumerate(story.also):
        yield from _called(catalogue, word, (*loc, "also", index))
    usable = (*GIVEN, *INPUTS, *catalogue.thresholds)
    for name, number in story.before.items():
        yield from _formula(number, usable, (*loc, "before", name))
    for index, step in enumerate(story.steps):
        at = (*loc, "then", index - 1) if index else loc
        for name, number in step.set.items():
            yield from _formula(number, usable, (*at, "set", name))
        for place, signal in enumerate(step.hide):
            if signal not in catalogue.signals:
                what, fix = f"hides `{signal}`, which is no signal", suggest(signal, catalogue.signals)
                yield (*at, "hide", place), what, fix


def _called(catalogue: Catalogue, word: str, loc: Loc) -> Iterator[_Said]:
    """`Name`, or `Name part` with the severity or a fixed label of one of its rules."""
    name, _, part = word.partition(" ")
    alert = catalogue.alerts.get(name)
    if alert is None:
        yield loc, f"names `{name}`, which is no alert", suggest(name, catalogue.alerts)
    elif part and part not in (parts := _parts(alert)):
        yield loc, f"names `{word}`, but {name} has no such rule", suggest(part, parts)


def _parts(alert: Alert) -> set[str]:
    return {part for rule in alert.rules for part in (rule.severity, *rule.fixed.values())}


def _formula(number: Formula, usable: tuple[str, ...], loc: Loc) -> Iterator[_Said]:
    for name in sorted(number.names - set(usable)):
        yield loc, f"computes with `{name}`, which nobody knows", suggest(name, usable)
