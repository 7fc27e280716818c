"""The first lines that an engineer pastes: shell variables from the alert's labels, only those that the page uses."""

import re
from collections.abc import Iterator

from sre.compile import markdown
from sre.compile.identity import Identity

_OWNER = {
    "pool": 'of one replica: ask replica:up:state{pool="{pool}"}',
    "replica": "of the alert",
    "gpu": "of the alert; it has none when no replica owns the card",
    "host": "of a replica on that node, if one is left",
    "model": "of one replica of the model",
}
_PORT = {"host": "the engine's, 8000 unless its flags say otherwise"}

# --profile=sysadmin: without it the debug container may not enter the node's root (kubectl 1.30 and later).
_NODE = {
    "kubernetes": (
        'node() { kubectl debug "node/$HOST" -it --profile=sysadmin --image=busybox -- '
        'chroot /host sh -c "$1"; }  # driver by the GPU operator: /host/run/nvidia/driver'
    ),
    "host": 'node() { ssh "$HOST" sudo sh -c "$(printf %q "$1")"; }',
}
_DCGMI = '# no dcgmi there: kubectl get pod -A -o wide | grep dcgm, and kubectl exec into the one on "$HOST"'

# systemd's name of the process that listens on the engine's port.
_UNIT = (
    "UNIT=$(ssh \"$HOST\" \"ps -o unit= -p \\$(sudo ss -Hltnp 'sport = :$PORT' | grep -om1 'pid=[0-9]*' | "
    'cut -d= -f2)")  # a dead engine has no port: ssh "$HOST" systemctl --failed'
)


def setup(page: str, level: str, identity: Identity) -> list[str]:
    """A shell block, or nothing where the page needs none."""
    used = set(re.findall(r"\$\{?(NS|POD|WORK|HOST|PORT|UNIT|UUID)\b", page))
    node = bool(re.search("`node ", page))
    lines = _kubernetes(used, level) if identity.kind == "kubernetes" else _host(used, level)
    told = [*lines, *([_NODE[identity.kind]] if node else [])]
    if "dcgmi" in page and identity.kind == "kubernetes":
        told.append(_DCGMI)
    return markdown.block("\n".join(told), "sh") if told else []


def _kubernetes(used: set[str], level: str) -> Iterator[str]:
    if used & {"NS", "POD", "WORK"}:
        yield f"NS='...' POD='...'  # labels namespace and pod {_OWNER.get(level, '')}"
    if "WORK" in used:
        yield 'WORK=deploy/NAME  # from: kubectl -n "$NS" get deploy,sts'
    if used & {"HOST", "UUID"}:
        if level in ("gpu", "host"):
            names = "HOST='...' UUID='...'" if "UUID" in used else "HOST='...'"
            yield f'{names}  # labels of the alert; no node of that name: kubectl get pod -A -o wide | grep "$HOST"'
        else:
            yield 'HOST=$(kubectl -n "$NS" get pod "$POD" -o jsonpath=\'{.spec.nodeName}\')'


def _host(used: set[str], level: str) -> Iterator[str]:
    wanted = used | ({"HOST", "PORT"} if "UNIT" in used else set())
    names = [name for name in ("HOST", "PORT", "UUID") if name in wanted]
    if names:
        port = (
            f"; PORT is {_PORT.get(level, 'what follows the colon in instance')}" if "PORT" in wanted else ""
        )
        owner = "of the alert" if level in ("gpu", "host") else _OWNER.get(level, "")
        empty = " ".join(f"{name}='...'" for name in names)
        yield f"{empty}  # labels {owner}{port}"
    if "UNIT" in used:
        yield _UNIT
