"""Counters on a real server: what is billed is what the raw samples say, whatever happened to the series."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import yaml
from click.testing import CliRunner

from sre.cli import main
from sre.finance.months import Month
from sre.findings import Unreachable
from sre.lab.pages import Page, serve
from sre.metering.counters import read_growth
from sre.metering.growth import Stretch, grow, holes
from sre.metering.pages import Pages
from sre.prometheus import Server

MONTH = Month("2026-10", "Europe/Berlin")
START, END = (round(moment.timestamp()) for moment in (MONTH.start, MONTH.end))
SCRAPE = 120
COSTS = """\
version: 1
currency: EUR
timezone: Europe/Berlin
gpus:
  chat: [{from: 2026-01-01, gpus: 2, rented: {per_gpu_hour: "2.50"}}]
power: {per_kwh: "0.24", pue: "1.3"}
models: {m: chat}
"""

Samples = list[tuple[int, int]]


def life(
    seed: int,
    begin: int,
    until: int,
    *,
    resets: tuple[int, ...] = (),
    silent: tuple[tuple[int, int], ...] = (),
) -> Samples:
    """A counter from its first scrape to its last, that restarts at some times and is silent at others."""
    draw, found = Random(seed), Samples()  # noqa: S311 - no secret
    value = draw.randrange(1, 10**6)
    for at in range(begin - begin % SCRAPE + seed, until, SCRAPE):
        if any(at <= reset < at + SCRAPE for reset in resets):
            value = 0
        value += draw.choice([0, 0, 1, 7, 1000])
        if not any(a <= at < b for a, b in silent):
            found.append((at, value))
    return found


DAY = 86400
LIVES: dict[str, Samples] = {
    "steady": life(1, START - 2 * DAY, END + DAY),
    "reset": life(2, START - DAY, END + DAY, resets=(START + 3 * DAY + 4000,)),
    "twice in an hour": life(
        3, START - DAY, END + DAY, resets=(START + 5 * DAY + 100, START + 5 * DAY + 1900)
    ),
    "new": life(4, START + 7 * DAY, END + DAY),
    "gone": life(5, START - DAY, START + 9 * DAY + 777),
    "silent over midnight": life(6, START - 3 * DAY, END + DAY, silent=((START - 7200, START + 7200),)),
    "silent": life(7, START - DAY, END + DAY, silent=((START + 11 * DAY, START + 11 * DAY + 5 * 3600),)),
    "short": life(8, START + 13 * DAY + 600, START + 13 * DAY + 2400),
    "each morning": life(
        11, START - DAY, END + DAY, resets=tuple(START + d * DAY + 21000 for d in range(31))
    ),
    "outgrown": life(
        12, START + 15 * DAY, END + DAY, resets=(START + 15 * DAY + 900, START + 15 * DAY + 1500)
    ),
    # Its last value before the restart and the first one after it lie on two sides of a full hour.
    "over the hour": life(
        13, START + 16 * DAY - 1200, END + DAY, resets=(START + 16 * DAY - 500, START + 16 * DAY + 13)
    ),
    "gone at once": life(14, START - DAY, START + 2000),
    # Restarted while nobody looked, and past its old value before the first full hour.
    "restarted asleep": life(
        15,
        START - DAY,
        END + DAY,
        resets=(START - 7800, START + 1700),
        silent=((START - 7200, START + 1800),),
    ),
    "before": life(9, START - DAY, START - 7200),
    "after": life(10, END + 7200, END + DAY),
}


def raw(samples: Samples) -> int:
    """What the samples themselves say: every step up, every new start from 0."""
    before = [value for at, value in samples if at <= START]
    within = [value for at, value in samples if START < at <= END]
    last, grown = (before[-1] if before else 0), 0
    for value in within:
        grown += value - last if value >= last else value
        last = value
    return grown


def exposition() -> Iterator[str]:
    """OpenMetrics with times, as promtool reads it."""
    yield "# TYPE llm_tokens counter"
    for team, samples in LIVES.items():
        labels = f'model="m",class="output",team="{team}",job="exporter",instance="x:1"'
        yield from (f"llm_tokens_total{{{labels}}} {value} {at}" for at, value in samples)
    yield "# TYPE llm_requests counter"
    labels = 'model="m",outcome="success",team="steady",job="exporter",instance="x:1"'
    yield from (
        f"llm_requests_total{{{labels}}} {at // SCRAPE} {at}" for at in range(START - DAY, END + DAY, SCRAPE)
    )
    yield "# TYPE other counter"
    yield from (
        f'other_total{{job="modern",instance="y:1"}} {value} {at}' for at, value in LIVES["each morning"]
    )
    yield "# TYPE kept counter"
    yield from (f'kept_total{{job="modern",instance="y:1"}} {value} {at}' for at, value in LIVES["steady"])
    yield "# TYPE process_start_time_seconds gauge"
    for at in range(START - DAY, END + DAY, SCRAPE):
        day = (at - START - 21000) // DAY
        yield f'process_start_time_seconds{{job="modern",instance="y:1"}} {START + day * DAY + 21000} {at}'
    yield "# TYPE up gauge"
    for at in range(START - DAY, END + DAY, SCRAPE):
        yield f'up{{job="exporter",instance="x:1"}} {0 if 0 <= at - START - 20 * DAY < 5400 else 1} {at}'
    yield "# TYPE gpu:state:info gauge"
    for card in (0, 1):
        for at in range(START, END, 60):
            state = (
                "busy" if (at - START) % 3600 < 1368 else "loaded_idle" if at % 7200 < 3600 else "empty_idle"
            )
            yield f'gpu:state:info{{uuid="GPU-{card}",pool="chat",state="{state}"}} 1 {at}'
    yield "# TYPE DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION gauge"
    for card in (0, 1):
        for at in range(START - 600, END + 600, SCRAPE):
            yield f'DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{UUID="GPU-{card}"}} {(at - START + 600) * 300_000} {at}'
    yield "# EOF"


@pytest.fixture(scope="module")
def server(start_program) -> str:
    def make(folder: Path, port: int) -> list[str]:
        text = folder / "past.om"
        text.write_text("\n".join(exposition()) + "\n")
        made = [
            "promtool",
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            str(text),
            str(folder / "data"),
            "--max-block-duration=800h",
        ]
        subprocess.run(made, check=True, capture_output=True)
        (folder / "prometheus.yml").write_text(yaml.safe_dump({"global": {}}))
        flags = ["--storage.tsdb.path=data", "--storage.tsdb.retention.time=9y", "--log.level=warn"]
        address = f"--web.listen-address=127.0.0.1:{port}"
        return ["prometheus", "--config.file=prometheus.yml", address, *flags]

    return start_program(make, "/-/ready").url


def test_growth_is_what_the_raw_samples_say(server):
    """Resets, new, ended, silent and short-lived series: each comes to the sum of its raw samples, to the token."""
    grown = read_growth(Pages(Server(server)), "llm_tokens_total", START, END)
    found = {dict(labels)["team"]: amount for labels, amount in grown.amounts.items()}
    assert found == {team: raw(samples) for team, samples in LIVES.items() if team not in ("before", "after")}
    assert grown.counted.resets == 3 + 31 + 2 + 2 + 1
    assert {dict(labels)["team"] for labels in grown.amounts if labels} >= {"short", "new"}
    assert grown.counted.started == 4
    assert 0 < grown.counted.bound < 60 * 1000 * 50


class Listening(Server):
    """A real server, and what it was asked."""

    asked = ""

    def query_range(self, expr, start, end, step):
        self.asked += expr
        return super().query_range(expr, start, end, step)


def test_restarts_are_known_from_the_process_itself(server):
    """Where a target says when it was started, no sample has to be read for that, and each restart is looked at."""
    listening = Listening(server)
    grown = read_growth(Pages(listening), "other_total", START, END)
    assert list(grown.amounts.values()) == [raw(LIVES["each morning"])]
    assert grown.counted.resets == 31
    assert "resets(" not in listening.asked


def test_a_start_that_kept_its_counts_counts_nothing_twice(server):
    """Our exporter goes on from its saved counts: a new start time is looked into, and is no reset by itself."""
    grown = read_growth(Pages(Server(server)), "kept_total", START, END)
    assert list(grown.amounts.values()) == [raw(LIVES["steady"])]
    assert grown.counted.resets == 0


def test_increase_would_say_otherwise(server):
    """What PromQL extrapolates is another number, which is why it is not used."""
    guess = Server(server).query(f'increase(llm_tokens_total{{team="short"}}[{END - START}s])', END)
    assert round(guess[0].value) != raw(LIVES["short"])


def test_a_silence_is_a_gap_that_is_reported(server):
    """An exporter that was down for an hour and a half is named with its times; its growth is not lost."""
    counted = read_growth(Pages(Server(server)), "llm_tokens_total", START, END).counted
    down = [gap for gap in counted.gaps if gap.series.startswith("up{")]
    assert len(down) == 1
    assert abs(down[0].start - START - 20 * DAY) <= 600
    assert abs(down[0].end - down[0].start - 5400) <= 600
    assert any("silent" in gap.series for gap in counted.gaps)


def build(folder: Path, *arguments: str, expect: int = 0):
    (folder / "costs.yaml").write_text(COSTS)
    done = CliRunner().invoke(
        main,
        [
            "chargeback",
            "build",
            "--month",
            "2026-10",
            "--costs",
            str(folder / "costs.yaml"),
            "-o",
            str(folder / "out"),
            *arguments,
        ],
    )
    assert done.exit_code == expect, done.output
    return done


def test_a_month_is_billed_from_a_server(server, tmp_path):
    """Tokens, requests, card states and energy of one month, from recorded series alone, to a bill that verifies."""
    build(tmp_path, "--prometheus", server)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["source"] == "prometheus"
    assert manifest["control"]["tokens"] == sum(raw(samples) for samples in LIVES.values())
    assert manifest["control"]["requests"] == (END - START) // SCRAPE
    assert float(manifest["coverage"]["telemetry"]) > 0.998
    # Busy for 1,368 of each 3,600 seconds: 38 per cent, as in acceptance number 25.
    idle = float(manifest["control"]["idle"]) / float(manifest["total"])
    assert abs(idle - 0.62) < 0.01
    # 300,000 mJ a second are 300 W for each of two cards.
    energy = json.loads((tmp_path / "out" / "inputs" / "usage.json").read_text())["energy"]["chat"]
    assert abs(energy - 2 * 300 * 745) < 2
    assert not (tmp_path / ".out.partial").exists()
    done = CliRunner().invoke(main, ["chargeback", "verify", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output


def records(folder: Path, share: float = 1.0) -> Path:
    """Records that add up to what the counters say, or to a share of it."""
    path, lines = folder / "usage.jsonl", list[str]()
    count = (END - START) // SCRAPE
    whole = {team: int(raw(samples) * share) for team, samples in LIVES.items() if raw(samples)}
    for index in range(count):
        team = sorted(whole)[index % len(whole)]
        # One record of each team carries all of its tokens: only the sums are compared.
        tokens = whole[team] if index < len(whole) else 0
        lines.append(json.dumps({
            "id": f"r{index}", "time": "2026-10-10T00:00:00Z", "team": team, "model": "m", "pool": "chat",
            "tokens": {"output": tokens}, "outcome": "success",
        }))  # fmt: skip
    path.write_text("\n".join(lines) + "\n")
    return path


def test_two_sources_are_compared_for_each_model(server, tmp_path):
    """Within the tolerance the records are billed, with the cards' states from the server; beyond it nothing is."""
    done = build(tmp_path, "--prometheus", server, "--usage", str(records(tmp_path)), "--json")
    assert json.loads(done.stdout)["source"] == "both"
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["reconciled"]["models"]["m"]["output"] == [manifest["control"]["tokens"]] * 2
    before = (tmp_path / "out" / "manifest.json").read_bytes()
    done = build(tmp_path, "--prometheus", server, "--usage", str(records(tmp_path, 0.97)), expect=1)
    assert "model 'm'" in done.output
    assert "output: the records say" in done.output
    assert "3.00 % apart" in done.output
    assert (tmp_path / "out" / "manifest.json").read_bytes() == before
    build(tmp_path, "--prometheus", server, "--usage", str(records(tmp_path, 0.97)), "--tolerance", "5%")


