"""What was written and what it can see: every artefact with its hash, every alert live, blind or one counter away."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from sre import __version__
from sre.compile.plan import Plan, PlannedAlert
from sre.write import Artefact


def render(plan: Plan, artefacts: Iterable[Artefact]) -> Artefact:
    """`manifest.json`: sorted keys, no time of day, the same for the same input."""
    data = {
        "version": 1,
        "generator": f"inference-sre {__version__}",
        "fleet": plan.fleet.name,
        "artefacts": {a.path: hashlib.sha256(a.text.encode()).hexdigest() for a in artefacts},
        "alerts": {planned.alert.name: _alert(planned) for planned in plan.alerts},
    }
    return Artefact("manifest.json", json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def _alert(planned: PlannedAlert) -> dict[str, Any]:
    differing = {name: state for name, state in planned.pools.items() if state != planned.state}
    return {
        "state": planned.state,
        "severities": list(dict.fromkeys(rule.labels["severity"] for rule in planned.rules)),
        "rules": len(planned.rules),
        "reasons": list(planned.reasons),
        "counters": list(planned.counters),
        **({"pools": differing} if differing else {}),
    }
