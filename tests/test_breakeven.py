"""One's own cards against an API: the arithmetic, its inputs, and what is said of them."""

import json
import os
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from sre.cli import main
from sre.finance.breakeven.comparison import Own, against, blend, break_even, own
from sre.finance.breakeven.picture import draw
from sre.finance.breakeven.prices import Prices, load
from sre.finance.breakeven.sensitivity import swings
from sre.findings import Refused

EXAMPLE = Path(__file__).parent.parent / "examples" / "prices.yaml"
COSTS = """
version: 1
currency: EUR
timezone: Europe/Berlin
gpus:
  chat: [{from: 2026-01-01, gpus: 2, rented: {per_gpu_hour: "2.52", hours: month_730}}]
  batch: [{from: 2026-01-01, gpus: 6, rented: {per_gpu_hour: "1.50", hours: real}}]
fixed: [{name: operations, per_month: "800.00"}]
"""
PRICES = """
version: 1
currency: EUR
apis:
  - {name: big, per_million: {uncached_input: "2.50", output: "15.00"}, source: page, date: 2026-11-01}
workload: {uncached_input: 85000000, output: 22000000}
requests: 100000
capacity: {tokens_per_second: "2400", of: output, source: bench}
"""

ASKED = {"uncached_input": "2.50", "output": "15"}


def price(**changes: object) -> Prices:
    data = {
        "version": 1, "currency": "EUR",
        "apis": [
            {"name": "big", "per_million": ASKED, "source": "p", "date": "2026-11-01"}
        ],
        "workload": {"uncached_input": 85_000_000, "output": 22_000_000},
        "capacity": {"tokens_per_second": "2400", "source": "bench"},
    }  # fmt: skip
    return Prices.model_validate({**data, **changes})


@pytest.fixture
def run(tmp_path):
    """Runs the command over two files; text that is None leaves the file out."""

    def call(*options: str, costs: str = COSTS, prices: str = PRICES):
        (tmp_path / "costs.yaml").write_text(costs)
        (tmp_path / "prices.yaml").write_text(prices)
        files = ("--costs", str(tmp_path / "costs.yaml"), "--prices", str(tmp_path / "prices.yaml"))
        return CliRunner().invoke(main, ["breakeven", *files, "--month", "2026-10", *options])

    return call