@pytest.mark.parametrize(
    "body", [{"warnings": ["a store did not answer"]}, {"isPartial": True}], ids=["warning", "partial"]
)
def test_a_partial_answer_is_no_bill(tmp_path, body):
    """A server that answers only in part ends the run with 3, and nothing is written."""
    answer = {"status": "success", "data": {"resultType": "vector", "result": []}, **body}
    listed = {**answer, "data": [{"__name__": "llm_tokens_total", "model": "m"}]}

    def page(path: str) -> Page:
        return Page(json.dumps(listed if "series" in path else answer).encode())

    with serve(page) as address:
        done = build(tmp_path, "--prometheus", address, expect=3)
    assert "answered partially" in done.output
    assert not (tmp_path / "out").exists()


def test_an_empty_server_is_said_so(start_prometheus, tmp_path):
    """Without any usage nobody can be charged: that is bad input, not a bill of zero."""
    url = start_prometheus({"job": "x", "text": "a 1\n"}).url
    done = build(tmp_path, "--prometheus", url, expect=2)
    assert "holds no llm_tokens_total and no llm_requests_total of 2026-10" in done.output


class Flaky(Server):
    """A real server behind a line that breaks after some questions."""

    left = 3

    def _ask(self, path, params):
        if not self.left:
            raise Unreachable([])
        self.left -= 1
        return super()._ask(path, params)


