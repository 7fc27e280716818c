"""How long commands take, beside the jsonnet compiler on rules of the same kind: prints, judges nothing."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent.resolve()
SRE = Path(sys.executable).parent / "sre"
POOLS = 500


@dataclass(frozen=True)
class Run:
    """The quickest of some runs: wall time in seconds, peak resident memory in MB."""

    what: str
    seconds: float
    megabytes: float
    target: str = ""

    @property
    def memory(self) -> str:
        """Peak memory; below this program's own a child's cannot be told: exec() counts what it replaced."""
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return f"{self.megabytes:.0f} MB" if self.megabytes > own else f"<= {own:.0f} MB"


def measure(what: str, command: Sequence[str | Path], times: int, target: str = "") -> Run:
    """Run a command so often and keep the quickest; its failure ends the bench with its own words."""
    return min((_once(what, command, target) for _ in range(times)), key=lambda run: run.seconds)


def _once(what: str, command: Sequence[str | Path], target: str) -> Run:
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen([str(word) for word in command], stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            output.seek(0)
            raise SystemExit(f"{what} failed:\n{output.read().decode(errors='replace')}")
    return Run(what, seconds, usage.ru_maxrss / 1024, target)  # ru_maxrss: KiB on Linux


def fleet(pools: int) -> str:
    """Return a fleet file of so many pools, with releases, sizes and limits that differ."""
    head = "version: 1\nname: bench\ntimezone: Europe/Berlin\npools:\n"
    return head + "".join(_pool(number) for number in range(pools))


def _pool(number: int) -> str:
    release = ("0.8.5", "0.10.2", "0.20.0", "0.32.0", "0.33.0")[number % 5]
    return (
        f"  - name: pool-{number:03}\n"
        f'    engine: {{kind: vllm, version: "{release}"}}\n'
        f"    model: model-{number % 40}\n"
        f"    owner: team-{number % 25}\n"
        f"    gpus: {{type: h100-sxm-80gb, per_replica: {1 + number % 4}, replicas: {2 + number % 7}}}\n"
        f"    memory_budget: 0.{85 + number % 8}\n"
        f"    objectives: {{ttft_p95: {400 + number}ms, e2e_p99: {10 + number % 30}s}}\n"
        f"    thresholds: {{queue_depth: {50 + number}}}\n"
    )


def runs(folder: Path) -> list[Run]:
    """Measure everything that can be measured on this machine."""
    large = folder / "fleet.yaml"
    large.write_text(fleet(POOLS), encoding="utf-8")
    example = HERE.parent / "examples" / "fleet.yaml"
    found = [
        measure("sre --help", [SRE, "--help"], 5, "0.3 s"),
        measure("sre generate, the example", [SRE, "generate", example, "-o", folder / "a"], 3, "1 s"),
        measure(
            f"sre generate, {POOLS} pools", [SRE, "generate", large, "-o", folder / "b"], 2, "2 s, 500 MB"
        ),
    ]
    if shutil.which("jsonnet"):
        mixin = HERE / "mixin.jsonnet"
        # The second is what the Makefiles of mixins run; the first leaves out jsonnet's slow YAML printer.
        found.append(
            measure("jsonnet, 150 rules as JSON", ["jsonnet", mixin, "-o", folder / "rules.json"], 2)
        )
        program = f"std.manifestYamlDoc(import {json.dumps(str(mixin))})"
        yaml = ["jsonnet", "-S", "-e", program, "-o", folder / "rules.yaml"]
        found.append(measure("jsonnet, 150 rules as YAML", yaml, 1))
    return found


def table(found: Sequence[Run]) -> str:
    """Return the runs side by side, with how often each would fit into the last one."""
    last = found[-1]
    lines = [f"{'':28}{'wall':>9}{'peak RSS':>11}{'fits':>8}   target"]
    lines += [
        f"{run.what:28}{run.seconds:>7.2f} s{run.memory:>11}"
        f"{last.seconds / run.seconds:>7.1f}x   {run.target}"
        for run in found
    ]
    return "\n".join(line.rstrip() for line in lines)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        found = runs(Path(folder))
    print(table(found))
    print(f"\nThe quickest of up to five runs; fits: how often it fits into the time of `{found[-1].what}`.")
    if not shutil.which("jsonnet"):
        print("To compare with the jsonnet compiler: apt-get install --no-install-recommends jsonnet")


if __name__ == "__main__":
    main()
