"""What the placeholders of one runbook stand for in one fleet."""

import re
from collections.abc import Mapping

from sre.catalogue import placeholders, references
from sre.catalogue.commands import COMMANDS
from sre.catalogue.runbook_review import query_macros
from sre.catalogue.runbooks import Expectation, Hypothesis, Question, Runbook
from sre.compile import markdown
from sre.compile.alerts import DASHBOARDS
from sre.compile.expansion import fill as fill_macros
from sre.compile.limits import Limits, of_alert
from sre.compile.plan import Plan, PlannedAlert
from sre.units import format_duration

_MARKS = {True: " (safe)", False: " (unsafe)", None: ""}


class Words:
    """Fills the templates of one page."""

    def __init__(self, plan: Plan, limits: Limits, planned: PlannedAlert) -> None:
        self._plan, self._limits, self._alert = plan, limits, planned.alert
        self._page: Runbook = plan.catalogue.runbooks[planned.alert.name]
        replica = {"replica": ", ".join(plan.identity.replica), "replica_label": plan.identity.replica_label}
        self._macros = replica | query_macros(plan.catalogue, planned.alert)

    def body(self) -> str:
        """The Markdown of the page."""
        return self.fill(self._page.body).strip("\n")

    def section(self, name: str) -> str:
        """What stands under one heading."""
        _, text = self._page.sections()[name]
        return self.fill(text).strip("\n")

    def labels(self) -> list[str]:
        """Labels of the alert that the queries ask for."""
        return sorted({self._label(word) for question in self._page.questions for word in question.asked()})

    def table(self, states: Mapping[str, str]) -> list[str]:
        """The alert's limits by pool."""
        return self._limits.table(of_alert(self._alert, self._plan.catalogue), states)

    def fill(self, template: str) -> str:
        """The text for this fleet's kind of identity, with its numbers and commands."""
        return placeholders.fill(placeholders.choose(template, {self._plan.identity.kind}), self._word)

    def _word(self, name: str, argument: str) -> str:
        if name in COMMANDS:
            command = COMMANDS[name][self._plan.identity.kind != "kubernetes"]
            return command if "`" in command else markdown.code(command)
        match name:
            case "threshold":
                return self._limits.phrase(argument or self._alert.threshold or "")
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

    def _label(self, word: str) -> str:
        return self._plan.identity.replica_label if word == "replica" else word

    def _query(self, question: Question) -> str:
        """With this fleet's labels; what comes from the alert stays in braces, under the label's own name."""
        text = fill_macros(" ".join(question.query.split()), self._macros)
        return re.sub(r'"\{(\w+)\}"', lambda m: f'"{{{self._label(m[1])}}}"', text)

    def _expected(self, shows: Expectation) -> str:
        bound = self._limits.bound(shows.threshold) if shows.threshold else f"{shows.bound}"
        return f"**{shows.op} {bound}**: {_sentence(self.fill(shows.words))}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
