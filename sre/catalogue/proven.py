"""Which faults prove which rules."""

from collections.abc import Iterator

from sre.catalogue.faults import Fault
from sre.catalogue.model import Alert, Catalogue, Rule


def called(word: str, alert: Alert, rule: Rule) -> bool:
    """Whether a fault means this rule: `Name`, or `Name part` with its severity or one of its fixed labels."""
    name, _, part = word.partition(" ")
    return name == alert.name and part in ("", rule.severity, *rule.fixed.values())


def proving(catalogue: Catalogue, alert: Alert, rule: Rule) -> Iterator[Fault]:
    """Faults that must fire a rule."""
    for fault in catalogue.faults.values():
        if rule.fault == fault.name or any(called(word, alert, rule) for word in fault.fires):
            yield fault
