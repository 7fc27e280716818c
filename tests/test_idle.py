"""`sre idle` at the command line, over a week of which every minute is known; and all who count the same minutes."""

import csv
import io
import itertools
import json
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter, defaultdict
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from sre.checks.backtest import recordings
from sre.checks.backtest.evaluation import Evaluation
from sre.checks.backtest.program import needed, ordered, placed_rules
from sre.checks.backtest.recordings import Period
from sre.checks.backtest.samples import STALE, packed
from sre.checks.backtest.scratch import scratch
from sre.checks.idle.source import WANTED
from sre.cli import main
from sre.cli.inputs import read_inputs
from sre.compile.planning import make_plan
from sre.finance.bill import TOKEN_CLASSES
from sre.metering.cards import card_time
from sre.prometheus import own_server
from sre.simulate.standing import stage

BEGIN = int(datetime(2026, 10, 18, 22, tzinfo=UTC).timestamp())
"""A Monday's midnight in Berlin; the week ends with the hour that comes twice."""
END = BEGIN + 169 * 3600
LEAD = 2 * 3600
POOLS = ("agents", "search")
PRICES = Path(__file__).parent.parent / "examples" / "prices.yaml"
COSTS = {
    "version": 1, "currency": "EUR", "timezone": "Europe/Berlin",
    "gpus": {
        name: [{"from": "2026-01-01", "gpus": 4, "rented": {"per_gpu_hour": str(price)}}]
        for name, price in (("chat", 2.5), ("agents", 2.5), ("slices", 2.5), ("search", 1.25), ("extract", 1.25))
    },
    "rate_card": {"default": dict.fromkeys(TOKEN_CLASSES, "1")},
}  # fmt: skip


@pytest.fixture(scope="module")
def week(tmp_path_factory):
    """A week of raw series; the fleet file, the plan, and a server of everything that the rules made of it."""
    folder = tmp_path_factory.mktemp("week")
    staged = stage(BEGIN - LEAD, (END - BEGIN + LEAD) // 60, seed=3, pools=POOLS)
    (folder / "fleet.yaml").write_text(yaml.safe_dump(dict(staged.fleet)))
    (folder / "costs.yaml").write_text(yaml.safe_dump(COSTS))
    inputs = read_inputs(folder / "fleet.yaml")
    plan = make_plan(inputs.fleet, inputs.catalogue, inputs.listed)
    with ExitStack() as stack:
        own = stack.enter_context(scratch())
        for labels, values in staged.series():
            own.write(labels, samples(staged.start, values))
        own.flush()
        made = stack.enter_context(scratch())
        period = Period(BEGIN * 1000, END * 1000)
        found = recordings.find(plan, own.server, period, raw=True)
        steps = ordered(
            needed(placed_rules(plan), (*WANTED, "gpu:unused:ratio1h", "GPUUnderutilized"), found.names)
        )
        lead = max(step.lead for step in steps)
        covered = found.cover(own.server, period.start - lead, period.end)
        courses = Evaluation(own.server, made, period, found, covered).run(steps, lambda *_: None)
        made.flush()
        yield {"folder": folder, "plan": plan, "raw": own.server, "made": made.server, "courses": courses}


def samples(start, values):
    points, alive = [], False
    for minute, value in enumerate(values):
        if value is not None or alive:
            points.append(((start + minute * 60) * 1000, STALE if value is None else packed(value)))
        alive = value is not None
    return points


@pytest.fixture(scope="module")
def records(week):
    """What the rules recorded, by name: (name and labels, value, second)."""
    found = {}
    for name in sorted({*WANTED, "pool:fleet:info"}):
        samples = found[name] = []
        for begin in range(BEGIN, END, 6 * 3600):
            # A minute that has a sample of its own; an instant would go on for five.
            for one in week["made"].query_range(
                f"last_over_time({name}[59s])", begin, min(begin + 6 * 3600, END) - 60, 60
            ):
                inside = ",".join(f'{k}="{v}"' for k, v in sorted(one.labels.items()) if k != "__name__")
                samples += [(f"{name}{{{inside}}}", value, at) for at, value in one.points]
    return found


@pytest.fixture(scope="module")
def recorded(records, tmp_path_factory, start_program):
    """A Prometheus as users run it, its blocks made by promtool, that holds what the rules recorded alone."""
    folder, lines = tmp_path_factory.mktemp("blocks"), []
    for name, samples in records.items():
        lines.append(f"# TYPE {name} unknown\n")
        lines += [f"{series} {value!r} {at}\n" for series, value, at in samples]
    (folder / "week.om").write_text("".join(lines) + "# EOF\n")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "week.om", "data"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (folder / "prometheus.yml").write_text("global: {}\n")
    arguments = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                 "--storage.tsdb.retention.time=10y"]  # fmt: skip
    return start_program(
        lambda _, port: [*arguments, f"--web.listen-address=127.0.0.1:{port}"], "/-/ready"
    ).url


