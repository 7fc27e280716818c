"""The error rules of exporters/gateways, asked about an engine's answer."""

from collections.abc import Callable, Sequence

from sre.usage.asgi.shapes import Problem
from sre.usage.formats.errors import ErrorRules
from sre.usage.formats.model import Rule

Classify = Callable[[Problem, int], str]
"""From a problem and the status that it came with to one of ``ERROR_TYPES``."""


def classifier(rules: Sequence[Rule]) -> Classify:
    """Asks the rules; a problem's own code says more than the status."""
    asked = ErrorRules(rules)

    def classify(problem: Problem, status: int) -> str:
        return asked.decide(problem.type or "", str(problem.code or status), "", problem.message or "")

    return classify
