"""How many records a second the log tail counts, beside mtail doing the same counts: prints, judges nothing.

One file of 0.9 kB lines, in the page cache, is read from its beginning to its end by each program in turn, on one
core. Processor time is taken, so that whoever else uses the machine changes little. The counts of both are
compared: a fast program that counts something else is none.
mtail (Debian package `mtail`) is what an operator would take otherwise; its program has the same counters and
histograms with the same labels and bounds. It checks nothing else: names, numbers and errors are ours alone.
"""

import gc
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sre.usage import bounds
from sre.usage.accounts import Accounts
from sre.usage.formats import load_format
from sre.usage.identity import Identity
from sre.usage.inbox import Inbox, Scrape
from sre.usage.intake import Intake, Route
from sre.usage.record import TOKEN_CLASSES
from sre.usage.running import Running
from sre.usage.state import StateFile
from sre.usage.tail import Tail

RECORDS, LENGTH = 200_000, 900
TEAMS = [f"team-{number}" for number in range(40)]
MODELS = [f"model-{number}" for number in range(12)]

MTAIL = """\
counter llm_requests_total by team, model, outcome
counter llm_tokens_total by team, model, class
counter llm_request_finishes_total by model, reason
histogram llm_output_tokens by model buckets {lengths}
histogram llm_time_to_first_token_seconds by model buckets {ttft}
histogram llm_request_duration_seconds by model buckets {duration}

/{line}/ {{
  llm_requests_total[$team][$model][$outcome]++
  llm_tokens_total[$team][$model]["uncached_input"] += $uncached_input
  llm_tokens_total[$team][$model]["cached_input"] += $cached_input
  llm_tokens_total[$team][$model]["cache_write"] += $cache_write
  llm_tokens_total[$team][$model]["output"] += $output
  llm_tokens_total[$team][$model]["reasoning"] += $reasoning
  llm_request_finishes_total[$model][$finish]++
  llm_output_tokens[$model] = $output
  llm_time_to_first_token_seconds[$model] = $ttft
  llm_request_duration_seconds[$model] = $duration
}}
"""
_TOKENS = ",".join(rf'"{name}":(?P<{name}>\d+)' for name in TOKEN_CLASSES)
LINE = (
    r'"team":"(?P<team>[^"]+)","model":"(?P<model>[^"]+)",.*"tokens":\{'
    rf"{_TOKENS}"
    r'\},"ttft_seconds":(?P<ttft>[0-9.]+),"duration_seconds":(?P<duration>[0-9.]+),'
    r'"finish_reason":"(?P<finish>\w+)","outcome":"(?P<outcome>\w+)"'
)


def write_log(path: Path, count: int) -> None:
    """Lines of the usage record, filled up with a field that nobody reads."""
    dice = random.Random(1)  # noqa: S311
    with path.open("w") as file:
        for number in range(count):
            record = {
                "id": f"request-{number:09d}",
                "time": f"2026-11-21T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z",
                "team": dice.choice(TEAMS),
                "model": dice.choice(MODELS),
                "pool": "chat-70b",
                "tokens": {
                    "uncached_input": dice.randrange(3000),
                    "cached_input": dice.randrange(3000),
                    "cache_write": 0,
                    "output": dice.randrange(1, 900),
                    "reasoning": 0,
                },
                "ttft_seconds": dice.randrange(1000) / 1000,
                "duration_seconds": dice.randrange(30_000) / 1000,
                "finish_reason": "stop",
                "outcome": "success",
                "user_agent": "",
            }
            line = json.dumps(record, separators=(",", ":"))
            file.write(line[:-2] + "x" * (LENGTH - 1 - len(line)) + line[-2:] + "\n")


def count_here(log: Path, folder: Path) -> tuple[float, str]:
    """Seconds for the loop of the exporter, and the page that it shows; saving included."""
    route = Route("access", load_format("usage", [], trusted=True))
    intake = Intake(Identity(TEAMS), Accounts(TEAMS, MODELS), ["access"], time.time)
    running = Running(intake, Inbox(), StateFile(folder / "state"), [(route, Tail(log))], time.time)
    begin = time.process_time()
    running.start()
    while not running.caught_up:
        running.turn(0)
    seconds = time.process_time() - begin
    pages: list[bytes | None] = []
    running.inbox.put(Scrape(pages.append))
    running.turn(0)
    running.stop()
    assert pages[0]
    return seconds, pages[0].decode()


def read_here(log: Path) -> float:
    """Seconds for the tail alone: lines found, and thrown away."""
    tail = Tail(log)
    begin = time.process_time()
    while tail.read().more:
        pass
    return time.process_time() - begin


def count_with_mtail(log: Path, folder: Path) -> tuple[float, str]:
    """Seconds for the same file, and the counts."""
    (folder / "programs").mkdir()
    (folder / "programs" / "usage.mtail").write_text(
        MTAIL.format(
            line=LINE,
            lengths=", ".join(map(str, bounds.OUTPUT_TOKENS)),
            ttft=", ".join(map(str, bounds.TTFT_SECONDS)),
            duration=", ".join(map(str, bounds.DURATION_SECONDS)),
        )
    )
    arguments = ["mtail", "--one_shot", "--progs", str(folder / "programs"), "--logs", str(log)]
    arguments += ["--one_shot_format", "prometheus", "--port", "0"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def counts(page: str) -> dict[tuple[str, ...], float]:
    """What both programs count, under names and labels without those of mtail's own; zeros left out."""
    found: dict[tuple[str, ...], float] = {}
    for name, labels, value in re.findall(r"^(llm_[a-z_]+){([^}]*)} (\S+)", page, re.MULTILINE):
        known = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        known.pop("prog", None)
        if float(value) and name.endswith(("_total", "_count")) and not name.startswith("llm_exporter"):
            found[name, *(f"{label}={known[label]}" for label in sorted(known))] = float(value)
    return found


@contextmanager
def on_one_core() -> Iterator[None]:
    """Everything on the same core, so that a program with threads is not compared by its threads."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def best(runs: int, measure: Callable[[], float]) -> float:
    return min(measure() for _ in range(runs))


def main() -> int:
    """Print rates and ratios."""
    # As the command itself does: what is counted lives until it ends, and is not searched for garbage all the time.
    gc.set_threshold(100_000, 50, 100)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    with tempfile.TemporaryDirectory() as name, on_one_core():
        folder, log = Path(name), Path(name) / "access.jsonl"
        write_log(log, count)
        alone = best(2, lambda: read_here(log))
        ours, page = min(count_here(log, Path(tempfile.mkdtemp(dir=folder))) for _ in range(2))
        print(f"log tail, {count:,} lines of {LENGTH} bytes on one core")
        print(f"  lines found, nothing counted  {count / alone:>12,.0f} /s")
        print(f"  found, counted and saved      {count / ours:>12,.0f} /s")
        if not shutil.which("mtail"):
            print(
                "  mtail is not installed, nothing to compare with: apt-get install --no-install-recommends mtail"
            )
            return 0
        theirs, output = count_with_mtail(log, folder)
        assert counts(page) == counts(output), "the two programs count different things"
        print(f"  mtail, the same counts        {count / theirs:>12,.0f} /s")
        print(f"  ours is {theirs / ours:.1f} times as fast")
    return 0


if __name__ == "__main__":
    sys.exit(main())
