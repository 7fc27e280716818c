"""`sre backtest` at the command line, over three hours of which every minute is known."""

import json
import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from xml.dom import minidom

import pytest
import yaml
from click.testing import CliRunner

from sre.checks.backtest.history import grid, pages
from sre.checks.backtest.picture import Bar, draw
from sre.checks.backtest.samples import packed, request, series
from sre.checks.backtest.scratch import scratch
from sre.checks.backtest.sweep import scaled
from sre.cli import main
from sre.prometheus import own_server

FLEET = {
    "version": 1,
    "name": "known",
    "pools": [
        {
            "name": "chat-70b",
            "engine": {"kind": "vllm", "version": "0.32.0"},
            "gpus": {"type": "h100", "per_replica": 1, "replicas": 2},
            "thresholds": {"queue_depth": 50},
        },
        {"name": "extract-8b", "engine": {"kind": "vllm", "version": "0.32.0"}},
    ],
}
MINUTE, STEP = 60_000, 30_000
BEGIN = (int(time.time()) // 3600 - 5) * 3_600_000
END = BEGIN + 180 * MINUTE
PILES, HOLE = (range(50, 70), range(90, 100)), range(120, 150)
"""Minutes in which 80 requests wait, and in which nothing was scraped."""


def waiting(minute):
    return 40.0 if any(minute in pile for pile in PILES) else 3.0


def history():
    """Two replicas of one pool and one of the other, as they were scraped."""
    replicas = [("chat-70b", "chat-0"), ("chat-70b", "chat-1"), ("extract-8b", "extract-0")]
    times = [
        at for at in range(BEGIN - 60 * MINUTE, END + 10 * MINUTE, STEP) if (at - BEGIN) // MINUTE not in HOLE
    ]
    for job, pod in replicas:
        labels = {"job": job, "namespace": "llm", "pod": pod, "instance": f"{pod}:8000"}
        engine = {**labels, "engine": "0", "model_name": job}
        deep = job == "chat-70b"
        yield series({**labels, "__name__": "up"}, [(at, packed(1)) for at in times])
        yield series(
            {**engine, "__name__": "vllm:num_requests_waiting"},
            [(at, packed(waiting((at - BEGIN) // MINUTE) if deep else 0)) for at in times],
        )
        yield series({**engine, "__name__": "vllm:num_requests_running"}, [(at, packed(7)) for at in times])


@pytest.fixture(scope="module")
def prometheus():
    with scratch() as server:
        server.server.write(request(history()))
        yield server.server.url


@pytest.fixture(scope="module")
def victoria(start_program, until):
    url = start_program(
        lambda _, port: ["victoria-metrics", "-storageDataPath=data", f"-httpListenAddr=127.0.0.1:{port}",
                         "-search.latencyOffset=0s"],
        "/health",
    ).url  # fmt: skip
    server = own_server(url, 30)
    server.write(request(history()))
    until(lambda: server.query("up", END / 1000), "what was written")
    return url


@pytest.fixture
def backtest(tmp_path):
    """``backtest(url, *arguments)`` -> (exit code, rows by alert and pool, all that was said)."""
    (tmp_path / "fleet.yaml").write_text(yaml.safe_dump(FLEET))

    def run(url, *arguments, since=BEGIN, until=END):
        into = tmp_path / "rows.json"
        into.unlink(missing_ok=True)
        period = [f"--{name}={time.strftime('%Y-%m-%dT%H:%M', time.gmtime(at / 1000))}"
                  for name, at in (("since", since), ("until", until))]  # fmt: skip
        command = ["backtest", str(tmp_path / "fleet.yaml"), "--prometheus", url, "--json", str(into)]
        done = CliRunner().invoke(main, [*command, *period, *arguments], catch_exceptions=False)
        rows = json.loads(into.read_text()) if into.exists() else []
        return done.exit_code, rows, done.output + done.stderr

    return run


def row(rows, alert, pool):
    return next(one for one in rows if (one["alert"], one["pool"]) == (alert, pool))


def words(picture):
    """The texts of a picture, each as it is drawn."""
    drawn = minidom.parseString(picture)  # noqa: S318
    return {one.firstChild.data for one in drawn.getElementsByTagName("text")}


class TestKnownHours:
    def test_firings_minutes_flaps_and_pages(self, backtest, prometheus):
        """Two piles of 20 and 10 minutes, twenty minutes apart, page twice, and the second is a flap."""
        code, rows, _ = backtest(prometheus)
        covered = (361 - 59) * STEP
        assert row(rows, "LLMQueueDepthHigh", "chat-70b") == {
            "alert": "LLMQueueDepthHigh",
            "pool": "chat-70b",
            "firings": 2,
            # Two minutes later, by `for`, and ten longer, by `keep_firing_for`.
            "minutes": 46.0,
            "flaps": 1,
            "pages_per_week": round(2 * 7 * 86_400_000 / covered, 2),
            "uninhibited_per_week": round(2 * 7 * 86_400_000 / covered, 2),
        }
        assert row(rows, "LLMQueueDepthHigh", "extract-8b")["firings"] == 0
        assert row(rows, "Watchdog", None)["minutes"] == covered / MINUTE
        assert code == 0

    def test_missing_is_not_zero(self, backtest, prometheus):
        """Half an hour without a scrape is told as a share of the period, and stands in no number."""
        *_, said = backtest(prometheus)
        assert "16.3% of the period is not covered" in said
        assert "missing is not zero" in said

    def test_history_that_begins_later_is_told(self, backtest, prometheus):
        """A period older than what the server holds says where its history begins."""
        _, rows, said = backtest(prometheus, since=BEGIN - 180 * MINUTE)
        assert "its history begins 2h after the period does" in said
        assert row(rows, "LLMQueueDepthHigh", "chat-70b")["firings"] == 2

    def test_baselines_without_their_history_are_told(self, backtest, prometheus):
        """Alerts against last week's hour are judged by a server that holds last week."""
        *_, said = backtest(prometheus)
        assert "rules look back 7d" in said
        assert "and the server's history 1h" in said

    def test_more_pages_than_the_budget_exit_1(self, backtest, prometheus):
        """The budget decides the exit code, and both are said."""
        code, _, said = backtest(prometheus, "--budget", "5/week")
        assert (code, "over the budget of 5" in said) == (1, True)
        code, _, said = backtest(prometheus, "--budget", "1000/week")
        assert (code, "within the budget of 1000" in said) == (0, True)

    def test_a_range_is_answered_for_the_very_times_of_a_group(self, prometheus, victoria):
        """A group is evaluated at any moment of its interval, and asked about at that moment, page by page."""
        slots = grid(BEGIN, END, STEP, 7_163)
        for url in (prometheus, victoria):
            found = [page for page, _ in pages(own_server(url, 30), 'up{pod="chat-0"}', slots)]
            assert [at for page in found for at in page] == list(slots)

    def test_another_implementation_of_the_api_gives_the_same(self, backtest, prometheus, victoria):
        """VictoriaMetrics, asked for the same series, gives the same firings, flaps and pages.

        Its windows do not hold the sample at their very beginning: an edge may lie one evaluation elsewhere.
        """
        _, there, _ = backtest(victoria)
        _, here, _ = backtest(prometheus)
        minutes = [[one.pop("minutes") for one in rows] for rows in (there, here)]
        assert there == here
        assert minutes[0] == pytest.approx(minutes[1], abs=STEP / MINUTE)


class TestEnding:
    @pytest.fixture
    def running(self, prometheus, tmp_path, until, running_in):
        """A run in the middle, its own server's process, and what has to be gone afterwards."""
        fleet, into, own = tmp_path / "fleet.yaml", tmp_path / "rows.json", tmp_path / "own"
        own.mkdir()
        fleet.write_text(yaml.safe_dump(FLEET))
        command = [
            sys.executable,
            "-m",
            "sre.cli",
            "backtest",
            fleet,
            "--prometheus",
            prometheus,
            "--json",
            into,
        ]
        process = subprocess.Popen(
            list(map(str, command)), env={**os.environ, "TMPDIR": str(own)}, stderr=subprocess.PIPE, text=True
        )
        until(lambda: list(own.glob("*/data/wal/*")), "a server of its own")
        yield process, running_in(own)["prometheus"]
        assert running_in(own) == {}
        assert list(own.iterdir()) == []
        assert not into.exists()

    def test_a_run_that_is_ended_leaves_nothing_behind(self, running):
        """Its server, its folder and its rows are gone when a signal ends it."""
        process, _ = running
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 128 + signal.SIGTERM
        assert "ended by SIGTERM" in said

    def test_a_server_of_its_own_that_dies_is_told_as_its_own(self, running):
        """Nobody looks for a mistake in the address of the fleet's server, which is well."""
        process, server = running
        os.kill(server, signal.SIGKILL)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 3
        assert "prometheus: error: it was killed by signal 9 in the middle of the run" in said
        assert "--prometheus" not in said


class TestSweep:
    def test_a_threshold_costs_what_it_costs(self, backtest, prometheus, tmp_path):
        """Below 80 waiting requests every threshold pages twice, above it none, and a picture shows it."""
        picture = tmp_path / "sweep.svg"
        options = ("--sweep", "LLMQueueDepthHigh", "--picture", str(picture), "--budget", "1000/week")
        _, rows, said = backtest(prometheus, *options)
        found = {one["threshold"]: one["firings"] for one in rows if one["pool"] == "chat-70b"}
        assert found == {25: 2, 35: 2, 42: 2, 50: 2, 60: 2, 75: 2, 100: 0}
        assert "50 (now)" in said
        drawn = words(picture.read_text())
        assert {"chat-70b", "LLMQueueDepthHigh", "50", "budget"} <= drawn
        assert any(one.endswith("; dark: in force; the budget is for all pools") for one in drawn)

    def test_the_number_in_force_costs_what_the_backtest_says(self, backtest, prometheus):
        """The sweep's own threshold has the row that is told without a sweep."""
        _, rows, _ = backtest(prometheus, "--sweep", "LLMQueueDepthHigh")
        _, plain, _ = backtest(prometheus)
        now = next(one for one in rows if one["threshold"] == 50 and one["pool"] == "chat-70b")
        assert {key: value for key, value in now.items() if key != "threshold"} == row(
            plain, "LLMQueueDepthHigh", "chat-70b"
        )

    def test_numbers_stay_what_they_are(self):
        """Whole things stay whole, a share stays below all, and a time keeps three digits."""
        assert scaled(Decimal(50), Decimal("0.7"), "requests") == 35
        assert scaled(Decimal("0.9"), Decimal(2), "ratio") == Decimal("0.973")
        assert scaled(Decimal("0.5"), Decimal("0.85"), "seconds") == Decimal("0.425")

    def test_hostile_names_stay_text(self):
        """What a pool is called is text in the picture, and nothing else."""
        drawn = draw("a'><script>", "x & y", [("</svg><b>", [Bar("<1>", 2.0, chosen=True)])], 1.0)
        assert {"</svg><b>", "x & y", "<1>"} <= words(drawn)


class TestRefused:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--sweep", "LLMQueueDephHigh"], "did you mean `LLMQueueDepthHigh`?"),
            (["--sweep", "Watchdog"], "compares with no threshold"),
            (["--sweep", "GPUTemperatureHigh"], "is blind in this fleet"),
            (["--budget", "five"], "write it like 5/week"),
            (["--since", "yesterday"], "neither a duration nor a date"),
            (["--until", "400d"], "there is nothing in between"),
        ],
    )
    def test_what_cannot_be_asked_exits_2(self, backtest, arguments, said):
        """A question that makes no sense is answered before any server is asked."""
        code, rows, told = backtest("http://127.0.0.1:9", *arguments)
        assert (code, rows) == (2, [])
        assert said in told

    def test_a_server_that_is_not_there_exits_3(self, backtest):
        """Nothing was learned, and no rows are written."""
        code, rows, said = backtest("http://127.0.0.1:9")
        assert (code, rows) == (3, [])
        assert "cannot be reached" in said

    def test_a_period_without_this_fleet_exits_3(self, backtest, prometheus):
        """Zero firings of nothing would look like a quiet week."""
        code, rows, said = backtest(prometheus, since=BEGIN - 10 * 86_400_000, until=BEGIN - 9 * 86_400_000)
        assert (code, rows) == (3, [])
        assert "is this the right server?" in said

    def test_a_partial_answer_exits_3(self, backtest, start_program):
        """A server that says that a store did not answer gives no smaller numbers instead."""

        def make(folder, port):
            (folder / "p.yml").write_text("remote_read: [{url: 'http://127.0.0.1:9', read_recent: true}]\n")
            return ["prometheus", "--config.file=p.yml", "--storage.tsdb.path=data",
                    f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip

        code, rows, said = backtest(start_program(make, "/-/ready").url)
        assert (code, rows) == (3, [])
        assert "answered partially" in said