def test_a_run_that_was_cut_off_goes_on_where_it_was(server, tmp_path):
    """Answers are kept until the month is written: the second run asks only for what is missing."""
    first = Flaky(server)
    with pytest.raises(Unreachable):
        read_growth(Pages(first, tmp_path / "kept"), "llm_tokens_total", START, END)
    kept = len(list((tmp_path / "kept").iterdir()))
    assert kept >= 1
    second = Flaky(server)
    second.left = 100
    grown = read_growth(Pages(second, tmp_path / "kept"), "llm_tokens_total", START, END)
    again = Flaky(server)
    again.left = 1
    # Only the list of series is asked for anew.
    assert (
        read_growth(Pages(again, tmp_path / "kept"), "llm_tokens_total", START, END).amounts == grown.amounts
    )


def test_the_same_month_from_victoria_metrics(server, start_program, fetch, tmp_path):
    """Another implementation of the API, the same growth of every series, and the same bill to the byte."""
    running = start_program(
        lambda folder, port: [
            "victoria-metrics",
            f"-storageDataPath={folder}/data",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-retentionPeriod=9y",
            "-search.latencyOffset=0s",
        ],
        "/health",
    )
    samples = (line.rpartition(" ") for line in exposition() if not line.startswith("#"))
    lines = "\n".join(f"{sample} {at}000" for sample, _, at in samples)
    fetch(f"{running.url}/api/v1/import/prometheus", lines.encode() + b"\n")
    fetch(f"{running.url}/internal/force_flush")
    grown = read_growth(Pages(Server(running.url)), "llm_tokens_total", START, END)
    assert {dict(labels)["team"]: amount for labels, amount in grown.amounts.items()} == {
        team: raw(samples) for team, samples in LIVES.items() if team not in ("before", "after")
    }
    for name, url in (("a", running.url), ("b", server)):
        (tmp_path / name).mkdir()
        build(tmp_path / name, "--prometheus", url)
    assert (tmp_path / "a/out/chargeback.csv").read_bytes() == (
        tmp_path / "b/out/chargeback.csv"
    ).read_bytes()


def test_growth_of_a_few_values():
    """Up counts, a fall counts from 0, a first value inside the month counts whole, an old one not at all."""
    assert grow([(0, 5), (10, 8), (20, 3), (30, 4)], 0, 30, 10).amount == 3 + 3 + 1
    assert grow([(10, 8), (20, 9)], 0, 20, 10).amount == 9
    assert grow([], 0, 20, 10).amount == 0
    assert grow([(0, 5), (10, 6)], 0, 40, 10).open == (Stretch(10, 20, 6, None),)
    assert holes([0, 10, 20, 50, 60], 10) == [(20, 50)]