class TestArithmetic:
    """Figures that are known from elsewhere, and what must hold whatever they are."""

    @pytest.mark.parametrize(
        ("asked", "spent"),
        [
            ({"uncached_input": "2.50", "output": "15"}, "542.50"),
            ({"uncached_input": "0.30", "output": "1.50"}, "58.50"),
            ({"uncached_input": "3", "output": "15"}, "585.00"),
            ({"uncached_input": "0.14", "output": "0.28"}, "18.06"),
            ({"uncached_input": "0.18", "output": "0.55"}, "27.40"),
        ],
    )
    def test_a_workload_costs_its_tokens_times_their_prices(self, asked, spent):
        """85 million tokens in and 22 million out, at five price lists: sums that anybody can check."""
        workload = {"uncached_input": 85_000_000, "output": 22_000_000}
        price = blend(workload, {name: Decimal(text) for name, text in asked.items()})
        assert price * 107_000_000 == Fraction(spent)

    @pytest.mark.parametrize(
        ("used", "per_million"), [("1", "0.2917"), ("0.6", "0.4861"), ("0.25", "1.1667")]
    )
    def test_a_million_tokens_cost_what_the_hour_does_over_what_it_makes(self, used, per_million):
        """2.52 an hour at 2,400 tokens a second, full, at 60 and at 25 per cent."""
        mine = own(Fraction("2.52"), Fraction(1), price(workload={"output": 1}))
        assert round(float(mine.per_million(Fraction(used))), 4) == float(per_million)

    @pytest.mark.parametrize(
        ("used", "change"),
        [(60, -25.0), (65, -30.8), (70, -35.7), (80, -43.8), (85, -47.1), (25, 80.0), (20, 125.0)],
    )
    def test_cost_falls_with_utilization_from_parity_at_45_percent(self, used, change):
        """A quarter cheaper at 60 per cent, 80 per cent dearer at 25: not the 20 to 40 that are printed elsewhere."""
        mine = Own(Fraction(1000), Fraction(0), Fraction(10**9), 10**6)
        parity = mine.per_million(Fraction(45, 100))
        assert round(float(mine.per_million(Fraction(used, 100)) / parity - 1) * 100, 1) == change

    @pytest.mark.parametrize(("cost", "millions"), [(8000, 1578), (12_000, 2367)])
    def test_the_50_million_tokens_that_are_going_round_are_thirty_times_as_many(self, cost, millions):
        """8,000 and 12,000 a month against 5.07 a million meet at 1.6 and 2.4 billion tokens."""
        price = Fraction("542.50") / 107_000_000
        assert round(float(break_even(Fraction(cost), price, Fraction(0))) / 1e6) == millions

    @pytest.mark.parametrize(("cost", "millions"), [(8000, 533), (12_000, 800)])
    def test_replies_alone_at_15_a_million(self, cost, millions):
        """The same costs against the price of replies alone."""
        assert round(float(break_even(Fraction(cost), Fraction(15, 10**6), Fraction(0))) / 1e6) == millions

    def test_requests_priced_by_their_tokens(self):
        """10,000 requests a day of 2,000 and 500 tokens come to 3,000 and 4,050, not 2,250 and 3,150."""
        # 10,000 requests a day of 2,000 + 500 tokens: 3,000 and 4,050 a month, not 2,250 and 3,150.
        workload = {"uncached_input": 600_000_000, "output": 150_000_000}
        bills = [
            blend(workload, {"uncached_input": Decimal(read), "output": Decimal(made)}) * 750_000_000
            for read, made in (("2.50", "10"), ("3", "15"))
        ]
        assert bills == [3000, 4050]

    def test_most_requests_on_a_small_model(self):
        """0.7 of them at 0.001 and 0.3 at 0.015 cost 0.0052 each and save 65.3 %, not 0.005 and 67 %."""
        each = blend(
            {"uncached_input": 7, "output": 3},
            {"uncached_input": Decimal("0.001"), "output": Decimal("0.015")},
        )
        assert each * 10**6 == Fraction("0.0052")
        assert round(float(1 - each * 10**6 / Fraction("0.015")) * 100, 1) == 65.3

    @pytest.mark.parametrize(
        ("cost", "daily", "asked", "factor"),
        [
            (3500, 10_000, ("1.875", "7.50"), 0.64),
            (7000, 100_000, ("1.875", "7.50"), 3.21),
            (7000, 100_000, ("2.625", "10.50"), 4.5),
        ],
    )
    def test_an_api_over_own_cards_at_ten_and_a_hundred_thousand_queries_a_day(
        self, cost, daily, asked, factor
    ):
        """2,250 on the API against 3,500; 22,500 and 31,500 against 7,000: 3.21 and 4.5 times as much."""
        api = {"name": "a", "per_million": dict(zip(("uncached_input", "output"), asked, strict=True)),
               "source": "-", "date": "2026-11-01"}  # fmt: skip
        prices = price(apis=[api], workload={"uncached_input": daily * 60_000, "output": daily * 15_000})
        mine = own(Fraction(cost), Fraction(720), prices)
        assert round(float(against(mine, prices, prices.apis[0]).month / mine.month), 2) == factor

    @given(
        cost=st.integers(1, 10**7), asked=st.integers(1, 10**5), marginal=st.integers(0, 10**5),
        rate=st.integers(1, 10**5),
    )  # fmt: skip
    def test_at_the_break_even_both_cost_the_same(self, cost, asked, marginal, rate):
        """Whatever the figures, own cards cost at the break-even utilisation what the API asks, exactly."""
        prices = price(
            marginal=f"{marginal / 100:.2f}", capacity={"tokens_per_second": str(rate), "source": "-"},
            apis=[{"name": "a", "per_million": {"uncached_input": f"{asked / 100:.2f}", "output": f"{asked / 100:.2f}"},
                   "source": "-", "date": "2026-11-01"}],
        )  # fmt: skip
        mine = own(Fraction(cost), Fraction(744), prices)
        rival = against(mine, prices, prices.apis[0])
        if rival.utilization is None:
            assert asked <= marginal
        else:
            assert mine.per_million(rival.utilization) == rival.per_million
            for swing in swings(mine, rival):
                assert swing.low != swing.high


