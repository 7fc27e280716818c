"""How much of this machine others use: a plateau beside a busy neighbour is measured again."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def busy(proc: Path) -> float:
    """CPU seconds spent by everybody since the machine started."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(int, _words(proc / "stat")[1:])
    return (user + nice + system + irq + softirq) / TICKS


def spent(proc: Path, root: int) -> float:
    """CPU seconds spent by a process and its living descendants."""
    parents, costs = {}, {}
    for folder in proc.glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # gone between the two looks
        parents[int(folder.name)] = int(fields[1])
        costs[int(folder.name)] = (int(fields[11]) + int(fields[12])) / TICKS
    return sum(cost for pid, cost in costs.items() if _descends(pid, root, parents))


def _descends(pid: int, root: int, parents: dict[int, int]) -> bool:
    while pid > 1:
        if pid == root:
            return True
        pid = parents.get(pid, 0)
    return False


def _words(path: Path) -> list[str]:
    return path.read_text().splitlines()[0].split()
