"""From the file to a configuration, or to everything that is wrong with it at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sre.explain import explain, objections
from sre.findings import Finding, Refused, errors, sort
from sre.source import Source, read
from sre.usage.config.checks import check
from sre.usage.config.models import Config

_STAND_INS: dict[str, Any] = {"version": 1, "routes": [{"kind": "http", "path": "/-", "format": "-"}]}


def read_config(
    path: Path, environ: Mapping[str, str], *, serving: bool = True
) -> tuple[Config, list[Finding]]:
    """The configuration with its paths made absolute, and the warnings about it.

    ``serving`` says that it is for use here and now: then tokens have to be there. Raises ``Refused``.
    """
    text, folder = read(path), path.parent.absolute()
    config, places, findings = _validate(text)
    if config:
        findings += [p.at(text) for p in check(config.with_paths(folder), places, folder, environ, serving)]
    if not config or errors(findings):
        raise Refused(findings)
    return config.with_paths(folder), sort(findings)


def _validate(text: Source) -> tuple[Config | None, list[int], list[Finding]]:
    """The configuration as far as it can be read, where each of its routes stands in the file, and the errors.

    What is wrong is left out and the rest read again: a bad address must not hide that two routes are alike.
    """
    try:
        config = Config.model_validate(text.data)
        return config, list(range(len(config.routes))), []
    except ValidationError as error:
        findings = explain(error, text, Config)
        data, places = _without(text.data, {detail["loc"][:2] for detail in objections(error)})
    try:
        return (Config.model_validate(data) if data else None), places, findings
    except ValidationError:
        return None, [], findings


def _without(data: Any, wrong: set[tuple[int | str, ...]]) -> tuple[dict[str, Any] | None, list[int]]:
    if not isinstance(data, dict):
        return None, []
    bad = {loc[0] for loc in wrong if loc[:1] != ("routes",) or len(loc) == 1}
    routes = data.get("routes")
    places = [n for n in range(len(routes)) if ("routes", n) not in wrong] if isinstance(routes, list) else []
    kept = {key: value for key, value in data.items() if key not in bad}
    if places and isinstance(routes, list) and "routes" in kept:
        kept["routes"] = [routes[n] for n in places]
    else:
        kept.pop("routes", None)
    return _STAND_INS | kept, places if "routes" in kept else []
