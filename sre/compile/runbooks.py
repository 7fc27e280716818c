"""Runbooks with this fleet's own numbers, commands and rules in them: one Markdown page per alert."""

from collections.abc import Iterator

from sre.catalogue.model import Rule
from sre.compile import markdown
from sre.compile.limits import Limits
from sre.compile.plan import Plan, PlannedAlert
from sre.compile.setup import setup
from sre.compile.words import Words
from sre.units import format_duration
from sre.write import Artefact

RESPONSES = {
    "page": "someone was woken; act now",
    "ticket": "act within the working day",
    "info": "for your next look at capacity; nobody waits for you",
    "none": "for the record; nobody is called",
}
"""What each severity promises."""

_SILENCE = {
    "blind": "**Blind in this fleet**: no rule was written, because it could never fire. Nobody watches for it here.",
    "off": "**Off in this fleet**: no rule was written, because no pool asks for it.",
}


def render(plan: Plan) -> Iterator[Artefact]:
    """``runbooks/NAME.md`` for every alert, also for those without a rule: every link between pages leads somewhere."""
    limits = Limits(plan)
    for planned in plan.alerts:
        words = Words(plan, limits, planned)
        lines = _page(plan, planned, words) if planned.rules else _silent(plan, planned, words)
        yield Artefact(f"runbooks/{planned.alert.name}.md", "\n".join(lines) + "\n")


def _page(plan: Plan, planned: PlannedAlert, words: Words) -> list[str]:
    body = words.body()
    return [
        *_head(planned),
        *_facts(planned),
        *_labels(words),
        *_apart(_counters(planned)),
        *_apart(words.table(planned.pools)),
        *_apart(setup(body, planned.alert.level, plan.identity)),
        "",
        *body.split("\n"),
        *_apart(_rules(planned)),
    ]


def _apart(lines: list[str]) -> list[str]:
    return ["", *lines] if lines else []


def _head(planned: PlannedAlert) -> list[str]:
    return [f"# {planned.alert.name}", "", f"{planned.alert.summary}."]


def _facts(planned: PlannedAlert) -> list[str]:
    """Severity and delays; where there are several rules, which one says what.

    An alert whose fault is the healthy fleet fires all the time.
    """
    alert, timing = planned.alert, _timing(planned)
    used = [alert.rules[index] for index in planned.sources]
    if any(rule.fault == "healthy" for rule in used):
        return ["It always fires: a heartbeat, on a route of its own."]
    if len(used) == 1:
        return [f"**{used[0].severity}**: {RESPONSES[used[0].severity]}. {timing}."]
    return [f"{timing}.", *map(_case, used)]


def _timing(planned: PlannedAlert) -> str:
    alert = planned.alert
    told = [f"Fires at most {format_duration(alert.within)} after the fault"]
    if alert.for_:
        told.append(f", once it has lasted {format_duration(alert.for_)}")
    if alert.keep_firing_for:
        told.append(f"; stays {format_duration(alert.keep_firing_for)} after the last sign")
    return "".join(told)


def _case(rule: Rule) -> str:
    fixed = "".join(f", `{name}` {value}" for name, value in rule.fixed.items())
    return f'- **{rule.severity}**{fixed}, {RESPONSES[rule.severity]}: "{rule.description.strip()}"'


def _labels(words: Words) -> list[str]:
    """What the braces in the queries mean."""
    names = " or ".join(f"`{{{label}}}`" for label in words.labels())
    return [f"Where a query says {names}, put that label of the alert."] if names else []


def _counters(planned: PlannedAlert) -> list[str]:
    """Counters that are off; of those that only help, the page says so."""
    if not planned.counters:
        return []
    names = ", ".join(f"`{counter}`" for counter in planned.counters)
    lead = "It is **blind** until" if planned.state == "needs_counter" else "It sees more once"
    return [f"{lead} the GPU exporter sends {names}: add what `dcgm/counters.csv` says to its list."]


def _rules(planned: PlannedAlert) -> list[str]:
    """The conditions as Prometheus has them."""
    told = "\n".join(f"# {', '.join(_set(rule.labels))}\n{rule.expr}" for rule in planned.rules)
    return ["## The rule in Prometheus", *markdown.block(told, "promql")]


def _set(labels: dict[str, str]) -> list[str]:
    fixed = (f"{name} {value}" for name, value in labels.items() if name not in ("severity", "team"))
    return [labels.get("severity", ""), *fixed]


def _silent(plan: Plan, planned: PlannedAlert, words: Words) -> list[str]:
    """Why no rule was written, how to change that, and what it would say."""
    return [
        *_head(planned),
        *("", _SILENCE[planned.state]),
        *("", "## Why", *(f"- {markdown.told(reason)}" for reason in planned.reasons)),
        *("", "## How to make it see", *(f"- {step}" for step in _remedies(plan, planned))),
        *("", "## What it would tell you", words.section("Meaning")),
    ]


def _remedies(plan: Plan, planned: PlannedAlert) -> Iterator[str]:
    told = " ".join(planned.reasons)
    if "usage_exporter" in told:
        yield (
            f"Run `sre exporter` over the gateway's records, scrape what it publishes ({_usage_metrics(plan)}), "
            "and declare its job in the fleet file: `usage_exporter: {job: NAME}`."
        )
    if "gpu_exporter" in told:
        kinds = " or ".join(f"`{kind}`" for kind in plan.catalogue.gpus)
        yield f"Run a GPU exporter ({kinds}) on the nodes and declare `gpu_exporter: {{kind: ..., version: ...}}`."
    if "objectives." in told or "thresholds." in told:
        yield "Write the objective or limit down for the pool in the fleet file: batch pools have no default."
    if "comes with" in told:
        yield "Upgrade the engine to the release named above, and change `engine.version` in the fleet file."
    yield "Generate again; then `sre doctor` says whether the data arrives."


def _usage_metrics(plan: Plan) -> str:
    bound = (sources for binding in plan.catalogue.usage.values() for sources in binding.signals.values())
    return ", ".join(sorted({f"`{source.metric}`" for sources in bound for source in sources}))
