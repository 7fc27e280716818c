"""Write the generated pages here: alerts, commands, gateways, the schemas of fleet and cost file (`make docs`)."""

from collections.abc import Iterator
from pathlib import Path

import click

from sre import content
from sre.catalogue.load import load
from sre.catalogue.model import Alert, Catalogue, Threshold
from sre.cli import main
from sre.compile.text import format_value
from sre.finance.costs.model import json_schema as costs_schema
from sre.init import json_schema
from sre.units import format_duration, format_number
from sre.usage.formats import Listing, list_formats

HERE = Path(__file__).parent


def pages() -> dict[str, str]:
    """File name -> text of every generated page."""
    return {
        "alerts.md": alerts_page(load(content.root())),
        "commands.md": commands_page(),
        "costs.schema.json": costs_schema(),
        "fleet.schema.json": json_schema(),
        "gateways.md": gateways_page(list_formats()),
    }


def alerts_page(catalogue: Catalogue) -> str:
    lines = [
        "# Alerts",
        "",
        "Written by `make docs` from `rules/`. Thresholds are defaults; a pool sets its own in the fleet file.",
        "*Within* is the longest time from fault to firing at a 30 s scrape and evaluation interval.",
        "",
        "| alert | severity | what it says | default | within | fault that proves it |",
        "|---|---|---|---|---|---|",
    ]
    for name in sorted(catalogue.alerts):
        alert = catalogue.alerts[name]
        severities = " / ".join(dict.fromkeys(rule.severity for rule in alert.rules))
        faults = ", ".join(f"`{fault}`" for fault in dict.fromkeys(rule.fault for rule in alert.rules))
        lines.append(
            f"| [{name}](../runbooks/{name}.md) | {severities} | {alert.summary} | {_defaults(catalogue, alert)} "
            f"| {format_duration(alert.within)} | {faults} |"
        )
    return "\n".join([*lines, "", *_thresholds(catalogue)])


def _defaults(catalogue: Catalogue, alert: Alert) -> str:
    names = dict.fromkeys(rule.threshold for rule in alert.rules if rule.threshold)
    return ", ".join(_number(catalogue.thresholds[name]) for name in names)


def _number(threshold: Threshold) -> str:
    if threshold.derived == "replicas_min":
        return "declared replicas"
    if threshold.derived == "memory_budget":
        return "max(92 %, budget + 4 points)"
    assert threshold.default is not None
    if threshold.unit in ("seconds", "ratio", "celsius", "factor"):
        return format_value(float(threshold.default), threshold.unit)
    return format_number(threshold.default)


def _thresholds(catalogue: Catalogue) -> Iterator[str]:
    yield from ("## Thresholds", "", "| name | default | unit | why |", "|---|---|---|---|")
    for threshold in sorted(catalogue.thresholds.values(), key=lambda t: t.name):
        yield f"| `{threshold.name}` | {_number(threshold)} | {threshold.unit} | {threshold.why} |"
    yield ""


def gateways_page(formats: list[Listing]) -> str:
    lines = [
        "# Gateways",
        "",
        "Written by `make docs` from `exporters/gateways/`. A route of the exporter names one as its `format:`.",
        "A gateway that is not here is one more file, in a folder of your own (`catalogue:`) or here: one YAML",
        "file that says where each thing stands, and one captured record.",
        "",
        "Every line counts as a request, so log the routes of models alone. Programs that ship logs (Vector, Fluent",
        "Bit) have to parse them first: a line that is text inside `message` or `log` is not looked into.",
        "",
        "*Team* is what the gateway authenticated, or a header: believed on a route marked `trusted: true` alone.",
        "*Duplicates* are dropped where a record has an id. Token classes are disjoint, whatever a gateway counts",
        "inside another. *Errors by* is what the rules of `exporters/gateways/errors.yaml` have to go by.",
        "",
        "| format | team | key | model | tokens | first token | finish reason | errors by | duplicates |",
        "|---|---|---|---|---|---|---|---|---|",
        *map(_gateway_row, formats),
    ]
    return "\n".join([*lines, *(line for one in formats for line in _gateway(one)), ""])


def _gateway_row(one: Listing) -> str:
    told = (one.key, one.model)
    cells = [f"[{one.name}](#{one.name})", one.team or "-", *("yes" if yes else "-" for yes in told)]
    cells += [", ".join(one.tokens).replace("_", " ") or "-"]
    cells += ["yes" if one.ttft else "-", "yes" if one.finish_reason else "-", ", ".join(one.errors)]
    return f"| {' | '.join([*cells, 'dropped' if one.duplicates else '-'])} |"


def _gateway(one: Listing) -> Iterator[str]:
    yield from ("", f"## {one.name}", "", f"{one.title}: {one.source}.", "")
    yield from (f"- {note}" for note in one.notes)
    if one.configure:
        yield from (*([""] if one.notes else []), "```", one.configure.rstrip(), "```")


def commands_page() -> str:
    context = click.Context(main, info_name="sre", **main.context_settings)
    parts = [
        "# Commands",
        "",
        "Written by `make docs` from the commands' own help.",
        "",
        *_help("sre", main, context),
    ]
    return "\n".join([*parts, *_below("sre", main, context)])


def _below(title: str, group: click.Group, context: click.Context) -> Iterator[str]:
    """The commands of a group, and theirs."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        own, inner = f"{title} {name}", click.Context(command, info_name=name, parent=context)
        yield from _help(own, command, inner)
        if isinstance(command, click.Group):
            yield from _below(own, command, inner)


def _help(title: str, command: click.Command, context: click.Context) -> list[str]:
    context.terminal_width = 100
    return [f"## `{title}`", "", "```text", command.get_help(context), "```", ""]


if __name__ == "__main__":
    for page, text in pages().items():
        (HERE / page).write_text(text, encoding="utf-8")
