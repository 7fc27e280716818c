"""The bill in the formats that people and programs open: the same rows, the same sums, and text that stays text."""

import csv
import io
import json
import os
import re
import subprocess
import zipfile
from collections import Counter, defaultdict
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.finance.bill import IDLE, UNTAGGED, Bill, Tokens
from sre.finance.building import build
from sre.finance.costs import load_text
from sre.finance.focus import FILES, focus
from sre.finance.money import parse_money
from sre.finance.statement import INDEX, statements
from sre.finance.unit_costs import unit_costs
from sre.finance.usage import CardTime, Usage, Use
from sre.finance.workbook import workbook
from sre.metering.parquet import parquet

COSTS = """
version: 1
currency: EUR
timezone: Europe/Berlin
gpus:
  chat-70b: [{from: 2026-01-01, gpus: 8, rented: {per_gpu_hour: "2.52", hours: real}}]
  extract-8b: [{from: 2026-01-01, gpus: 2, owned: {purchase: "52000.00", months: 48}}]
fixed: [{name: operations, per_month: "3250.00"}]
credits: [{name: goodwill, amount: "500.00", month: 2026-10}]
taxes: [{name: VAT, rate: "0.19"}]
rate_card: {default: {uncached_input: "1", cached_input: "0.1", cache_write: "1.25", output: "4", reasoning: "4"}}
budgets: {search: "7000.00", nobody: "10.00"}
invoice: {id: INV-2026-10, issuer: Example Cloud GmbH}
"""
HOURS = 745 * 3600 * 1000
HOSTILE = '=HYPERLINK("http://evil.example","<b>click</b>")'


def make(team: str = "support", mode: str = "showback") -> Bill:
    costs, _ = load_text("costs.yaml", f"{COSTS}mode: {mode}\n".encode())
    uses = (
        Use("chat-70b", "search", "llama", 120, 118, Tokens(900_000, 300_000, 0, 200_000, 0)),
        Use("chat-70b", team, "llama", 40, 39, Tokens(200_000, 20_000, 0, 90_000, 5000)),
        Use("chat-70b", UNTAGGED, "llama", 9, 9, Tokens(2000, 0, 0, 400, 0)),
        Use("extract-8b", "search", "mistral", 15, 15, Tokens(300_000, 0, 7, 9000, 0)),
    )
    cards = {"chat-70b": CardTime(3 * HOURS, 4 * HOURS, HOURS), "extract-8b": CardTime(HOURS, HOURS, 0)}
    previous = {"search": parse_money("5000.00", costs.unit), IDLE: parse_money("9000.00", costs.unit)}
    return build(costs, Usage("2026-10", "usage", tuple(sorted(uses)), cards=cards), previous=previous)


def corrected(bill: Bill) -> Bill:
    """The bill with one row that corrects September."""
    row = next(row for row in bill.rows if row.line == "gpus")
    told = replace(row, id="c", charge_month="2026-09", kind="correction", invoice="COR-1", corrects=row.id)
    return replace(bill, rows=(*bill.rows, told), total=bill.total + row.cost, corrections=row.cost)


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


