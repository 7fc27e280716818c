"""What is wrong with the texts of an alert: what stands in braces is filled in, and nothing else may stand in any."""

import re
from collections.abc import Collection, Iterator

from sre.catalogue import references
from sre.catalogue.expressions import Objection
from sre.catalogue.model import Alert, Catalogue, Rule
from sre.catalogue.proven import proving
from sre.source import show, suggest

FIELD = re.compile(r"\{([a-z_][a-z0-9_:]*)(?:\|([a-z_]+))?\}")
"""`{word}`, `{series}`, or `{series|label}`."""

_BRACES = re.compile(r"\{+[^{}\s]*\}*|\}+")

_LEVEL: dict[str, tuple[str, ...]] = {
    "pool": ("pool", "team"),
    "replica": ("pool", "replica", "team"),
    "gpu": ("gpu", "gpu_model", "host", "pool", "replica", "team", "uuid"),
    "host": ("host", "pool", "team"),
    "model": ("model", "pool", "team"),
    "fleet": ("team",),
}
"""Labels that the alerts of a level carry in every kind of fleet."""

_CONSUMER = ("consumer", "model")
"""Labels that series of a consuming team have, whatever level their alert is on."""

_ASKED = {
    "consumer": "consumer",
    "replica": "replica",
    "gpu": "uuid",
    "host": "host",
    "model": "model",
    "pool": "pool",
}
"""Level of a series -> the label that an alert needs for its own to be found."""

_BARE = "it would be sent as it stands, or break the template that Prometheus reads"


def labels(alert: Alert, rule: Rule) -> tuple[str, ...]:
    """Every label that a rule's alerts carry, by the words that a sentence has for them."""
    return tuple(sorted({*_known(alert, rule), *alert.labels}))


def _known(alert: Alert, rule: Rule) -> set[str]:
    """Labels whose values follow from what the alert is about."""
    read = references.levels(rule.branches)
    return {*_LEVEL[alert.level], *(_CONSUMER if "consumer" in read else ()), "severity", *rule.fixed}


def summary_objections(summary: str) -> Iterator[Objection]:
    """A summary is one text for all alerts of a name."""
    for braces in _BRACES.findall(summary):
        yield (
            f"has `{braces}` in its summary",
            f"{_BARE}: only a description has numbers in it",
            "leave it out",
        )


def description_objections(alert: Alert, rule: Rule, recorded: Collection[str]) -> Iterator[Objection]:
    """What the sentence asks for and will not get."""
    known = labels(alert, rule)
    for match in FIELD.finditer(rule.description):
        if ":" in match[1]:
            yield from _series(match[0], match[1], known, recorded)
        elif match[2] or match[1] not in (*known, "value", "threshold"):
            words = ("value", "threshold", *known)
            yield f"says `{match[0]}`, which its alerts do not carry", _BARE, suggest(match[1], words)
        elif match[1] == "threshold" and rule.threshold is None:
            yield "says `{threshold}` and has none", _BARE, "give the rule a `threshold`, or leave it out"
    for braces in _BRACES.findall(FIELD.sub("", rule.description)):
        yield (
            f"says `{braces}`, which means nothing here",
            _BARE,
            "write {value}, {threshold}, {label} or {series}",
        )


def _series(
    field: str, name: str, carried: Collection[str], recorded: Collection[str]
) -> Iterator[Objection]:
    if name not in recorded:
        yield f"says `{field}`, which nothing records", "it would always be unknown", suggest(name, recorded)
        return
    if label := _missing(name, carried):
        what = f"says `{field}`, of which each {label} has one"
        fix = "show a series of the alert's own level, such as a sum or maximum"
        yield what, f"its alerts do not carry the label {label}, and it would always be unknown", fix


def _missing(series: str, carried: Collection[str]) -> str | None:
    """The label without which nobody knows which series is meant."""
    label = _ASKED.get(re.split("[:_]", series, maxsplit=1)[0])
    return label if label not in carried else None


def untold(catalogue: Catalogue, alert: Alert, rule: Rule) -> Iterator[Objection]:
    """Labels in the sentence whose values nobody can know but the fault that proves it, and that it does not tell."""
    given = _known(alert, rule)
    words = {m[1] for m in FIELD.finditer(rule.description) if ":" not in m[1]} - {"value", "threshold"}
    for fault in proving(catalogue, alert, rule):
        told = fault.labels.get(alert.name) or ({},)
        for word in sorted(words & {*alert.labels} - given):
            if fault.numbers and any(word not in each for each in told):
                what = f"says `{{{word}}}`, and its fault {show(fault.name)} does not tell which"
                fix = f"add `labels: {{{alert.name}: [{{{word}: ...}}]}}` to the fault"
                yield what, "the sentence could not be proven", fix


def shown_series(alert: Alert, recorded: Collection[str]) -> Iterator[Objection]:
    """An alert shows one recorded series, or nothing but itself."""
    if alert.shows not in recorded and references.series(alert.shows) | {alert.shows} != {"vector(1)"}:
        what = f"shows {show(alert.shows)}, which nothing records"
        fix = suggest(alert.shows, recorded)
        yield what, "its panel would be empty, and its sentence could not be proven", fix
    elif label := _missing(alert.shows, labels(alert, alert.rules[0])):
        what = (
            f"shows {show(alert.shows)}, of which each {label} has one, but is told for a whole {alert.level}"
        )
        fix = f"show a series of the level {alert.level}, or give the alert the level of its series"
        yield what, "nobody would know which of them is meant", fix
