"""The rules as PrometheusRule objects, for clusters where the Prometheus Operator loads them.

Routes stay the plain ``alertmanager.yaml``: the operator takes it as it is, from the secret
``alertmanager-NAME`` (``kubectl create secret generic alertmanager-main --from-file=alertmanager.yaml``).
An AlertmanagerConfig object could not say the same: the operator adds the object's own namespace as a matcher
to every route and inhibition rule.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace

from sre.compile import prometheus
from sre.compile.plan import AlertRule, Group, Plan, RecordRule
from sre.compile.prometheus import HEADER, dump, group_data
from sre.write import Artefact

API_VERSION = "monitoring.coreos.com/v1"
_NOTE = "# Where your Prometheus selects rules by label (kube-prometheus-stack: `release`), add that label.\n"

# The operator lays rules into ConfigMaps and refuses an object of more than half a MiB (maxConfigMapDataSize
# in its pkg/prometheus/rules.go). What is counted here comes out about a third longer.
_LARGEST = 300_000
_LONGEST_NAME = 40


PLAIN = "rules"
"""Where the plain rules lie for promtool, seen from the proofs: it does not read objects."""


def render(plan: Plan) -> Iterator[Artefact]:
    """One object per file; a group too large for one object is cut into several. The proofs get plain copies."""
    yield from prometheus.render(plan, f"proofs/{PLAIN}")
    for group in plan.groups:
        for part in parts(group):
            yield Artefact(
                f"prometheus/{part.file}.rules.yaml", HEADER + _NOTE + dump(rule_object(plan, part))
            )


def object_name(fleet: str) -> str:
    """A DNS-1123 label for any text; one that had to be changed gets a mark, so that no two share a name."""
    plain = re.sub(r"[^a-z0-9]+", "-", fleet.lower())[:_LONGEST_NAME].strip("-")
    if plain == fleet:
        return plain
    mark = hashlib.sha256(fleet.encode()).hexdigest()[:8]
    return f"{plain}-{mark}" if plain else f"fleet-{mark}"


def rule_object(plan: Plan, group: Group) -> dict[str, object]:
    """A group as the object that the operator loads."""
    name = object_name(plan.fleet.name)
    return {
        "apiVersion": API_VERSION,
        "kind": "PrometheusRule",
        "metadata": {
            "name": f"{name}-{group.file}",
            "labels": {"app.kubernetes.io/managed-by": "inference-sre", "app.kubernetes.io/part-of": name},
            "annotations": {"inference-sre/fleet": plan.fleet.name},
        },
        "spec": {"groups": [group_data(group)]},
    }


def parts(group: Group) -> Iterator[Group]:
    """The group itself, or consecutive parts of it.

    Only the group of constants grows with the fleet. Its rules read nothing that another part records but the
    offset to local time, which moves twice a year: evaluating the parts apart changes no result.
    """
    rules, size, part = list[RecordRule | AlertRule](), 0, 1
    for rule in group.rules:
        if rules and size + _size(rule) > _LARGEST:
            yield _numbered(group, rules, part)
            rules, size, part = [], 0, part + 1
        rules.append(rule)
        size += _size(rule)
    yield _numbered(group, rules, part)


def _numbered(group: Group, rules: list[RecordRule | AlertRule], part: int) -> Group:
    ending = "" if part == 1 else f"-{part}"
    return replace(group, name=group.name + ending, file=group.file + ending, rules=tuple(rules))


def _size(rule: RecordRule | AlertRule) -> int:
    texts = [*rule.labels.items(), *(rule.annotations.items() if isinstance(rule, AlertRule) else ())]
    return 60 + len(rule.expr) + sum(len(key) + len(value) + 12 for key, value in texts)