@pytest.fixture(scope="module")
def in_victoria_metrics(records, start_program, fetch, until):
    """The address of a VictoriaMetrics that holds the same."""
    url = start_program(
        lambda _, port: ["victoria-metrics", "-storageDataPath=data", "-retentionPeriod=100y",
                         f"-httpListenAddr=127.0.0.1:{port}"],
        "/health",
    ).url  # fmt: skip
    for samples in records.values():
        text = "".join(f"{series} {value!r} {round(at * 1000)}\n" for series, value, at in samples)
        fetch(f"{url}/api/v1/import/prometheus", text.encode())
    fetch(f"{url}/internal/force_flush")
    asked = f"{url}/api/v1/query?time={END - 1}&query=count_over_time(fleet:minute:state[{END - BEGIN}s])"
    until(lambda: f'"{(END - BEGIN) // 60}"'.encode() in fetch(asked), "every minute")
    return url


@pytest.fixture
def idle(week):
    """``idle(url, *arguments)`` -> (exit code, standard output, standard error)."""

    def run(url, *arguments, since="2026-10-19", until="2026-10-26"):
        command = [
            "idle",
            str(week["folder"] / "fleet.yaml"),
            "--prometheus",
            url,
            "--since",
            since,
            "--until",
            until,
        ]
        done = CliRunner().invoke(main, [*command, *arguments], catch_exceptions=False)
        return done.exit_code, done.stdout, done.stderr

    return run


@pytest.fixture
def told(idle, recorded, week):
    code, out, _ = idle(recorded, "--format", "json", "--costs", str(week["folder"] / "costs.yaml"))
    assert code == 0
    return json.loads(out)


HOURS = 169


