"""What `sre lab` says of a lab that runs: where to look, how far it is, what is broken, and what fires."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import click

from sre.cli.page_view import graph
from sre.cli.program import started_as
from sre.cli.report import plain, report
from sre.findings import Finding, Refused, Unreachable
from sre.lab.breakage import STATE
from sre.lab.pages import ask
from sre.lab.register import Entry
from sre.prometheus import Server
from sre.units import format_duration


def tell_where(entry: Entry) -> None:
    """A lab that has just come up."""
    program, at = started_as(), entry.addresses
    click.echo(f"{plain(entry.name)} runs: {format_duration(entry.pace)} of the fleet in each second.")
    _say(
        {
            "Prometheus": graph(at.prometheus),
            "Alertmanager": f"{at.alertmanager}/#/alerts",
            "the fleet": f"{at.fleet}/",
            "Grafana": f"load out/grafana/*.json, with {at.prometheus} as its Prometheus",
            "break it": f"{program} lab break cache_limit",
            "mend it": f"{program} lab mend",
            "how it is": f"{program} lab status",
            "end it": f"{program} lab down",
        }
    )


def tell_state(entry: Entry) -> None:
    """How a lab is now; raises ``Unreachable`` where it does not answer."""
    told = talk(entry, STATE)
    alerts = Server(entry.addresses.prometheus, timeout=30).query('ALERTS{alertname!="Watchdog"}')
    states: dict[str, list[str]] = {"firing": [], "pending": []}
    for sample in alerts:
        states[sample.labels["alertstate"]].append(_alert(sample.labels))
    since = format_duration(int(time.time() - entry.since))
    click.echo(
        f"{plain(entry.name)} ({plain(entry.fleet)}) has run for {since}: {told['minute']:.0f} minutes of the fleet."
    )
    lines = {
        "broken": "\n".join(map(broken, told["broken"])) or "nothing",
        **{state: "\n".join(sorted(set(names))) or "nothing" for state, names in states.items()},
        "Prometheus": graph(entry.addresses.prometheus),
        "Alertmanager": f"{entry.addresses.alertmanager}/#/alerts",
        "the fleet": f"{entry.addresses.fleet}/",
    }
    _say(lines)
    if told["skipped"]:
        slow = f"the fleet stood still for {told['skipped']:.0f} s: the machine was busy, or asleep"
        why, fix = "rates were too small meanwhile", "give a smaller --pace if it goes on"
        report([Finding("lab", slow, why, fix, "warning")])


def broken(told: Mapping[str, Any]) -> str:
    """One fault that lasts."""
    return plain(f"{told['fault']} at {told['pool']}, since minute {told['minute']:.0f}")


def talk(entry: Entry, path: str, body: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What the lab answers; raises ``Refused`` with its findings, ``Unreachable`` where it does not answer."""
    try:
        sent = None if body is None else json.dumps(body).encode()
        told: dict[str, Any] = json.loads(ask(entry.addresses.fleet + path, sent))
    except (OSError, ValueError) as error:
        why, fix = "what is wrong with it now is not known", "end it with `sre lab down` and start it again"
        where = entry.addresses.fleet
        raise Unreachable([Finding(where, f"the lab does not answer: {error}", why, fix)]) from None
    if "findings" in told:
        raise Refused(Finding(**one) for one in told["findings"])
    return told


def _alert(labels: Mapping[str, str]) -> str:
    more = (f"{name}={labels[name]}" for name in ("cause", "instance") if name in labels)
    return " ".join(map(plain, (labels["alertname"], labels.get("pool", ""), *more)))


def _say(lines: Mapping[str, str]) -> None:
    for name, text in lines.items():
        for line in _lines(name, text):
            click.echo(line)


def _lines(name: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.split("\n")):
        yield f"  {name if not number else '':<14}{line}"
