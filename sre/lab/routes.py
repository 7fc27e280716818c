"""The compiled routes and inhibitions at the lab's pace, with one receiver behind all names: ours."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import yaml

from sre.compile import alertmanager
from sre.compile.plan import Plan
from sre.compile.prometheus import dump
from sre.fleet.receiver_names import NULL
from sre.fleet.receivers import Receivers
from sre.lab.scaling import Pace

_TIMES = ("group_wait", "group_interval", "repeat_interval")


def routes(plan: Plan, receivers: Receivers | None, pace: Pace, webhook: str) -> str:
    """Alertmanager's configuration; each receiver posts to its own path below ``webhook``."""
    (artefact,) = alertmanager.render(plan, receivers)
    written = yaml.safe_load(artefact.text)
    return dump(
        {
            "route": _paced(written["route"], pace),
            "inhibit_rules": written["inhibit_rules"],
            "receivers": list(_receivers(written["receivers"], webhook)),
        }
    )


def _paced(route: dict[str, Any], pace: Pace) -> dict[str, Any]:
    times = {name: pace.duration(route[name]) for name in _TIMES if name in route}
    below = [_paced(one, pace) for one in route.get("routes", [])]
    return {**route, **times, **({"routes": below} if below else {})}


def _receivers(written: list[dict[str, Any]], webhook: str) -> Iterator[dict[str, Any]]:
    for name in (receiver["name"] for receiver in written):
        url = f"{webhook}/{quote(name, safe='')}"
        hook = {"webhook_configs": [{"url": url, "send_resolved": False}]}
        yield {"name": name, **({} if name == NULL else hook)}