class TestOneWeekCountedByAll:
    """The report, the dashboards' query, the alert and the bill count the same samples of the same series."""

    def test_the_report_is_the_same_over_records_and_over_raw_series(self, idle, recorded, week):
        """A server that ran the rules, and one that only scraped, give the same hours in each state."""
        reports = []
        for url, more in ((recorded, ()), (week["raw"].url, ("--raw",))):
            code, out, _ = idle(url, "--format", "json", *more, since="2026-10-22T06:00", until="2026-10-23")
            assert code == 0
            reports.append(json.loads(out))
        one, other = reports
        assert one["gpu_hours"] == other["gpu_hours"]
        assert [{**card, "signal": ""} for card in one["gpus"]] == [
            {**card, "signal": ""} for card in other["gpus"]
        ]

    def test_the_report_is_the_same_from_victoria_metrics(self, idle, told, week, in_victoria_metrics):
        """The other engine's ends of ranges, steps and caches are its own; every number and finding is the same."""
        costs = str(week["folder"] / "costs.yaml")
        code, out, _ = idle(in_victoria_metrics, "--format", "json", "--costs", costs)
        assert code == 0
        assert json.loads(out) == told

    def test_totals_are_declared_cards_times_hours(self, told):
        """Sixteen and eight cards of `capacity`, two slices, and 169 hours: one of them comes twice."""
        assert told["gpu_hours"]["total"] == 26 * HOURS
        assert told["period"] == {"start": "2026-10-19T00:00:00+02:00", "end": "2026-10-26T00:00:00+01:00"}
        for rows in (told["pools"], told["owners"], told["types"]):
            assert sum(Decimal(str(row["gpu_hours"]["total"])) for row in rows) == 26 * HOURS
        for state, number in told["gpu_hours"].items():
            cards = [*told["gpus"], *told["unseen"]]
            assert sum(card["gpu_hours"][state] for card in cards) == pytest.approx(number, abs=0.05)

    def test_cold_starts_are_those_of_the_period(self, told):
        """A pod under a new name took five minutes to serve: so long a morning would wait."""
        starts = [one["why"] for one in told["findings"] if one["kind"] == "scale_to_zero"]
        assert starts
        assert all(why.startswith("a cold start took 5 min in this period") for why in starts)

    def test_the_trend_is_the_report_of_the_period_before(self, idle, recorded):
        """Three days against the three before them: their share is what a report about them says."""
        found = []
        for since, until in (("2026-10-20", "2026-10-23"), ("2026-10-23", "2026-10-26")):
            code, out, _ = idle(recorded, "--format", "json", since=since, until=until)
            assert code == 0
            found.append(json.loads(out))
        before, now = found
        assert now["idle_share_before"] == pytest.approx(before["idle_share"], abs=0.01)
        assert before["idle_share_before"] is None

    def test_a_dashboards_query_counts_the_same_hours(self, told, recorded):
        """`count_over_time(gpu:state:info[...])` over the week is what the report says of every card."""
        expr = f"sum by (uuid, state) (count_over_time(gpu:state:info[{HOURS}h]))"
        counted = defaultdict(Counter)
        for sample in own_server(recorded, 60).query(expr, END - 30):
            counted[sample.labels["uuid"]][sample.labels["state"]] += round(sample.value)
        for card in told["gpus"]:
            for state, minutes in counted[card["uuid"]].items():
                if state not in ("unknown", "excluded"):
                    assert card["gpu_hours"][state] == pytest.approx(minutes / 60, abs=0.001)

    def test_the_alert_fires_for_the_hours_that_the_report_calls_unused(self, told, week, recorded):
        """GPUUnderutilized fires for the cards that did nothing for nine tenths of an hour of business."""
        server, expected = own_server(recorded, 60), set()
        names = ("underused", "loaded_idle", "empty_idle", "unallocated")
        for at in (
            hour
            for day in range(5)
            for hour in range(BEGIN + day * 86400 + 9 * 3600, BEGIN + day * 86400 + 18 * 3600, 3600)
        ):
            expr = (
                f'sum by (uuid, pool) (count_over_time(gpu:state:info{{state=~"{"|".join(names)}"}}[59m30s]))'
            )
            expected |= {
                (s.labels["uuid"], at)
                for s in server.query(expr, at)
                if s.value >= 54 and s.labels.get("pool")
            }
        fired = {
            (course.labels["uuid"], at)
            for course in week["courses"]
            for at in {at for _, at in expected}
            if any(span.state == "firing" and span.first <= at * 1000 <= span.last for span in course.spans)
        }
        assert expected
        # The share of an hour is recorded every two minutes: at an edge the alert is as late.
        assert len(expected ^ fired) <= 0.03 * len(expected)
        pools = {course.labels["pool"] for course in week["courses"]}
        assert pools <= set(POOLS)
        unused = sum(card["gpu_hours"][state] for card in told["gpus"] for state in names)
        assert len(expected) <= unused

    def test_the_bill_counts_the_same_time(self, told, recorded):
        """Chargeback's idle and wasted time of a pool are the report's, to the minute."""
        expr = f"sum by (uuid, mig, pool, state) (count_over_time(gpu:state:info[{HOURS * 3_600_000 - 1}ms]))"
        names = ("uuid", "pool", "state")
        minutes = Counter()
        for sample in own_server(recorded, 60).query(expr, END - 0.001):
            minutes[tuple(sample.labels.get(name, "") for name in names)] += round(sample.value)
        billed = card_time(minutes)
        for row in told["pools"]:
            if row["pool"] in POOLS:
                found, hours = billed[row["pool"]], row["gpu_hours"]
                assert found.busy == round(60 * (hours["busy"] + hours["underused"])) * 60_000
                assert found.wasted == round(60 * (hours["loaded_idle"] + hours["excluded"])) * 60_000
                assert found.idle == round(60 * (hours["empty_idle"] + hours["unallocated"])) * 60_000


