"""How long `sre idle` takes over a week of many cards, against a real Prometheus within its default limits.

The recorded states of a fleet are written into a Prometheus of its own, a sample a minute for each card, as its rules
would have recorded them; then the command is run as a user runs it. Time and memory are shown, and the page's size.
"""

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import yaml
from remote_write import Writer, encode, encode_labels
from server import Prometheus, prometheus

SRE = Path(sys.executable).parent / "sre"
MINUTE = 60_000
DAYS, CARDS, POOLS = 7, 8, 50
TARGET = "60 s, 1 GB"

# One head block that takes samples of two weeks ago; queries keep to the server's defaults.
_FLAGS = ("--storage.tsdb.min-block-duration=35d", "--storage.tsdb.retention.time=60d", "--log.level=warn")


@dataclass(frozen=True)
class Result:
    """One size: seconds of writing, of the command, of CPU that it and the server took; memory and page in MB."""

    cards: int
    samples: int
    written: float
    seconds: float
    own: float
    server: float
    megabytes: float
    page: float


def fleet(cards: int) -> dict[str, object]:
    """Pools of replicas of eight cards."""
    replicas = cards // CARDS
    return {
        "version": 1,
        "name": "bench",
        "timezone": "Europe/Berlin",
        "gpu_exporter": {"kind": "dcgm", "version": "4.8.2"},
        "grafana_base_url": "https://grafana.example.com",
        "pools": [
            {"name": f"pool-{number:02}", "engine": {"kind": "vllm", "version": "0.32.0"},
             "owner": f"team-{number % 12}",
             "gpus": {"type": "h100", "per_replica": CARDS, "replicas": len(range(number, replicas, POOLS))}}
            for number in range(min(POOLS, replicas))
        ],
    }  # fmt: skip


def states(begin: int, minutes: int, random: Random) -> Iterator[tuple[str, str, range]]:
    """(state, evidence, minutes) one after the other: days busy, nights idle, now and then a gap."""
    at = 0
    while at < minutes:
        hour = (begin // MINUTE + at) // 60 % 24
        if 8 <= hour < 18:
            state = "busy" if random.random() < 0.8 else "underused"
        else:
            state = "loaded_idle" if random.random() < 0.8 else "underused"
        length = random.randrange(60, 300)
        evidence = "engine" if random.random() < 0.03 else "activity"
        yield state, evidence, range(at, min(at + length, minutes))
        at += length + (random.randrange(1, 20) if random.random() < 0.02 else 0)


def write_card(writer: Writer, card: int, begin: int, minutes: int, samples: Sequence[bytes]) -> None:
    """The recorded states of one card: a series for each state and evidence that it was ever in."""
    replica, place = divmod(card, CARDS)
    pool = f"pool-{replica % POOLS:02}"
    labels = encode_labels({
        "__name__": "gpu:state:info", "uuid": f"GPU-{card:08x}-5b8c-4f6e-9c1a-2d3e4f506172", "gpu": str(place),
        "gpu_model": "NVIDIA H100 80GB HBM3", "host": f"gpu-node-{replica:04}", "team": f"team-{replica % POOLS % 12}",
        "pool": pool, "namespace": "llm", "pod": f"{pool}-6c9f7d8b5-{replica:05}",
    })  # fmt: skip
    found = dict[tuple[str, str], list[bytes]]()
    for state, evidence, span in states(begin, minutes, Random(replica)):  # noqa: S311 - no secret
        found.setdefault((state, evidence), []).extend(samples[span.start : span.stop])
    for (state, evidence), parts in found.items():
        writer.add(labels + encode_labels({"state": state, "evidence": evidence}) + b"".join(parts))


def load(server: Prometheus, cards: int, begin: int, minutes: int) -> int:
    """Write everything; the value is how many samples that were."""
    samples = [encode([((begin + minute * MINUTE) / 1000, 1.0)]) for minute in range(minutes)]
    writer, always = Writer(server.url, server.session), b"".join(samples)
    for labels in (
        {"__name__": "fleet:minute:state"},
        {"__name__": "up", "job": "dcgm", "instance": "a:9400"},
    ):
        writer.add(encode_labels(labels) + always)
    for card in range(cards):
        write_card(writer, card, begin, minutes, samples)
    writer.flush()
    return int(server.metric("prometheus_tsdb_head_samples_appended_total"))


def measure(cards: int) -> Result:
    """One size, in a Prometheus of its own."""
    end = int(time.time()) // 3600 * 3_600_000
    # The period and the one before it, with which it is compared.
    minutes = 2 * DAYS * 1440
    with tempfile.TemporaryDirectory(prefix="idle-") as name:
        folder = Path(name)
        (folder / "fleet.yaml").write_text(yaml.safe_dump(fleet(cards)))
        with prometheus(folder, _FLAGS) as server:
            began = time.perf_counter()
            samples = load(server, cards, end - minutes * MINUTE, minutes)
            written = time.perf_counter() - began
            until = time.strftime("%Y-%m-%dT%H:%M+00:00", time.gmtime(end / 1000))
            command = [str(SRE), "idle", "fleet.yaml", "--prometheus", server.url, "--since", f"{DAYS}d",
                       "--until", until, "--format", "html", "-o", "page.html"]  # fmt: skip
            before = server.metric("process_cpu_seconds_total")
            seconds, usage = _run(command, folder)
            busy = server.metric("process_cpu_seconds_total") - before
            return Result(
                cards,
                samples,
                written,
                seconds,
                usage.ru_utime + usage.ru_stime,
                busy,
                usage.ru_maxrss / 1024,
                (folder / "page.html").stat().st_size / 1e6,
            )


def _run(command: Sequence[str], folder: Path) -> tuple[float, resource.struct_rusage]:
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return time.perf_counter() - began, usage


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cards", type=int, nargs="+", default=[1000, 10000], help="sizes; 10,000 take 8 GB")
    asked = parser.parse_args()
    # A plain end leaves neither a process nor a folder behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    heads = ("cards", "samples", "written in", "sre idle", "its CPU", "the server", "peak RSS", "page")
    print("".join(f"{head:>12}" for head in heads) + f"   target at 10,000: {TARGET}, 5 MB")
    for cards in sorted(asked.cards):
        one = measure(cards)
        cells = (
            f"{one.cards:,}", f"{one.samples:,}", f"{one.written:.0f} s", f"{one.seconds:.1f} s", f"{one.own:.1f} s",
            f"{one.server:.1f} s", f"{one.megabytes:.0f} MB", f"{one.page:.2f} MB",
        )  # fmt: skip
        print("".join(f"{cell:>12}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
