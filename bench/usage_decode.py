"""How fast lines of gateways become usage records on one core, beside JSON alone: prints, judges nothing."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from sre.usage.formats import load_format

FIXTURES = Path(__file__).parents[1] / "tests" / "fixtures" / "gateways"
TEAMS, MODELS = 40, 12
ROUNDS, SECONDS = 7, 0.15


def sized(line: dict[str, object], size: int) -> bytes:
    """A captured line filled up with a field that nobody reads."""
    line = line | {"padding": ""}
    missing = size - len(json.dumps(line, separators=(",", ":")))
    return json.dumps(line | {"padding": "x" * missing}, separators=(",", ":")).encode()


def envoy(number: int) -> dict[str, object]:
    line: dict[str, object] = json.loads((FIXTURES / "envoy_ai_gateway.jsonl").read_bytes().splitlines()[0])
    moment = f"2026-10-01T08:{number // 60 % 60:02d}:{number % 60:02d}.{number % 1000:03d}Z"
    model = f"model-{number % MODELS}"
    own = {"x-request-id": f"83b63da3-45a9-4196-98b8-{number:012d}", "start_time": moment}
    return line | own | {"x-tenant-id": f"team-{number % TEAMS}", "gen_ai.response.model": model}


def usage(number: int) -> dict[str, object]:
    line: dict[str, object] = json.loads((FIXTURES / "usage.jsonl").read_bytes().splitlines()[0])
    moment = f"2026-10-01T08:{number // 60 % 60:02d}:{number % 60:02d}.{number % 1000:03d}Z"
    own = {"id": f"83b63da3-45a9-4196-98b8-{number:012d}", "time": moment}
    return line | own | {"team": f"team-{number % TEAMS}", "model": f"model-{number % MODELS}"}


def litellm(number: int) -> dict[str, object]:
    line: dict[str, object] = json.loads((FIXTURES / "litellm.jsonl").read_bytes().splitlines()[number % 2])
    talk = [{"role": "user", "content": "Summarise the document, please. " * 40} for _ in range(5)]
    return line | {
        "id": f"chatcmpl-{number:012d}",
        "messages": talk,
        "model_group": f"model-{number % MODELS}",
    }


SHAPES: dict[str, tuple[str, int, Callable[[int], dict[str, object]]]] = {
    "usage, 0.25 kB": ("usage", 0, usage),
    "usage, 0.9 kB": ("usage", 883, usage),
    "envoy_ai_gateway, 0.9 kB": ("envoy_ai_gateway", 883, envoy),
    "litellm, 11 kB": ("litellm", 11_200, litellm),
}


def rate(work: Callable[[bytes], object], lines: Sequence[bytes]) -> float:
    """Return lines per second of CPU time: the best of several rounds."""
    best = 0.0
    for _ in range(ROUNDS):
        begin, done = time.process_time(), 0
        while time.process_time() - begin < SECONDS:
            for line in lines:
                work(line)
            done += len(lines)
        best = max(best, done / (time.process_time() - begin))
    return best


def main() -> None:
    """Measure and print."""
    print(f"{'lines/s, one core':26}{'json':>10}{'msgspec':>10}{'decode':>10}{'/ json':>8}{'/ msgspec':>11}")
    for title, (name, size, make) in SHAPES.items():
        lines = [sized(make(number), size) for number in range(1000)]
        decode = load_format(name, trusted=True).decode
        plain, generic, ours = (rate(work, lines) for work in (json.loads, msgspec.json.decode, decode))
        ratios = f"{ours / plain:>8.1f}{ours / generic:>11.2f}"
        print(f"{title:26}{plain:>10,.0f}{generic:>10,.0f}{ours:>10,.0f}{ratios}")


if __name__ == "__main__":
    main()
