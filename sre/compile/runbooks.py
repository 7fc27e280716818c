"""Runbooks with this fleet's own numbers, commands and rules in them: one Markdown page per alert."""

import re
from collections.abc import Iterator

from sre.catalogue import placeholders, references
from sre.catalogue.commands import COMMANDS
from sre.catalogue.runbooks import Expectation, Hypothesis, Question, Runbook
from sre.compile import limits, markdown
from sre.compile.alerts import DASHBOARDS
from sre.compile.expansion import fill as fill_macros
from sre.compile.plan import Plan, PlannedAlert
from sre.compile.setup import setup
from sre.units import format_duration
from sre.write import Artefact

RESPONSES = {
    "page": "someone was woken; act now",
    "ticket": "act within the working day",
    "info": "for your next look at capacity; nobody waits for you",
    "none": "kept for the record; nobody is told",
}
"""What each severity promises."""


def render(plan: Plan) -> Iterator[Artefact]:
    """``runbooks/NAME.md`` for every alert, so that every link between pages leads somewhere."""
    for planned in plan.alerts:
        page = plan.catalogue.runbooks[planned.alert.name]
        lines = _blind(plan, planned, page) if planned.state == "blind" else _page(plan, planned, page)
        yield Artefact(f"runbooks/{planned.alert.name}.md", "\n".join(lines) + "\n")


def _page(plan: Plan, planned: PlannedAlert, page: Runbook) -> list[str]:
    words = _Words(plan, planned, page)
    body = words.fill(page.body).strip("\n").split("\n")
    table = limits.table(plan.fleet, limits.of_alert(planned.alert, plan.catalogue), planned.pools)
    return [
        *_head(planned), *_facts(planned),
        *_spaced(_missing_counters(planned)), *_spaced(table),
        *_spaced(setup("\n".join(body), planned.alert.level, plan.identity)),
        "", *body, *_rules(planned),
    ]  # fmt: skip


def _head(planned: PlannedAlert) -> list[str]:
    return [f"# {planned.alert.name}", "", f"{planned.alert.summary}."]


def _facts(planned: PlannedAlert) -> list[str]:
    """Severity, delays, and which rule says what where there are several."""
    alert = planned.alert
    timing = f"Fires at most {format_duration(alert.within)} after the fault" + (
        f", once it has lasted {format_duration(alert.for_)}" if alert.for_ else ""
    ) + (f"; stays {format_duration(alert.keep_firing_for)} after the last sign" if alert.keep_firing_for else "")  # fmt: skip
    used = list(dict.fromkeys((alert.rules[i].severity, alert.rules[i].description) for i in planned.sources))
    if len(used) == 1:
        return [f"**{used[0][0]}**: {RESPONSES[used[0][0]]}. {timing}."]
    told = [f"- **{severity}**, {RESPONSES[severity]}: \"{description.strip()}\"" for severity, description in used]
    return [f"{timing}.", *told]


def _missing_counters(planned: PlannedAlert) -> list[str]:
    if not planned.counters:
        return []
    names = ", ".join(f"`{counter}`" for counter in planned.counters)
    lead = "It is **blind** until" if planned.state == "needs_counter" else "It sees more once"
    return [f"{lead} the GPU exporter sends {names}: add their lines of `dcgm/counters.csv` to its list."]


def _spaced(lines: list[str]) -> list[str]:
    return ["", *lines] if lines else []


def _rules(planned: PlannedAlert) -> list[str]:
    """The conditions as Prometheus has them."""
    told = "\n".join(f"# {r.labels.get('severity', '')}{_fixed(r.labels)}\n{r.expr}" for r in planned.rules)
    return ["", "## The rule in Prometheus", *markdown.block(told, "promql")]


def _fixed(labels: dict[str, str]) -> str:
    return "".join(f", {name} {value}" for name, value in labels.items() if name not in ("severity", "team"))


def _blind(plan: Plan, planned: PlannedAlert, page: Runbook) -> list[str]:
    """Why it cannot fire here, how to change that, and what it would say."""
    reasons = [f"- {markdown.plain(reason)}" for reason in planned.reasons]
    _, meaning = page.sections()["Meaning"]
    return [
        *_head(planned), "",
        "**Blind in this fleet**: no rule was written for it, because it could never fire. Nobody watches for this here.",
        "", "## Why", *reasons, "", "## How to make it see", *(f"- {step}" for step in _remedies(planned)),
        "", "## What it would tell you", *_Words(plan, planned, page).fill(meaning).strip("\n").split("\n"),
    ]  # fmt: skip


