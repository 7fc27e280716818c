"""The user's Alertmanager receivers: a fragment of its configuration, checked and passed on as written.

The fragment holds ``receivers`` and, where wanted, ``global`` and ``templates``. Who gets what goes by name:

- ``page``, ``ticket`` and ``info`` take the alerts of that severity, ``watchdog`` the dead man's switch:
  all four must be there.
- ``<team>-page``, ``<team>-ticket`` and ``<team>-info`` take over for that team, one by one.
- ``null`` takes what nobody is told; it is added where it is missing.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sre import source
from sre.findings import Finding, Refused, errors
from sre.fleet.receiver_checks import problems
from sre.fleet.receiver_names import NULL, REQUIRED, SEVERITIES, team_receiver


@dataclass(frozen=True)
class Receivers:
    """Names that routes may use, and the YAML that defines them."""

    names: frozenset[str]
    text: str


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
    findings = [problem.at(text) for problem in problems(text.data, teams)]
    if errors(findings):
        raise Refused(findings)
    names = [entry["name"] for entry in text.data["receivers"]]
    written = _written(path.read_text("utf-8-sig"), NULL in names)
    return Receivers(frozenset((*names, NULL)), written), findings


_STYLE: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": 10_000}


def _written(text: str, complete: bool) -> str:
    # From the nodes, not from the data: what stands there as `yes`, `1e3` or an anchor must arrive as that.
    node: Any = yaml.compose(text, Loader=yaml.CSafeLoader)
    # It continues a block: braces around the whole of it, as JSON has them, would begin another value.
    node.flow_style = False
    if not complete:
        receivers = next(value for key, value in node.value if key.value == "receivers")
        receivers.value.append(yaml.compose(f"name: '{NULL}'", Loader=yaml.CSafeLoader))
    written: str = yaml.serialize(node, Dumper=yaml.CSafeDumper, allow_unicode=True, width=10_000)
    return written
