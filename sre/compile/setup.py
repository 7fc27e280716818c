"""The first lines that an engineer pastes: shell variables from the alert's labels, only those that the page uses."""

import re
from collections.abc import Iterator

from sre.compile import markdown
from sre.compile.identity import Identity

_PICK = {
    "pool": "of one replica: ask replica:up:state{pool=\"{pool}\"}",
    "replica": "labels of the alert",
    "gpu": "labels of the alert; missing when no replica owns the card",
    "host": "of a replica on that node, if one is left",
}
_NODE = {
    "kubernetes": 'node() { kubectl debug "node/$HOST" -it --profile=sysadmin --image=busybox -- chroot /host sh -c "$1"; }',
    "host": 'node() { ssh "$HOST" sudo sh -c "$(printf %q "$1")"; }',
}


def setup(page: str, level: str, identity: Identity) -> list[str]:
    """A shell block, or nothing where the page needs none."""
    used = frozenset(re.findall(r"\$(?:\{)?(NS|POD|WORK|HOST|PORT|UNIT|UUID)\b", page))
    runs = bool(re.search(r"\bnode [\"']", page))
    lines = list(_kubernetes(used, level) if identity.kind == "kubernetes" else _host(used | _needs_host(used), level))
    if runs:
        lines.append(_NODE[identity.kind])
    return markdown.block("\n".join(lines), "sh") if lines else []


def _needs_host(used: frozenset[str]) -> frozenset[str]:
    return frozenset({"HOST", "PORT"}) if "UNIT" in used else frozenset()


def _kubernetes(used: frozenset[str], level: str) -> Iterator[str]:
    if used & {"NS", "POD"}:
        yield f"NS='...' POD='...'  # namespace and pod {_PICK.get(level, '')}".rstrip()
    if "WORK" in used:
        yield 'WORK=deploy/NAME  # from: kubectl -n "$NS" get deploy,sts'
    if used & {"HOST", "UUID"}:
        yield _card(used, level)


def _card(used: frozenset[str], level: str) -> str:
    if level in ("gpu", "host"):
        uuid = " UUID='...'" if "UUID" in used else ""
        return f"HOST='...'{uuid}  # labels of the alert; if no node is called so: kubectl get pod -A -o wide | grep \"$HOST\""
    return "HOST=$(kubectl -n \"$NS\" get pod \"$POD\" -o jsonpath='{.spec.nodeName}')"


def _host(used: frozenset[str], level: str) -> Iterator[str]:
    names = [name for name in ("HOST", "PORT", "UUID") if name in used]
    if names:
        port = "; PORT is what follows the colon in instance" if "PORT" in used else ""
        picked = "" if level in ("gpu", "host") else f" {_PICK.get(level, '')}"
        empty = " ".join(f"{name}='...'" for name in names)
        yield f"{empty}  # labels{picked or ' of the alert'}{port}"
    if "UNIT" in used:
        yield ("UNIT=$(ssh \"$HOST\" \"ps -o unit= -p \\$(sudo ss -Hltnp 'sport = :$PORT' | grep -om1 'pid=[0-9]*' | cut -d= -f2)\")"
               "  # a dead engine has no port: ssh \"$HOST\" systemctl --failed")  # fmt: skip
