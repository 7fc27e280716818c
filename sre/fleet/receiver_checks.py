"""What is wrong in a file of Alertmanager receivers: names that routes miss, and what Alertmanager would refuse."""

from collections.abc import Collection, Iterator
from typing import Any

from sre import source
from sre.fleet.integration_values import KINDS
from sre.fleet.integrations import REFUSED, check, integrations, secrets
from sre.fleet.problem import Problem
from sre.fleet.receiver_names import NULL, REQUIRED, SEVERITIES, WATCHDOG, team_receiver
from sre.source import Loc, show

_END = "_configs"
_KEYS = ("receivers", "global", "templates")
_WHY_NAMES = "routes name their receivers, and Alertmanager refuses a route to a receiver that is not there"


def problems(data: Any, teams: Collection[str]) -> Iterator[Problem]:
    """All that is wrong in a receivers file, and the warnings; ``teams`` are those that an alert can name."""
    if not isinstance(data, dict) or not isinstance(data.get("receivers"), list):
        what, why = "there is no list `receivers` here", "it says who is told about an alert"
        yield Problem((), what, why, "begin with `receivers:`, and a line `- name: page` below it")
        return
    for key in data:
        if key not in _KEYS:
            yield Problem((key,), f"unknown key `{show(key)[1:-1]}`", *_why_key(key), key=True)
    default = data.get("global") or {}
    yield from check(("global",), default, "global", "`global`", {})
    yield from secrets(("global",), default, "global")
    if data.get("templates") is not None and not KINDS["texts"].holds(data["templates"]):
        yield Problem(("templates",), "`templates` is no list of paths", REFUSED, "begin each path with `-`")
    for index, entry in enumerate(data["receivers"]):
        yield from _receiver(("receivers", index), entry, default if isinstance(default, dict) else {})
    yield from _names(data["receivers"], teams)


def _why_key(key: str) -> tuple[str, str]:
    if key in ("route", "routes", "inhibit_rules"):
        return (
            "routes and inhibition are compiled from the fleet file",
            "leave it out, and name the receivers only",
        )
    return "nothing reads it here", source.suggest(key, _KEYS)


def _receiver(loc: Loc, entry: Any, default: dict[str, Any]) -> Iterator[Problem]:
    if not _name(entry):
        fix = "write `- name: page`, and quotes around 'null'"
        yield Problem(loc, f"entry {int(loc[-1]) + 1} of `receivers` has no name", _WHY_NAMES, fix)
    for key, value in entry.items() if isinstance(entry, dict) else ():
        if key in integrations():
            yield from _integration((*loc, key), value, f"`{key}` of {_called(entry)}", default)
        elif key != "name":
            yield _unknown((*loc, key), value, _called(entry))


def _integration(loc: Loc, value: Any, called: str, default: dict[str, Any]) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield Problem(loc, f"{called} is no list", REFUSED, "begin each integration with `-`", key=True)
        return
    for index, one in enumerate(value):
        yield from check((*loc, index), one, str(loc[-1]), called, default)
        yield from secrets((*loc, index), one, str(loc[-1]))


def _unknown(loc: Loc, value: Any, owner: str) -> Problem:
    key = str(loc[-1])
    what = f"unknown key `{show(key)[1:-1]}` in {owner}"
    if key.endswith(_END) and isinstance(value, list) and not _like_one_that_is_known(key):
        # Releases bring new ones: what looks like an integration and like no typing error may be one of them.
        why = "an Alertmanager that does not know it either refuses its whole configuration"
        return Problem(loc, what, why, "ask your own: amtool check-config", "warning", key=True)
    return Problem(loc, what, REFUSED, source.suggest(key, ["name", *integrations()]), key=True)


def _like_one_that_is_known(key: str) -> bool:
    stems = [name.removesuffix(_END) for name in integrations()]
    return source.suggest(key.removesuffix(_END), stems).startswith("did you mean")


def _name(entry: Any) -> str | None:
    name = entry.get("name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) and name else None


def _called(entry: Any) -> str:
    name = _name(entry)
    return f"the receiver {show(name)}" if name else "a receiver without name"


def _names(entries: list[Any], teams: Collection[str]) -> Iterator[Problem]:
    own = [team_receiver(team, severity) for team in teams for severity in SEVERITIES]
    names = [_name(entry) for entry in entries]
    for wanted in REQUIRED:
        if wanted not in names:
            yield Problem(
                ("receivers",),
                f"there is no receiver `{wanted}`",
                _takes(wanted),
                f"add `- name: {wanted}`",
                key=True,
            )
    for index, name in enumerate(names):
        loc: Loc = ("receivers", index, "name")
        if name and name in names[:index]:
            yield Problem(loc, f"the receiver {show(name)} stands here twice", _WHY_NAMES, "rename one")
        elif name and name not in (*REQUIRED, NULL, *own):
            yield Problem(loc, f"no route leads to the receiver {show(name)}",
                          "a team's receiver is called <team>-page, <team>-ticket or <team>-info",
                          source.suggest(name, (*REQUIRED, *own)), "warning")  # fmt: skip
        elif name and _silent(name, entries[index]):
            yield Problem(loc, f"the receiver {show(name)} tells nobody: it has no integration", _takes(name),
                          "write one below it, such as webhook_configs, slack_configs or pagerduty_configs",
                          "warning")  # fmt: skip


def _takes(name: str) -> str:
    if name == WATCHDOG:
        return "it takes the dead man's switch"
    return (
        f"it takes every {name} without a team's own" if name in SEVERITIES else "it takes its team's pages"
    )


def _silent(name: str, entry: dict[str, Any]) -> bool:
    """A ticket or an info may be meant for nobody; a page or the dead man's switch never is."""
    wakes = name in ("page", WATCHDOG) or name.endswith("-page")
    return wakes and not any(value for key, value in entry.items() if key != "name")
