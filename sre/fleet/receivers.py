"""The user's Alertmanager receivers: a fragment of its configuration, checked and passed on as written.

The fragment holds ``receivers`` and, where wanted, ``global`` and ``templates``. Who gets what goes by name:

- ``page``, ``ticket`` and ``info`` take the alerts of that severity, ``watchdog`` the dead man's switch:
  all four must be there.
- ``<team>-page``, ``<team>-ticket`` and ``<team>-info`` take over for that team, one by one.
- ``null`` takes what nobody is told; it is added where it is missing.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sre import source
from sre.findings import Finding, Refused, errors
from sre.fleet.models import Fleet
from sre.source import Loc, Source, show

SEVERITIES = ("page", "ticket", "info")
WATCHDOG, NULL = "watchdog", "null"
PLATFORM = "platform"
REQUIRED = (*SEVERITIES, WATCHDOG)

_KEYS = ("receivers", "global", "templates")
_WHY_NAMES = "routes name their receivers, and Alertmanager refuses a route to a receiver that is not there"
# Keys whose value opens something, each with a twin that ends in _file.
_SECRETS = frozenset({
    "api_key", "auth_password", "bot_token", "client_secret", "credentials", "opsgenie_api_key", "password",
    "routing_key", "service_key", "slack_api_url", "smtp_auth_password", "token", "user_key",
    "victorops_api_key", "webhook_url",
})  # fmt: skip


@dataclass(frozen=True)
class Receivers:
    """Names that routes may use, and the YAML that defines them."""

    names: frozenset[str]
    text: str


def owners(fleet: Fleet) -> tuple[str, ...]:
    """Every team that an alert can name: the pools' owners, and the platform for what has no pool."""
    return tuple(sorted({pool.owner for pool in fleet.pools} | {PLATFORM}))


def team_receiver(team: str, severity: str) -> str:
    """The name under which a team has a receiver of its own."""
    return f"{team}-{severity}"


def stubs(teams: Collection[str]) -> Receivers:
    """Receivers without integrations: every route has a name to fill in, and nobody is told anything yet."""
    names = [*REQUIRED, NULL, *(team_receiver(team, severity) for team in teams for severity in SEVERITIES)]
    text: str = yaml.dump(
        {"receivers": [{"name": name} for name in names]}, Dumper=yaml.CSafeDumper, **_STYLE
    )
    return Receivers(frozenset(names), text)


def read_receivers(path: Path, teams: Collection[str]) -> tuple[Receivers, list[Finding]]:
    """The receivers in the file, and warnings. Raises ``Refused`` with every error."""
    text = source.read(path)
    findings = [*_shape(text)]
    if not findings:
        names = [entry["name"] for entry in text.data["receivers"]]
        findings = [*_names(text, names, teams), *_secrets(text, (), text.data)]
    if errors(findings):
        raise Refused(findings)
    return Receivers(
        frozenset((*names, NULL)), _written(path.read_text("utf-8-sig"), NULL in names)
    ), findings


_STYLE: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": 10_000}


def _written(text: str, complete: bool) -> str:
    # From the nodes, not from the data: what stands there as `yes`, `1e3` or an anchor must arrive as that.
    node: Any = yaml.compose(text, Loader=yaml.CSafeLoader)
    if not complete:
        receivers = next(value for key, value in node.value if key.value == "receivers")
        receivers.value.append(yaml.compose(f"name: '{NULL}'", Loader=yaml.CSafeLoader))
    written: str = yaml.serialize(node, Dumper=yaml.CSafeDumper, allow_unicode=True, width=10_000)
    return written


def _shape(text: Source) -> Iterator[Finding]:
    if not isinstance(text.data, dict) or not isinstance(text.data.get("receivers"), list):
        yield text.finding(
            (),
            "there is no list `receivers` here",
            "it says who is told about an alert",
            "begin with `receivers:`",
        )
        return
    for key in text.data:
        if key not in _KEYS:
            yield text.finding((key,), f"unknown key `{show(key)}`", *_why_key(key), key=True)
    for index, entry in enumerate(text.data["receivers"]):
        yield from _receiver(text, ("receivers", index), entry)


def _why_key(key: str) -> tuple[str, str]:
    if key in ("route", "routes", "inhibit_rules"):
        return (
            "routes and inhibition are compiled from the fleet file",
            "leave it out, and name the receivers only",
        )
    return "nothing reads it here", source.suggest(key, _KEYS)


def _receiver(text: Source, loc: Loc, entry: object) -> Iterator[Finding]:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not entry["name"]:
        fix = "write `- name: page`, and quotes around 'null'"
        yield text.finding(loc, "a receiver has no name", _WHY_NAMES, fix)
        return
    for key, value in entry.items():
        if key != "name" and not (key.endswith("_configs") and isinstance(value, list)):
            what = f"`{show(key)}` of receiver {show(entry['name'])} is no list of integrations"
            fix = "write a list under a key such as slack_configs, pagerduty_configs or webhook_configs"
            yield text.finding((*loc, key), what, "Alertmanager would refuse the file", fix, key=True)


def _names(text: Source, names: list[str], teams: Collection[str]) -> Iterator[Finding]:
    own = [team_receiver(team, severity) for team in teams for severity in SEVERITIES]
    for name in REQUIRED:
        if name not in names:
            why = (
                "it takes the dead man's switch"
                if name == WATCHDOG
                else f"it takes every {name} without a team's own"
            )
            yield text.finding(
                ("receivers",), f"there is no receiver `{name}`", why, f"add `- name: {name}`", key=True
            )
    for index, name in enumerate(names):
        loc: Loc = ("receivers", index, "name")
        if name in names[:index]:
            yield text.finding(loc, f"the receiver {show(name)} stands here twice", _WHY_NAMES, "rename one")
        elif name not in (*REQUIRED, NULL, *own):
            fix = source.suggest(name, (*REQUIRED, *own))
            yield text.finding(loc, f"no route leads to the receiver {show(name)}",
                               "a team's receiver is called <team>-page, <team>-ticket or <team>-info",
                               fix, "warning")  # fmt: skip


def _secrets(text: Source, loc: Loc, value: object) -> Iterator[Finding]:
    """Secrets written out: they would be copied into a file that is stored, compared and shown in diffs."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        # Only Slack's api_url is a secret; elsewhere it is the address of a public service.
        secret = key in _SECRETS or (key == "api_url" and "slack_configs" in loc)
        if secret and isinstance(inner, str):
            what = f"`{key}` holds a secret in plain text"
            why = "it is copied into alertmanager.yaml, which pipelines store and print in diffs"
            yield text.finding(
                (*loc, key), what, why, f"write `{key}_file` with the path of a mounted secret", "warning"
            )
        else:
            yield from _secrets(text, (*loc, key), inner)
