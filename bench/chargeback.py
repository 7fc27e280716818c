"""What a month's bill costs: from millions of gateway records, and from a real Prometheus. Prints, judges nothing.

python bench/chargeback.py                      five million records, JSON lines and Parquet
python bench/chargeback.py 5000000 20000000     how it grows
python bench/chargeback.py --pools 500          500 pools x 50 teams over 31 days, from a Prometheus
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from remote_write import Writer, encode, encode_labels
from server import prometheus

SRE = Path(sys.executable).parent / "sre"
TEAMS, POOLS = 50, 20
_MONTH = ("--storage.tsdb.min-block-duration=100d", "--storage.tsdb.retention.time=20y", "--log.level=warn")
"""One head block that holds all of the month."""


def record(count: int) -> str:
    """SELECT of so many gateway records, evenly over the month: 2 per cent failed, 20 models, 50 teams."""
    moment = f"TIMESTAMP '2026-09-30 22:00:00' + to_milliseconds(i * 2682000000 // {count})"
    tokens = ", ".join(f"'{name}': {number}" for name, number in _TOKENS.items())
    columns = (
        "format('{:08x}-{:04x}-4000-8000-{:012x}', hash(i) % 4294967296, hash(i + 1) % 65536, i) AS id",
        f"strftime({moment}, '%Y-%m-%dT%H:%M:%S.%gZ') AS time",
        f"'team-' || (hash(i + 2) % {TEAMS}) AS team",
        *(f"'{kind}-' || (hash(i + 3) % {POOLS}) AS {name}" for kind, name in _NAMES),
        f"{{{tokens}}} AS tokens",
        "0.18 AS ttft_seconds, 3.9 AS duration_seconds, 'stop' AS finish_reason",
        "CASE WHEN hash(i + 7) % 50 = 0 THEN 'error' ELSE 'success' END AS outcome",
    )
    return f"SELECT {', '.join(columns)} FROM range({count}) r(i)"  # noqa: S608 - our own numbers


_TOKENS = {
    "uncached_input": "hash(i + 4) % 4000", "cached_input": "hash(i + 5) % 2000", "cache_write": "0",
    "output": "hash(i + 6) % 800", "reasoning": "0",
}  # fmt: skip
_NAMES = (("model", "model"), ("model", "requested_model"), ("pool", "pool"))


def costs(folder: Path, pools: int) -> Path:
    """A cost file in which each pool has eight cards."""
    path = folder / "costs.yaml"
    lines = [
        f'  pool-{n}: [{{from: 2026-01-01, gpus: 8, rented: {{per_gpu_hour: "2.52"}}}}]' for n in range(pools)
    ]
    models = [f"  model-{n}: pool-{n}" for n in range(pools)]
    head = ["version: 1", "currency: EUR", "timezone: Europe/Berlin", "gpus:", *lines, "models:", *models]
    fixed = ['fixed: [{name: operations, per_month: "3250.00"}]']
    path.write_text("\n".join([*head, *fixed]) + "\n")
    return path


def measure(folder: Path, *arguments: str) -> tuple[float, float, float]:
    """Seconds on the clock, seconds of processors, and the most memory in GB of one build."""
    begin = time.monotonic()
    command = [
        SRE,
        "chargeback",
        "build",
        "--month",
        "2026-10",
        "--costs",
        folder / "costs.yaml",
        "-o",
        folder / "out",
        *arguments,
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr
    said = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(said)
    return time.monotonic() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6


def records(counts: list[int], memory: str) -> None:
    print(f"{'records':>12} {'form':8} {'size':>9} {'time':>8} {'CPU':>8} {'memory':>9} {'a second':>12}")
    for count in counts:
        for form, options in (("jsonl", "FORMAT json"), ("parquet", "FORMAT parquet")):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                costs(folder, POOLS)
                path = folder / f"usage.{form}"
                duckdb.execute(f"COPY ({record(count)}) TO '{path}' ({options})")
                size = path.stat().st_size / 1e9
                took, cpu, peak = measure(
                    folder, "--usage", str(path), "--memory", memory, "--temp-dir", name
                )
                print(
                    f"{count:12,} {form:8} {size:6.2f} GB {took:6.1f} s {cpu:6.1f} s {peak:6.2f} GB "
                    f"{count / took:12,.0f}",
                    flush=True,
                )


def server(pools: int) -> None:
    """A month of hourly samples of every pool and team, on a Prometheus with its default limits for queries."""
    start = round(datetime(2026, 9, 29, tzinfo=UTC).timestamp())
    moments = range(start, start + 35 * 86400, 3600)
    with tempfile.TemporaryDirectory() as name, prometheus(Path(name), _MONTH) as running:
        costs(Path(name), pools)
        writer = Writer(running.url, running.session)
        samples = [
            encode((at, index * (1000 + step)) for index, at in enumerate(moments)) for step in range(7)
        ]
        series = 0
        for pool in range(pools):
            for team in range(TEAMS):
                shared = {
                    "model": f"model-{pool}",
                    "team": f"team-{team}",
                    "job": "exporter",
                    "instance": "gateway:9100",
                }
                for metric in ({"__name__": "llm_tokens_total", "class": "uncached_input"},
                               {"__name__": "llm_tokens_total", "class": "output"},
                               {"__name__": "llm_requests_total", "outcome": "success"}):  # fmt: skip
                    writer.add(encode_labels({**shared, **metric}) + samples[series % 7])
                    series += 1
        started = {"__name__": "process_start_time_seconds", "job": "exporter", "instance": "gateway:9100"}
        writer.add(encode_labels(started) + encode((at, start) for at in moments))
        writer.flush()
        before = running.metric("process_cpu_seconds_total")
        took, cpu, peak = measure(Path(name), "--prometheus", running.url, "--timeout", "600")
        theirs = running.metric("process_cpu_seconds_total") - before
        print(
            f"\n{pools} pools x {TEAMS} teams, {series:,} series, {series * len(moments):,} samples: "
            f"{took:.1f} s, {cpu:.1f} s CPU here, {peak:.2f} GB here, "
            f"the server {theirs:.1f} s CPU, {running.peak / 1000:.2f} GB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("counts", nargs="*", type=int, help="numbers of records")
    parser.add_argument("--pools", type=int, help="pools on a Prometheus")
    parser.add_argument("--memory", default="3GB", help="as of `sre chargeback build`")
    asked = parser.parse_args()
    if asked.counts or not asked.pools:
        records(asked.counts or [5_000_000], asked.memory)
    if asked.pools:
        server(asked.pools)


if __name__ == "__main__":
    main()