class TestFocus:
    """Rows that a FinOps platform takes in."""

    @pytest.mark.parametrize("version", list(FILES))
    def test_costs_add_up_to_the_bill(self, version):
        """All three cost columns of both versions are the bill's total."""
        bill = make()
        rows = read(focus(bill, version))
        for column in ("EffectiveCost", "ListCost", "ContractedCost"):
            assert sum(Decimal(row[column]) for row in rows) == bill.total.amount

    def test_a_showback_bills_nobody_and_an_invoice_bills_all(self):
        """BilledCost is 0 and names no invoice, or it is the total of one."""
        assert {row["BilledCost"] for row in read(focus(make()))} == {"0.00"}
        assert {row["InvoiceId"] for row in read(focus(make()))} == {""}
        bill = make(mode="internal_invoice")
        rows = read(focus(bill))
        assert sum(Decimal(row["BilledCost"]) for row in rows) == bill.total.amount
        assert {row["InvoiceId"] for row in rows} == {"INV-2026-10"}

    def test_periods_are_half_open_utc_instants_of_the_finance_month(self):
        """The month of Berlin, in UTC."""
        row = read(focus(make()))[0]
        # October in Berlin has 745 hours: clocks go back on the 25th.
        assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == (
            "2026-09-30T22:00:00Z",
            "2026-10-31T23:00:00Z",
        )

    def test_a_correction_stands_in_this_period_for_the_charge_period_of_that(self):
        """A correction of September is billed in October, with September as its charge period."""
        rows = [row for row in read(focus(corrected(make()))) if row["ChargeClass"] == "Correction"]
        assert [row["ChargePeriodStart"] for row in rows] == ["2026-08-31T22:00:00Z"]
        assert [row["BillingPeriodStart"] for row in rows] == ["2026-09-30T22:00:00Z"]
        assert rows[0]["x_CorrectsRowId"]
        assert rows[0]["ConsumedQuantity"] == ""

    def test_rows_follow_the_rules_of_1_2(self):
        """Categories, decimals, quantities with units, and own columns with their prefix."""
        rows = read(focus(corrected(make())))
        assert {row["ChargeCategory"] for row in rows} == {"Usage", "Credit", "Tax"}
        for row in rows:
            assert re.fullmatch(r"-?\d+\.\d{2}", row["EffectiveCost"])
            assert row["BillingCurrency"] == "EUR"
            assert bool(row["PricingQuantity"]) == bool(row["PricingUnit"])
            assert (row["ChargeCategory"] == "Usage" and not row["ChargeClass"]) == bool(
                row["ConsumedQuantity"]
            )
            assert json.loads(row["Tags"])
        assert all(name.startswith("x_") for name in rows[0] if "_" in name)

    def test_shares_of_one_cost_add_up_to_one(self):
        """AllocatedRatios of one origin are a whole, idle time included, and each is the part of the cost it says."""
        bill = corrected(make())
        shares, costs = defaultdict[tuple[str, ...], Decimal](Decimal), defaultdict[tuple[str, ...], int](int)
        rows = [
            (row, (row["x_CostLine"], row["AllocatedResourceId"], row["ChargePeriodStart"]))
            for row in read(focus(bill, "1.4"))
        ]
        for row, origin in rows:
            shares[origin] += self.element(row)["AllocatedRatio"]
            costs[origin] += Decimal(row["EffectiveCost"])
        assert set(shares.values()) == {Decimal(1)}
        for row, origin in rows:
            part = self.element(row)["AllocatedRatio"] * costs[origin]
            assert part.quantize(Decimal("0.01")) == Decimal(row["EffectiveCost"])

    def test_a_share_says_how_much_it_was_measured_by(self):
        """Weighted tokens for a team, seconds of cards for idle time: in the unit that stands beside them."""
        rows = read(focus(make(), "1.4"))
        found = {(row["SubAccountId"], row["x_CostLine"], row["x_State"]): self.element(row) for row in rows
                 if row["AllocatedResourceId"] == "chat-70b"}  # fmt: skip
        team, idle = found["search", "gpus", "used"], found[IDLE, "gpus", "idle"]
        # 900,000 + a tenth of 300,000 + 4 x 200,000; one of eight cards for 745 hours.
        assert (team["UsageQuantity"], team["UsageUnit"]) == (1_730_000, "weighted tokens")
        assert (idle["UsageQuantity"], idle["UsageUnit"]) == (745 * 3600, "seconds")

    def element(self, row: dict[str, str]) -> dict:
        return json.loads(row["AllocatedMethodDetails"], parse_float=Decimal)["Elements"][0]

    def test_1_4_has_its_own_columns_and_not_those_that_are_gone(self):
        """ProviderName and PublisherName went; the split columns came."""
        columns = set(read(focus(make(), "1.4"))[0])
        assert columns >= {
            "AllocatedMethodId",
            "AllocatedMethodDetails",
            "HostProviderName",
            "ServiceProviderName",
        }
        assert not columns & {"ProviderName", "PublisherName"}

    @pytest.mark.skipif(
        "SRE_FOCUS_VALIDATOR" not in os.environ, reason="names a focus-validator 2.2.1 (Python 3.12)"
    )
    @pytest.mark.parametrize("mode", ["showback", "internal_invoice"])
    def test_the_official_validator_finds_nothing_but_its_own_contradiction(self, tmp_path, mode):
        """focus-validator 2.2.1 passes every rule but the pair that no file can satisfy."""
        program, file = Path(os.environ["SRE_FOCUS_VALIDATOR"]), tmp_path / "focus.csv"
        file.write_text(focus(corrected(make(mode=mode))), newline="")
        # It reads a file by a path relative to where it is installed, and ends with 0 whatever it finds.
        home = next((program.parent.parent / "lib").glob("python*/site-packages"))
        command = [program, "--data-file", file, "--validate-version", "1.2", "--block-download"]
        said = subprocess.run(
            command, cwd=home, capture_output=True, text=True, check=True, timeout=300
        ).stdout
        assert re.search(r"Total: 578 \| Pass: 136 \| Fail: 1 \|", said), said
        # InvoiceId must be null by one rule and must not be by the other.
        assert re.findall(r"^❌ (InvoiceId-C-00[45]-C)", said, re.MULTILINE)