class TestCommand:
    """What a person types and reads."""

    def test_every_input_is_shown_and_the_answer_follows_from_it(self, run, tmp_path):
        """Prices, capacity and costs are printed with where they come from; the file holds the answer exactly."""
        result = run("--pool", "chat", "--json", str(tmp_path / "answer.json"))
        assert result.exit_code == 0, result.output
        # 2 x 2.52 x 730 = 3,679.20, and a share of 800 by GPU time: 1,490 of 5,960 card-hours.
        assert "3,879.20 EUR a month" in result.output
        assert "2400 output tokens a second at full load (bench)" in result.output
        assert "big: EUR a million: uncached_input 2.50, output 15.00 (page, 2026-11-01)" in result.output
        told = json.loads((tmp_path / "answer.json").read_text())
        assert told["own"]["cost"] == "3879.20"
        assert told["apis"][0]["per_million"] == "5.070093"
        assert told["apis"][0]["break_even_tokens"] == "765114101"
        assert told["apis"][0]["break_even_requests"] == "715060"

    def test_a_pipe_is_written_to_and_not_replaced(self, run, tmp_path):
        """`--json /dev/stdout` leaves the device what it is."""
        os.mkfifo(tmp_path / "pipe")
        told = os.open(tmp_path / "pipe", os.O_RDWR | os.O_NONBLOCK)
        try:
            assert run("--json", str(tmp_path / "pipe")).exit_code == 0
            assert json.loads(os.read(told, 65536))["currency"] == "EUR"
        finally:
            os.close(told)
        assert (tmp_path / "pipe").is_fifo()

    def test_no_rule_of_thumb_is_right_for_everybody(self, run):
        """What is said elsewhere stands beside one's own figure."""
        output = run().output
        assert "own cards pay from 50 million tokens a month: yours is" in output
        assert "own cards clearly pay above 100 billion tokens a month: yours is" in output

    def test_a_claim_about_a_day_is_compared_with_a_day(self, run):
        """715,060 requests a month are 23,035 on each of October's 31 days, and an hour: below 30,000."""
        output = run("--pool", "chat").output
        said = "own cards pay from 30,000 to 50,000 requests a day: yours is 23,035 a day, 1.30 times lower"
        assert said in output

    def test_cards_that_are_never_cheaper_are_told(self, run):
        """An API below the price of full cards is never beaten, and the answer says so."""
        prices = PRICES.replace('"2.50"', '"0.01"').replace('"15.00"', '"0.02"')
        assert "not even full cards are cheaper" in run(prices=prices).output

    def test_an_own_token_that_costs_more_than_theirs_never_pays(self, run):
        """No volume helps where each token loses."""
        assert "never cheaper" in run(prices=PRICES + 'marginal: "20"\n').output

    def test_the_picture_stands_alone(self, run, tmp_path):
        """The drawing is an SVG that runs nothing, whatever an API is called."""
        hostile = PRICES.replace("name: big", 'name: "<script>alert(1)</script>&"')
        assert run("--picture", str(tmp_path / "a.svg"), prices=hostile).exit_code == 0
        text = (tmp_path / "a.svg").read_text()
        assert ET.fromstring(text).tag.endswith("svg")  # noqa: S314 - our own bytes
        assert "<script>" not in text

    def test_names_do_not_lie_on_each_other(self):
        """Two APIs of one price can both be read in the picture."""
        prices = load(EXAMPLE, "EUR")
        mine = own(Fraction(20_000), Fraction(745), prices)
        twin = [against(mine, prices, prices.apis[0])] * 2
        svg = ET.fromstring(draw(mine, twin, (), "EUR"))  # noqa: S314 - our own bytes
        heights = sorted(float(t.get("y", 0)) for t in svg if t.get("x") == "630.0")
        assert all(second - first >= 15 for first, second in pairwise(heights))


class TestBadInput:
    """All of it is told at once, with its line, and nothing is written."""

    @pytest.mark.parametrize(
        ("find", "put", "said"),
        [
            ("currency: EUR\napis", "currency: USD\napis", "prices are in USD and costs in EUR"),
            ('output: "15.00"', 'cached_input: "1"', "has no price for output"),
            ("85000000", "-1", "at least 0"),
            ('"2400"', "2400", "put quotes around it"),
            ('"2400"', '"0"', "more than 0"),
            ("uncached_input: 85", "uncached_inputs: 85", "did you mean"),
            (
                "{uncached_input: 85000000, output: 22000000}",
                "{output: 0}",
                "there is no token in the workload",
            ),
            ("requests: 100000", "request: 1", "unknown key"),
        ],
    )
    def test_a_price_file_that_cannot_be_used(self, run, tmp_path, find, put, said):
        """Each mistake is told with its line and what to write; no answer is written."""
        assert find in PRICES
        result = run("--json", str(tmp_path / "answer.json"), prices=PRICES.replace(find, put))
        assert result.exit_code == 2
        assert said in result.output
        assert "prices.yaml:" in result.output
        assert not (tmp_path / "answer.json").exists()

    def test_a_month_without_costs(self, run):
        """A month before the first price has nothing to compare."""
        result = run("--month", "2025-10")
        assert result.exit_code == 2
        assert "cost nothing in 2025-10" in result.output

    def test_an_unknown_pool_and_a_wrong_month(self, run):
        """A misspelt pool is answered with the one that was meant."""
        assert "did you mean" in run("--pool", "chatt").output
        assert "is not a month" in run("--month", "October").output

    def test_two_apis_of_one_name(self, run):
        """Two price lists of one name could not be told apart."""
        line = next(line for line in PRICES.splitlines() if "name: big" in line)
        twice = PRICES.replace(line, f"{line}\n{line}")
        assert "stands here twice" in run(prices=twice).output

    def test_a_rate_between_equal_currencies(self, tmp_path):
        """An exchange rate between a currency and itself would only change prices."""
        text = PRICES.replace("apis:", 'exchange: {rate: "0.9", source: x, date: 2026-10-30}\napis:')
        (tmp_path / "prices.yaml").write_text(text)
        with pytest.raises(Refused, match="both in EUR"):
            load(tmp_path / "prices.yaml", "EUR")
