"""Commands that runbooks share, in the words of each kind of fleet: written once, asked for as ``{{restart}}``.

``$NS``, ``$POD``, ``$WORK``, ``$HOST``, ``$PORT``, ``$UNIT``, ``$UUID`` and the function ``node`` are set at the top
of every page that uses them. What holds backticks itself is a phrase with commands in it.
"""

COMMANDS: dict[str, tuple[str, str]] = {
    "status": ('kubectl -n "$NS" get pod "$POD" -o wide', 'ssh "$HOST" systemctl status "$UNIT"'),
    "logs": (
        'kubectl -n "$NS" logs "$POD" --tail=300',
        'ssh "$HOST" sudo journalctl -u "$UNIT" -n 300 --no-pager',
    ),
    "last_logs": (
        'kubectl -n "$NS" logs "$POD" --previous --tail=300',
        'ssh "$HOST" sudo journalctl -u "$UNIT" --since -2h --no-pager',
    ),
    "cache_size": (
        'kubectl -n "$NS" logs "$POD" | grep "KV cache size"',
        'ssh "$HOST" sudo journalctl -u "$UNIT" --no-pager | grep "KV cache size" | tail -1',
    ),
    "flags": (
        'kubectl -n "$NS" get pod "$POD" -o jsonpath=\'{.spec.containers[*].command} {.spec.containers[*].args}\'',
        'ssh "$HOST" systemctl cat "$UNIT"',
    ),
    "metrics": (
        'kubectl get --raw "/api/v1/namespaces/$NS/pods/$POD:8000/proxy/metrics"',
        'ssh "$HOST" curl -sS -m 5 "localhost:$PORT/metrics"',
    ),
    "restart": ('kubectl -n "$NS" delete pod "$POD"', 'ssh "$HOST" sudo systemctl restart "$UNIT"'),
    "stop": (
        'kubectl cordon "$HOST" && kubectl -n "$NS" delete pod "$POD"',
        'ssh "$HOST" sudo systemctl stop "$UNIT"',
    ),
    "change": (
        'kubectl -n "$NS" edit "$WORK"',
        'ssh -t "$HOST" "sudo systemctl edit --full $UNIT && sudo systemctl restart $UNIT"',
    ),
    "first": (
        'once one new replica is there, hold the rest back: `kubectl -n "$NS" rollout pause "$WORK"`',
        "change one host first",
    ),
    "rollback": (
        'kubectl -n "$NS" rollout undo "$WORK"',
        'ssh "$HOST" "sudo systemctl revert $UNIT && sudo systemctl restart $UNIT"',
    ),
    "grow": (
        'kubectl -n "$NS" scale "$WORK" --replicas=N',
        'ssh SPARE_HOST sudo systemctl start "$UNIT"',
    ),
    "drain": (
        'kubectl drain "$HOST" --ignore-daemonsets --delete-emptydir-data',
        'ssh "$HOST" sudo systemctl stop "$UNIT"',
    ),
    "admit": ('kubectl uncordon "$HOST"', 'ssh "$HOST" sudo systemctl start "$UNIT"'),
    "reset": ('node "nvidia-smi --gpu-reset -i $UUID"', 'node "nvidia-smi --gpu-reset -i $UUID"'),
}
"""Name -> (kubernetes, host).

``stop`` also keeps new replicas off the node, where a scheduler would bring them back.
"""