class TestWorkbook:
    """Excel, without a formula in it."""

    def test_the_sheets_add_up_and_nothing_in_them_is_a_formula(self):
        """A team called like a formula is text in Excel, and the rows sum to the total."""
        bill = make(HOSTILE)
        with zipfile.ZipFile(io.BytesIO(workbook(bill))) as book:
            sheets = {
                name: book.read(name) for name in book.namelist() if name.startswith("xl/worksheets/sheet")
            }
            assert not any(b"<f" in sheet and b"<f>" in sheet for sheet in sheets.values())
            assert HOSTILE.replace("<", "&lt;").replace(">", "&gt;").encode() in book.read(
                "xl/sharedStrings.xml"
            )
            assert not any("externalLink" in name or "vba" in name for name in book.namelist())
        numbers = self.column(sheets["xl/worksheets/sheet3.xml"], "H")
        assert sum(map(Decimal, numbers)) == bill.total.amount

    def column(self, sheet: bytes, letter: str) -> list[str]:
        space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
        cells = ET.fromstring(sheet).iter(f"{space}c")  # noqa: S314 - our own bytes
        found = [c for c in cells if re.fullmatch(rf"{letter}\d+", c.get("r", "")) and c.get("t") != "s"]
        return [value.text or "" for c in found if (value := c.find(f"{space}v")) is not None]

    def test_the_same_bill_is_the_same_bytes(self):
        """Made twice, the file is the same."""
        assert workbook(make()) == workbook(make())


class TestParquet:
    """For warehouses: decimals, not floats."""

    def test_costs_are_decimals_that_add_up(self, tmp_path):
        """A warehouse reads exact decimals, and hostile names as they are."""
        bill = make(HOSTILE)
        (tmp_path / "a.parquet").write_bytes(parquet(bill))
        table = duckdb.connect().read_parquet(str(tmp_path / "a.parquet"))
        assert dict(zip(table.columns, map(str, table.types), strict=True))["cost"] == "DECIMAL(38,12)"
        assert table.aggregate("sum(cost), count(*)").fetchone() == (
            bill.total.amount,
            len(bill.rows),
        )
        assert (HOSTILE,) in table.project("team").distinct().fetchall()

    def test_the_same_bill_is_the_same_bytes(self):
        """Made twice, the file is the same."""
        assert parquet(make()) == parquet(make())


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags, self.text, self.links = list[str](), "", list[str]()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("href", "src") and value]

    def handle_data(self, data):
        self.text += data


def page(text: str) -> _Page:
    found = _Page()
    found.feed(text)
    return found


