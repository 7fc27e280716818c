"""Checks between the values of a configuration, and against the machine that it is read on."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sre.findings import Refused, Severity
from sre.fleet.problem import Problem
from sre.source import Loc, show, suggest
from sre.usage.cells import COLUMNS
from sre.usage.config.models import Config, Route
from sre.usage.config.tls_check import check_tls
from sre.usage.formats import format_names, load_format
from sre.usage.keys import salt_of
from sre.usage.labels import OTHER, UNASSIGNED

OWN_PATHS = ("/", "/metrics", "/-/healthy", "/-/ready")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_MANY_SERIES = 200_000
_MANY_SALTS = 4

Placed = Sequence[tuple[int, Route]]
"""Routes with their places in the file."""


def check(
    config: Config, places: Sequence[int], folder: Path, environ: Mapping[str, str], serving: bool
) -> Iterator[Problem]:
    """Everything that is wrong or doubtful; ``config`` has absolute paths, routes start at ``folder``."""
    routes = list(zip(places, config.routes, strict=False))
    yield from _alike(routes)
    yield from _formats(config, routes)
    yield from _roster(config)
    yield from _keys(config)
    yield from _tokens(config, routes, environ, "error" if serving else "warning")
    yield from _doors(config, routes)
    yield from _logs(routes, folder)
    yield from _paths(routes)
    yield from _state(config.state)
    yield from check_tls(config)
    if config.limits.queue_bytes < config.limits.body_bytes:
        loc, why = ("limits", "queue_bytes"), "a body of the largest size would never be taken"
        yield Problem(
            loc, "`limits.queue_bytes` is less than `limits.body_bytes`", why, "write at least as much"
        )


def _alike(routes: Placed) -> Iterator[Problem]:
    first: dict[tuple[str, str], int] = {}
    for place, route in routes:
        path = os.path.normpath(route.path) if route.kind == "tail" else route.path
        before = first.setdefault((route.kind, path), place)
        if before != place:
            yield Problem(
                ("routes", place, "path"),
                f"`routes[{place + 1}]` has the path of `routes[{before + 1}]`: {show(route.path)}",
                "each record would be counted twice, or one of them would never be asked",
                "keep one of them",
            )


def _formats(config: Config, routes: Placed) -> Iterator[Problem]:
    folders = [config.catalogue] if config.catalogue else []
    if config.catalogue and not config.catalogue.is_dir():
        what = f"`catalogue`: there is no such folder: {str(config.catalogue)!r}"
        why = "formats of your own would be missing"
        yield Problem(("catalogue",), what, why, "correct the path, or leave the key out")
        folders = []
    names = format_names(folders)
    for place, route in routes:
        loc = ("routes", place, "format")
        if route.format not in names:
            what = f"there is no format {show(route.format)}"
            why = "a format is a file of exporters/gateways, by its name without .yaml"
            yield Problem(loc, what, why, suggest(route.format, names))
            continue
        try:
            load_format(route.format, folders, trusted=route.trusted)
        except Refused as refused:
            for finding in refused.findings:
                what = f"the format {show(route.format)} cannot be used: {finding.where}: {finding.what}"
                yield Problem(loc, what, finding.why, finding.fix, finding.severity)
            # All formats share their folder: the next one would only say it again.
            return


def _roster(config: Config) -> Iterator[Problem]:
    for kind in ("teams", "models"):
        names: tuple[str, ...] | None = getattr(config.roster, kind)
        if names is None:
            what = f"there is no list `roster.{kind}`"
            why = f"{kind} are shown as records name them, the first {config.limits.label_sets} label sets of a metric"
            yield Problem(("roster",), what, why, f"list your {kind}", "warning", key=True)
        for index, name in enumerate(names or ()):
            yield from _name(("roster", kind, index), name, (names or ()).index(name) != index, config)
    teams, models = (len(names or ()) for names in (config.roster.teams, config.roster.models))
    series = (teams + 2) * (models + 1) * len(COLUMNS)
    if series > _MANY_SERIES:
        what = f"the roster alone makes {series} series: {teams} teams on {models} models"
        fix = "list only teams and models in use, and set `sample_limit` of the scrape above it"
        yield Problem(("roster",), what, "Prometheus holds each of them in memory", fix, "warning", key=True)


def _name(loc: Loc, name: str, twice: bool, config: Config) -> Iterator[Problem]:
    if name in (OTHER, UNASSIGNED):
        what = f"{show(name)} is not free to be used"
        why = f"`{OTHER}` stands for names off the roster, `{UNASSIGNED}` for none at all"
        yield Problem(loc, what, why, "choose another name")
    if twice:
        yield Problem(loc, f"{show(name)} stands here twice", "a name has one series", "keep one of them")
    if len(name) > config.limits.value_length:
        what = f"{show(name)} has {len(name)} characters"
        why = f"`limits.value_length` is {config.limits.value_length}"
        yield Problem(loc, what, why, "choose a shorter name, or raise the limit")


def _keys(config: Config) -> Iterator[Problem]:
    teams, salts = config.roster.teams, set[bytes]()
    for entry, team in config.identity.keys.items():
        loc = ("identity", "keys", entry)
        salt = salt_of(entry) if isinstance(entry, str) else None
        if salt is None:
            # It may be the key itself: it is named by its line alone.
            what = "what stands here is not the salted hash of a key"
            why = "a key in a file is read by everybody who may read the file"
            fix = "write what `sre exporter hash-key` gives; if this is a key, replace it, for it has been shown"
            yield Problem(loc, what, why, fix, key=True)
            continue
        salts.add(salt)
        if not isinstance(team, str):
            yield Problem(
                loc, "a key belongs to no team here", "its use could not be counted", "write the team's name"
            )
        elif teams is not None and team not in teams:
            why = "its use would be counted as `other`"
            yield Problem(loc, f"the team {show(team)} is not on the roster", why, suggest(team, teams))
    if len(salts) > _MANY_SALTS:
        what = f"the keys have {len(salts)} different salts"
        fix = "make them anew with `sre exporter hash-key --config FILE`, which goes on with the file's salt"
        why = "each record's key is hashed once for each of them"
        yield Problem(("identity", "keys"), what, why, fix, "warning", key=True)


def _tokens(
    config: Config, routes: Placed, environ: Mapping[str, str], severity: Severity
) -> Iterator[Problem]:
    named: list[tuple[Loc, str | None]] = [
        (("routes", n, "token_env"), route.token_env) for n, route in routes
    ]
    for loc, name in (*named, (("metrics_token_env",), config.metrics_token_env)):
        if name and not environ.get(name, "").strip():
            what = f"the environment variable `{name}` is {'empty' if name in environ else 'not set'}"
            why = "without the token nobody could be told from anybody else"
            yield Problem(loc, what, why, f"start the exporter with `{name}` in its environment", severity)


def _doors(config: Config, routes: Placed) -> Iterator[Problem]:
    for place, route in routes:
        loc: Loc = ("routes", place)
        if route.kind == "tail" and route.token_env:
            what = f"`routes[{place + 1}].token_env` belongs to routes of kind http"
            yield Problem(
                (*loc, "token_env"), what, "a log is read, nobody shows a token", "remove it", key=True
            )
        if route.trusted and config.roster.teams is None:
            what = f"`routes[{place + 1}]` is trusted, but there is no `roster.teams`"
            why = "whoever sends a header could fill the metrics with names"
            yield Problem((*loc, "trusted"), what, why, "list the teams")
        if route.kind == "http" and not route.token_env and not (config.tls and config.tls.client_ca):
            far = not config.listen.loopback
            what = f"anybody who reaches {config.listen} may post to {show(route.path)}"
            why = "usage that never was would be counted" + (" and billed" if far else "")
            fix = "name the variable with a token as `token_env`, or set `tls.client_ca`"
            yield Problem((*loc, "path"), what, why, fix, "error" if far else "warning")


def _logs(routes: Placed, folder: Path) -> Iterator[Problem]:
    for place, route in routes:
        if route.kind == "tail" and (problem := _log(("routes", place, "path"), folder / route.path)):
            yield problem


def _log(loc: Loc, path: Path) -> Problem | None:
    try:
        if path.is_dir():
            why, fix = "a log is one file; its rotated ones are found beside it", "name the file"
            return Problem(loc, f"{str(path)!r} is a folder", why, fix)
        if not path.exists():
            why = "it is read as soon as it appears; a misspelled path looks the same"
            return Problem(loc, f"there is no file {str(path)!r} yet", why, "check the path", "warning")
        readable = os.access(path, os.R_OK)
    except (OSError, ValueError) as error:
        readable, why = False, str(getattr(error, "strerror", error))
    else:
        why = "its permissions forbid it"
    fix = "let the exporter's user read it and its folder"
    return (
        None
        if readable
        else Problem(loc, f"{str(path)!r} cannot be read: {why}", "nothing would be counted", fix)
    )


def _paths(routes: Placed) -> Iterator[Problem]:
    for place, route in routes:
        if route.kind != "http":
            continue
        loc = ("routes", place, "path")
        if route.path in OWN_PATHS or route.path.startswith("/-/"):
            yield Problem(
                loc,
                f"{show(route.path)} is the exporter's own",
                "it answers there itself",
                "write /ingest/NAME",
            )
        elif not _PATH.fullmatch(route.path):
            why = "senders could not spell it in an address"
            fix = "write slashes, letters, digits, dots and dashes, like /ingest/litellm"
            yield Problem(loc, f"{show(route.path)} is no path of an address", why, fix)


def _state(path: Path) -> Iterator[Problem]:
    try:
        if path.is_dir():
            yield Problem(
                ("state",), f"{str(path)!r} is a folder", "the state is one file", "name a file in it"
            )
            return
        there = next(folder for folder in path.parents if folder.exists())
        usable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
        reason = "its user may not write there" if there.is_dir() else f"{str(there)!r} is a file"
    except (OSError, ValueError) as error:
        usable, reason = False, str(error)
    if not usable:
        why = f"counts could not be saved: {reason}"
        yield Problem(
            ("state",),
            f"{str(path)!r} cannot be written",
            why,
            "name a file in a folder of the exporter's own",
        )