class TestOutputs:
    def test_the_contract_of_the_json(self, told):
        """The keys that tools rely on, with money as text."""
        assert set(told) >= {"period", "gpu_hours", "cost_of_idle", "gpus", "findings"}
        assert set(told["gpu_hours"]) == {
            "busy", "underused", "loaded_idle", "empty_idle", "unallocated", "unknown", "excluded", "total",
        }  # fmt: skip
        assert set(told["gpus"][0]) >= {"uuid", "pool", "owner", "gpu_hours", "signal"}
        cost = told["cost_of_idle"]
        assert cost["currency"] == "EUR"
        owners = [Decimal(row["cost_of_idle"]["amount"]) for row in told["owners"]]
        assert sum(owners) == Decimal(cost["amount"]) > 0

    def test_the_table_has_every_card(self, idle, recorded, told):
        """Columns of the CSV add up to the totals; what nobody saw has rows without a UUID."""
        _, out, _ = idle(recorded, "--format", "csv")
        rows = list(csv.DictReader(io.StringIO(out)))
        assert {row["uuid"] for row in rows if row["uuid"]} == {card["uuid"] for card in told["gpus"]}
        assert sum(Decimal(row["total"]) for row in rows) == 26 * HOURS
        by_day = sum(
            told["business_gpu_hours"][state] for state in ("loaded_idle", "empty_idle", "unallocated")
        )
        assert float(sum(Decimal(row["idle_in_business_hours"]) for row in rows)) == pytest.approx(
            by_day, abs=0.05
        )

    def test_every_hour_of_a_card_has_a_state(self, told):
        """A course has a digit for each hour, by which most of a card's hours in a state can be found again."""
        assert len(told["hours"]) == HOURS
        assert told["hours"][-1] == "2026-10-25T23:00:00+01:00"
        for card in told["gpus"]:
            assert len(card["course"]) == HOURS
            assert set(card["course"]) <= set("01234567")
            busy = card["course"].count(str(told["states"].index("busy")))
            assert busy == pytest.approx(card["gpu_hours"]["busy"], abs=0.25 * HOURS)

    def test_text_has_a_table_of_pools_owners_and_types(self, idle, recorded, week):
        """Idle time costs something by each of them, and by each it is told how much of it was in business hours."""
        _, out, _ = idle(recorded, "--costs", str(week["folder"] / "costs.yaml"))
        heads = [line.split()[0] for line in out.splitlines() if line.endswith("cost of idle")]
        assert heads == ["pool", "owner", "type"]
        assert out.count("in business hours") == 4
        assert "team-search" in out

    def test_text_says_the_headline_and_what_to_do(self, idle, recorded):
        """A person at a terminal reads what stood still, whose it was, and the commands; no command is run."""
        code, out, _ = idle(recorded)
        assert code == 0
        assert "GPU-hours (" in out
        assert "stood idle" in out
        assert "team-search" in out or "search" in out
        assert "$ kubectl" in out

    def test_a_password_in_the_address_is_not_shown(self, idle, recorded):
        """What is printed goes into mails and chats."""
        code, out, err = idle(recorded.replace("//", "//sre:hunter2@"), since="2026-10-25")
        assert code == 0
        assert "hunter2" not in out + err

    def test_the_digest_is_markdown(self, idle, recorded):
        """A chat gets the headline in bold and a table of pools."""
        _, out, _ = idle(recorded, "--format", "markdown")
        assert "| pool | owner | idle | idle GPU-hours |" in out
        assert "**standing: " in out

    @pytest.mark.parametrize("form", ["text", "html", "markdown", "json"])
    def test_use_is_held_against_each_api_of_a_price_file(self, idle, recorded, week, tmp_path, form):
        """With costs and prices every output for people and JSON name the API that the break-even is against."""
        costs = str(week["folder"] / "costs.yaml")
        code, out, _ = idle(recorded, "--costs", costs, "--prices", str(PRICES), "--format", form)
        assert code == 0
        if form != "json":
            assert "Against large model API self-hosting pays from" in out
            assert "Against small model API self-hosting does not pay, at the costs of 2026-10" in out
            return
        told, into = json.loads(out), str(tmp_path / "answer.json")
        command = [
            "breakeven",
            "--costs",
            costs,
            "--prices",
            str(PRICES),
            "--month",
            "2026-10",
            "--json",
            into,
        ]
        assert CliRunner().invoke(main, command).exit_code == 0
        answer = json.loads((tmp_path / "answer.json").read_text())
        assert [(one["api"], one["utilisation"]) for one in told["break_evens"]] == [
            (one["name"], pytest.approx(float(one["break_even_utilization"]), abs=1e-4))
            for one in answer["apis"]
        ]
        assert told["break_even"] == told["break_evens"][0]["utilisation"]

    def test_a_file_is_written_where_one_is_named(self, idle, recorded, tmp_path):
        """The page goes into the file, and nothing to standard output."""
        code, out, _ = idle(recorded, "--format", "html", "-o", str(tmp_path / "idle.html"))
        assert (code, out) == (0, "")
        assert (tmp_path / "idle.html").read_text().startswith("<!doctype html>")

    @pytest.mark.parametrize(("limit", "code"), [("99%", 0), ("5%", 1), ("0.05", 1)])
    def test_a_pipeline_fails_above_its_limit(self, idle, recorded, limit, code):
        """More idle time than allowed is exit 1, with the report all the same."""
        found, out, _ = idle(recorded, "--fail-above", limit, "--format", "json")
        assert found == code
        assert json.loads(out)["idle_share"] > 0.05