def _remedies(planned: PlannedAlert) -> Iterator[str]:
    told = " ".join(planned.reasons)
    if "usage_exporter" in told:
        yield "Run `sre exporter` beside the gateway and declare `usage_exporter: {job: NAME}` in the fleet file."
    if "gpu_exporter" in told:
        yield "Run dcgm-exporter on the GPU nodes and declare `gpu_exporter: {kind: dcgm, version: ...}` in the fleet file."
    if "objectives." in told or "thresholds." in told:
        yield "Write the objective or limit down for the pool in the fleet file: batch pools have no default."
    if "comes with" in told or "exposes no" in told:
        yield "Upgrade the engine to the release named above, and change `engine.version` in the fleet file."
    yield "Generate again; then `sre doctor` says whether the data arrives."


class _Words:
    """What the placeholders of one page stand for in one fleet."""

    def __init__(self, plan: Plan, planned: PlannedAlert, page: Runbook) -> None:
        self._plan, self._planned, self._page = plan, planned, page
        self._conditions = {plan.identity.kind}
        self._macros = {"replica": ", ".join(plan.identity.replica), "replica_label": plan.identity.replica_label}

    def fill(self, template: str) -> str:
        return placeholders.fill(placeholders.choose(template, self._conditions), self._word)

    def _word(self, name: str, argument: str) -> str:
        alert = self._planned.alert
        if name in COMMANDS:
            return f"`{COMMANDS[name][0 if self._plan.identity.kind == 'kubernetes' else 1]}`"
        if name == "threshold":
            known = self._plan.catalogue.thresholds
            return limits.phrase(self._plan.fleet, known[argument or alert.threshold or ""])
        return {
            "for": lambda: format_duration(alert.for_),
            "keep": lambda: format_duration(alert.keep_firing_for),
            "within": lambda: format_duration(alert.within),
            "severity": lambda: " or ".join(dict.fromkeys(rule.severity for rule in alert.rules)),
            "dashboard": self._dashboard,
            "confirm": lambda: "\n".join(self._question(self._page.confirm)),
            "hypotheses": lambda: "\n\n".join(
                "\n".join(self._hypothesis(i, h)) for i, h in enumerate(self._page.hypotheses, 1)
            ),
        }[name]()

    def _dashboard(self) -> str:
        uid, _ = DASHBOARDS[self._planned.alert.level]
        base = self._plan.fleet.grafana_base_url
        return f"[{uid}]({base.rstrip('/')}/d/{uid})" if base else f"`{uid}`"

    def _question(self, question: Question) -> list[str]:
        lines = [f"- Ask {markdown.code(self._query(question))}", f"- True when {self._expected(question.shows)}"]
        unseen = sorted(references.series(question.query) - self._plan.series.keys())
        if unseen:
            names = ", ".join(f"`{name}`" for name in unseen)
            lines.append(f"- Not measured in this fleet: {names}. An empty answer proves nothing here")
        return lines

    def _hypothesis(self, number: int, hypothesis: Hypothesis) -> list[str]:
        mark = {True: " (safe)", False: " (unsafe)", None: ""}[hypothesis.safe]
        return [
            f"### {number}. {self.fill(hypothesis.name)}",
            *self._question(hypothesis),
            f"- Do{mark}: {self.fill(hypothesis.action)}",
            f"- Worked when: {self.fill(hypothesis.verify)}",
        ]

    def _query(self, question: Question) -> str:
        """The query with this fleet's labels; what comes from the alert stays in braces, under the label's own name."""
        text = fill_macros(" ".join(question.query.split()), self._macros)
        return re.sub(r'"\{replica\}"', f'"{{{self._plan.identity.replica_label}}}"', text)

    def _expected(self, shows: Expectation) -> str:
        bound = (
            limits.bound(self._plan.fleet, self._plan.catalogue.thresholds[shows.threshold])
            if shows.threshold
            else f"{shows.bound}"
        )
        return f"**{shows.op} {bound}**: {self.fill(shows.words)}."

