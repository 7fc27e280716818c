"""Put measured cases together as the fixture; of several plateaus of one share the least disturbed stays.

python tools/calibrate/gather.py batch.json batch-again.json kv.json
"""

import json
import sys
from pathlib import Path
from typing import Any

OUT = Path(__file__).parents[2] / "tests/fixtures/calibration/vllm-0.32.0-cpu.json"
ABOUT = "vLLM 0.32.0 for CPU, measured by tools/calibrate/measure.py; its README says how"


def main() -> None:
    cases: dict[str, Any] = {}
    for name in sys.argv[1:]:
        for case, found in json.loads(Path(name).read_text(encoding="utf-8")).items():
            kept = cases.setdefault(case, found)
            kept["plateaus"] = calmest([*kept["plateaus"], *(found["plateaus"] if kept is not found else [])])
    text = json.dumps({"about": ABOUT, "cases": cases}, separators=(",", ":"))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(
        text.replace('{"share"', '\n{"share"').replace('"plateaus"', '\n"plateaus"') + "\n", encoding="utf-8"
    )


def calmest(plateaus: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One plateau for each share, in their order."""
    ranked = sorted(plateaus, key=_disturbed, reverse=True)
    by_share = {plateau["share"]: plateau for plateau in ranked}
    return [by_share[share] for share in sorted(by_share)]


def _disturbed(plateau: dict[str, Any]) -> float:
    machine: dict[str, float] = plateau["machine"]
    return machine["late_steps_seconds"] / plateau["seconds"] + machine["late_looks_seconds"]


if __name__ == "__main__":
    main()