def test_the_commands_of_its_page_run(recorded, week, tmp_path):
    """Every command of docs/idle.md does what it says, but for the names of server and files."""
    text = (Path(__file__).parent.parent / "docs" / "idle.md").read_text()
    commands = [line.split()[1:] for line in text.splitlines() if line.startswith("sre idle")]
    assert len(commands) == 6
    names = {"fleet.yaml": week["folder"] / "fleet.yaml", "costs.yaml": week["folder"] / "costs.yaml",
             "prices.yaml": PRICES,
             "http://prometheus:9090": recorded, "idle.html": tmp_path / "idle.html"}  # fmt: skip
    for command in commands:
        words = [str(names.get(word, word)) for word in command]
        if "--until" not in words:
            words += ["--until", "2026-10-26"]
        done = CliRunner().invoke(main, words, catch_exceptions=False)
        assert done.exit_code == ("--fail-above" in words), done.output
    assert (tmp_path / "idle.html").stat().st_size > 10_000


class TestTrouble:
    def test_a_period_that_is_only_partly_there_says_so(self, idle, recorded, tmp_path):
        """Hours before the records begin are unknown or nobody's, and a warning says how much is missing."""
        code, out, err = idle(recorded, "--format", "json", since="2026-10-18T12:00", until="2026-10-26")
        told = json.loads(out)
        assert code == 0
        assert "was not recorded: its records begin 12h after the period does" in err
        for form in ("text", "html", "markdown"):
            idle(
                recorded,
                "--format",
                form,
                "-o",
                str(tmp_path / form),
                since="2026-10-18T12:00",
                until="2026-10-26",
            )
            assert (
                "was not recorded: its records begin 12h after the period does"
                in (tmp_path / form).read_text()
            )
        assert told["gpu_hours"]["unknown"] >= 12 * 18
        assert told["gpu_hours"]["total"] == 26 * (HOURS + 12)

    def test_raw_series_of_a_part_of_the_period_say_so(self, idle, week):
        """Evaluated here it is the same: what was not scraped is unknown, and a warning says how much that is."""
        code, out, err = idle(
            week["raw"].url, "--raw", "--format", "json", since="2026-10-18T16:00", until="2026-10-19T04:00"
        )
        told = json.loads(out)
        assert code == 0
        assert "is not covered: its history begins 6h after the period does" in err
        assert "these minutes are unknown, in every number of this report" in err
        assert told["gpu_hours"]["unknown"] >= 6 * 26
        assert told["gpu_hours"]["total"] == 12 * 26

    def test_a_server_that_holds_nothing_of_the_fleet_is_told_apart(self, idle, start_prometheus):
        """The wrong server is exit 3, and no number."""
        code, out, err = idle(start_prometheus().url, "--format", "json")
        assert (code, out) == (3, "")
        assert "is this the right server?" in err

    def test_no_server_is_exit_3(self, idle):
        """Nobody answers: nothing is told."""
        code, out, _ = idle("http://127.0.0.1:9", "--format", "json")
        assert (code, out) == (3, "")

    def test_a_server_that_goes_away_in_the_middle(self, idle, recorded):
        """What was read until then is not told as if it were all: exit 3, with how far it came."""
        with through(recorded, lambda number: number < 9) as url:
            code, out, err = idle(url, "--format", "json")
        assert (code, out) == (3, "")
        assert "the server answered for" in err

    def test_a_server_may_go_away_at_any_question(self, idle, recorded):
        """Whatever it was asked last, also about loads, trend and evidence: exit 3, and no number."""
        day = {"since": "2026-10-23", "until": "2026-10-24"}
        asked = []
        with through(recorded, lambda number: asked.append(number) or True) as url:
            assert idle(url, "--format", "json", **day)[0] == 0
        for last in range(len(asked)):
            with through(recorded, lambda number, last=last: number <= last) as url:
                code, out, _ = idle(url, "--format", "json", **day)
            assert (code, out) == (3, "")

    def test_a_server_that_does_not_end_its_answer(self, idle, recorded):
        """Nobody waits longer than --timeout says."""
        end = threading.Event()
        with through(recorded, lambda _: True, spoil=lambda body: body * end.wait(30)) as url:
            code, out, err = idle(url, "--format", "json", "--timeout", "1")
            end.set()
        assert (code, out) == (3, "")
        assert "did not answer in full within 1 s" in err

    def test_an_answer_of_a_part_of_the_stores_is_none(self, idle, recorded):
        """Thanos says in a warning that a store is away: what is missing could be what was asked for."""

        def partial(body):
            return json.dumps({**json.loads(body), "warnings": ["store 1 did not answer"]}).encode()

        with through(recorded, lambda _: True, spoil=partial) as url:
            code, out, err = idle(url, "--format", "json")
        assert (code, out) == (3, "")
        assert "answered partially; store 1 did not answer" in err

    def test_a_limit_below_a_single_hour_is_told(self, idle, recorded):
        """Where not even the shortest question is answered there is no report, and the server's own words."""
        with through(recorded, lambda _: True, most=0) as url:
            code, out, err = idle(url, "--format", "json")
        assert (code, out) == (3, "")
        assert "too many samples" in err

    def test_a_server_that_finds_questions_too_large_is_asked_in_halves(self, idle, recorded, told):
        """Over its sample limit Prometheus refuses: shorter questions give the same report."""
        with through(recorded, lambda _: True, most=3) as url:
            code, out, _ = idle(url, "--format", "json")
        assert code == 0
        assert json.loads(out)["gpu_hours"] == told["gpu_hours"]

    def test_what_is_asked_wrong_is_told_before_a_server_is(self, idle, week, tmp_path):
        """A share that is none, prices without costs, a fleet without cards: exit 2, with what to write."""
        for more, said in (
            (("--fail-above", "lots"), "write it like 20%"),
            (("--prices", str(PRICES)), "there is no cost file beside it"),
            (("--prices", str(PRICES), "--break-even", "30%"), "give one of the two"),
            (("-o", str(tmp_path / "nowhere" / "idle.html")), "there is no folder"),
        ):
            code, _, err = idle("http://127.0.0.1:9", *more)
            assert code == 2
            assert said in err
        (tmp_path / "bare.yaml").write_text(
            "version: 1\nname: a\npools: [{name: b, engine: {kind: vllm, version: 0.32.0}}]\n"
        )
        done = CliRunner().invoke(
            main, ["idle", str(tmp_path / "bare.yaml"), "--prometheus", "http://127.0.0.1:9"]
        )
        assert done.exit_code == 2
        assert "no cards are declared" in done.stderr


