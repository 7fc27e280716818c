"""What the placeholders of one runbook stand for in one fleet."""

import re

from sre.catalogue import placeholders, references
from sre.catalogue.commands import COMMANDS
from sre.catalogue.runbook_review import query_macros
from sre.catalogue.runbooks import Expectation, Hypothesis, Question, Runbook
from sre.compile import limits, markdown
from sre.compile.alerts import DASHBOARDS
from sre.compile.expansion import fill as fill_macros
from sre.compile.plan import Plan, PlannedAlert
from sre.units import format_duration

_MARKS = {True: " (safe)", False: " (unsafe)", None: ""}


class Words:
    """Fills the templates of one page."""

    def __init__(self, plan: Plan, planned: PlannedAlert, page: Runbook) -> None:
        self._plan, self._alert, self._page = plan, planned.alert, page
        replica = {"replica": ", ".join(plan.identity.replica), "replica_label": plan.identity.replica_label}
        self._macros = replica | query_macros(plan.catalogue, planned.alert)

    def fill(self, template: str) -> str:
        """The text for this fleet's kind of identity, with its numbers and commands."""
        return placeholders.fill(placeholders.choose(template, {self._plan.identity.kind}), self._word)

    def label(self, word: str) -> str:
        """The alert's label behind a word of a query."""
        return self._plan.identity.replica_label if word == "replica" else word

    def _word(self, name: str, argument: str) -> str:
        if name in COMMANDS:
            command = COMMANDS[name][self._plan.identity.kind != "kubernetes"]
            return command if "`" in command else markdown.code(command)
        match name:
            case "threshold":
                known = self._plan.catalogue.thresholds
                return limits.phrase(self._plan, known[argument or self._alert.threshold or ""])
            case "severity":
                return " or ".join(dict.fromkeys(rule.severity for rule in self._alert.rules))
            case "dashboard":
                return self._dashboard()
            case "confirm":
                return "\n".join(self._question(self._page.confirm))
            case "hypotheses":
                numbered = enumerate(self._page.hypotheses, 1)
                return "\n".join(line for number, h in numbered for line in self._hypothesis(number, h))
        alert = self._alert
        return format_duration(
            {"for": alert.for_, "keep": alert.keep_firing_for, "within": alert.within}[name]
        )

    def _dashboard(self) -> str:
        uid, _ = DASHBOARDS[self._alert.level]
        base = self._plan.fleet.grafana_base_url
        return f"[{uid}](<{base.rstrip('/')}/d/{uid}>)" if base else f"`{uid}`"

    def _question(self, question: Question) -> list[str]:
        asked = markdown.code(self._query(question))
        unseen = sorted(references.series(question.query) - self._plan.series.keys())
        if not unseen:
            return [f"- Ask {asked}; true when {self._expected(question.shows)}"]
        names = ", ".join(f"`{name}`" for name in unseen)
        return [
            f"- Ask {asked}; true when {self._expected(question.shows)}",
            f"- Not measured in this fleet: {names}. No answer proves nothing here.",
        ]

    def _hypothesis(self, number: int, hypothesis: Hypothesis) -> list[str]:
        return [
            f"### {number}. {self.fill(hypothesis.name)}",
            *self._question(hypothesis),
            f"- Do{_MARKS[hypothesis.safe]}: {_sentence(self.fill(hypothesis.action))}",
            f"- Worked when: {_sentence(self.fill(hypothesis.verify))}",
        ]

    def _query(self, question: Question) -> str:
        """With this fleet's labels; what comes from the alert stays in braces, under the label's own name."""
        text = fill_macros(" ".join(question.query.split()), self._macros)
        return re.sub(r'"\{(\w+)\}"', lambda m: f'"{{{self.label(m[1])}}}"', text)

    def _expected(self, shows: Expectation) -> str:
        known = self._plan.catalogue.thresholds
        bound = limits.bound(self._plan, known[shows.threshold]) if shows.threshold else f"{shows.bound}"
        return f"**{shows.op} {bound}**: {_sentence(self.fill(shows.words))}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