class TestStatement:
    """What a team lead opens."""

    def test_a_team_finds_what_it_used_what_it_cost_and_how_that_compares(self):
        """Cost, last month, budget, tokens and requests stand on the team's own page."""
        pages = statements(make())
        text = page(pages["statements/search.html"]).text
        bill = make()
        cost = sum((row.cost.amount for row in bill.rows if row.team == "search"), Decimal(0))
        for words in (
            f"{cost:,}",
            "5,000.00",
            "Budget 7,000.00",
            "1,709,007",
            "135 requests",
            "cached input 300,000",
        ):
            assert words in text, words

    def test_what_was_paid_for_adds_up_to_what_it_cost(self):
        """With a correction of an earlier month, which stands in the list and is no part of the change since then."""
        bill = corrected(make())
        team = bill.rows[-1].team
        text = statements(bill)[f"statements/{team}.html"]
        listed = text.partition("What was paid for")[2].partition("</table>")[0]
        *lines, together = (
            Decimal(cell.replace(",", "")) for cell in re.findall(r"<td>(-?[\d,]+\.\d\d)</td>", listed)
        )
        assert sum(lines) == together
        assert "corrections of earlier months" in listed
        before = statements(make())[f"statements/{team}.html"]
        since = r"([-+][\d.]+) % since then"
        assert re.findall(since, text) == re.findall(since, before) != []

    def test_waste_and_idleness_are_told_apart(self):
        """A loaded model without a request is one thing to act on, an empty card another; without either, neither."""
        bill, pages = make(), statements(make())
        for state, words in (("wasted", "without a request"), ("idle", "with nothing loaded")):
            cost = sum((row.cost.amount for row in bill.rows if row.state == state), Decimal(0))
            assert re.search(
                rf"{words}</td>.*?<td>{cost:,}</td>", pages["statements/__idle__.html"], re.DOTALL
            )
        assert "without a request" not in pages["statements/search.html"]

    def test_a_team_sees_nothing_of_the_others(self):
        """A page that is handed on holds no other team's name."""
        text = page(statements(make("secret-team"))["statements/search.html"]).text
        assert "secret-team" not in text
        assert "search" in text

    def test_the_overview_names_everybody_and_the_total(self):
        """Idle and untagged are named in words, and every link leads to a page."""
        found = page(statements(make())[INDEX])
        assert f"{make().total.amount:,}" in found.text
        assert {"Idle cards", "Usage without a team"} <= {line.strip() for line in found.text.splitlines()}
        assert all(link in statements(make()) for link in found.links)

    def test_what_a_unit_cost_is_as_easy_to_read_as_what_all_cost(self):
        """Thousands are set apart there too."""
        text = page(statements(make())["statements/search.html"]).text
        per_million = next(u for u in unit_costs(make()) if (u.team, u.model) == ("search", "mistral"))
        assert f"{per_million.per_million_tokens:,}" in text
        assert per_million.per_million_tokens > 1000

    def test_telemetry_that_is_not_there_is_said_so(self):
        """A bill from records alone has measured no card; one with card states says how much of the time they tell."""
        bill = make()
        assert "of paid card time is known" in page(statements(bill)[INDEX]).text
        blind = replace(bill, coverage=replace(bill.coverage, telemetry=None))
        assert "what the cards did was not measured" in page(statements(blind)[INDEX]).text

    def test_a_budget_without_usage_is_told(self):
        """A team with a budget and no usage has a page that says so."""
        assert "Nothing was used this month" in page(statements(make())["statements/nobody.html"]).text

    def test_names_that_differ_in_case_only_have_pages_of_their_own(self):
        """No team is ever shown another's figures on a file system without case."""
        assert len(statements(make("SEARCH"))) == len(statements(make("other"))) == 6

    @settings(max_examples=25, deadline=None)
    @given(st.text(min_size=1, max_size=40).filter(lambda name: not name.startswith("__")))
    def test_a_name_is_text_wherever_it_stands(self, name):
        """No name adds a tag to the page or leaves its folder."""
        pages, plain = statements(make(f"{name}<script>x</script>")), statements(make("plain"))
        # A name decides where its team stands, and nothing else.
        assert Counter(page(pages[INDEX]).tags) == Counter(page(plain[INDEX]).tags)
        assert all(".." not in path and path.count("/") <= 1 for path in pages)

    def test_nothing_is_fetched_from_anywhere(self):
        """The page works offline, and forbids itself everything else."""
        text = statements(make())[INDEX]
        assert "http" not in text.replace("http-equiv", "")
        assert "default-src 'none'" in text