@contextmanager
def through(url, passes, most=None, spoil=bytes):
    """A front end that passes questions on as long as it is told to, and finds those about too many hours too large.

    ``spoil`` makes of an answer what is passed back.
    """
    numbers = itertools.count(1)

    class Front(BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            self._pass(None)

        def do_POST(self):
            self._pass(self.rfile.read(int(self.headers["Content-Length"])))

        def _pass(self, body):
            asked = urllib.parse.parse_qs((body or b"").decode() or urllib.parse.urlsplit(self.path).query)
            if not passes(next(numbers)):
                self._say(502, b"gone")
            elif (
                most is not None and "gpu:state:info" in asked.get("query", [""])[0] and _steps(asked) > most
            ):
                self._say(422, json.dumps(TOO_MANY).encode())
            else:
                self._ask(body)

        def _ask(self, body):
            try:
                with urllib.request.urlopen(url + self.path, body, timeout=30) as response:  # noqa: S310
                    self._say(200, spoil(response.read()))
            except urllib.error.HTTPError as error:
                self._say(error.code, error.read())

        def _say(self, status, body):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Front) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


TOO_MANY = {
    "status": "error",
    "errorType": "execution",
    "error": "query processing would load too many samples into memory in query execution",
}


def _steps(asked):
    if "step" not in asked:
        return 1
    return (float(asked["end"][0]) - float(asked["start"][0])) / float(asked["step"][0]) + 1
