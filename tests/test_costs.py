"""The cost file: accepted as its contract is written, and everything wrong with it told at once, with its line."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from sre.finance.costs import load_text
from sre.finance.costs.model import json_schema
from sre.findings import Refused

CONTRACT = """\
version: 1
currency: EUR
timezone: Europe/Berlin
gpus:
  chat-70b:
    - {from: 2026-01-01, gpus: 8, rented: {per_gpu_hour: "2.52", hours: real}}
  extract-8b:
    - {from: 2026-01-01, gpus: 2, owned: {purchase: "52000.00", months: 48}}
power: {per_kwh: "0.24", pue: "1.3"}
fixed:
  - {name: operations, per_month: "3250.00"}
  - {name: monitoring, per_month: "650.00"}
credits: []
rate_card:
  default: {uncached_input: "1", cached_input: "0.1", cache_write: "1.25", output: "4", reasoning: "4"}
idle: platform
mode: showback
adjustments: []
invoice: {id: INV-2026-10, issuer: Example Cloud GmbH, total: null}
"""


def refused(text: str, **known) -> str:
    with pytest.raises(Refused) as caught:
        load_text("costs.yaml", text.encode(), **known)
    return "\n".join(f"{f.where} {f.what} | {f.why} | {f.fix}" for f in caught.value.findings)


def test_the_contract_is_accepted_as_written():
    """The file that finance was promised works, without a warning."""
    costs, warnings = load_text("costs.yaml", CONTRACT.encode(), pools=["chat-70b", "extract-8b"])
    assert warnings == []
    assert costs.gpus["chat-70b"][0].gpus == 8


def test_the_schema_accepts_the_contract_and_refuses_a_float():
    """Editors check the file by the JSON Schema that the docs hold."""
    schema = json.loads(json_schema())
    data = yaml.safe_load(CONTRACT.replace("2026-01-01", '"2026-01-01"'))
    jsonschema.validate(json.loads(json.dumps(data)), schema)
    data["gpus"]["chat-70b"][0]["rented"]["per_gpu_hour"] = 2.52
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, schema)


def test_everything_wrong_is_told_at_once():
    """A number for money, an unknown currency, a zone, a typing error and a token class: each with its own line."""
    said = refused("""\
version: 1
currency: EURO
timezone: Europe/Berln
gpus:
  chat:
    - {from: 2026-01-01, gpus: 8, rented: {per_gpu_hour: 2.52}}
fixed:
  - {name: operations, per_mont: "1.00"}
rate_card: {default: {input: "1"}}
idel: platform
""")
    assert "costs.yaml:2" in said
    assert "'EURO' is not a currency" in said
    assert "did you mean `Europe/Berlin`" in said
    assert "costs.yaml:6" in said
    assert 'put quotes around it: "2.52"' in said
    assert "did you mean `per_month`" in said
    assert "`uncached_input`" in said
    assert "did you mean `idle`" in said


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (["{from: 2026-01-01, gpus: 8, RENT}", "{from: 2026-01-01, gpus: 4, RENT}"], "two prices would hold"),
        (["{from: 2026-01-01, until: 2026-06-01, gpus: 8, RENT}", "{from: 2026-05-01, gpus: 4, RENT}"], "two prices"),
        (["{from: 2026-01-01, until: 2026-02-01, gpus: 8, RENT}", "{from: 2026-03-01, gpus: 4, RENT}"],
         "nothing holds from 2026-02-01 until 2026-03-01"),
        (["{from: 2026-01-01, gpus: 8}"], "says neither `rented` nor `owned`"),
        (["{from: 2026-02-01, until: 2026-02-01, gpus: 8, RENT}"], "not after its start"),
        (["{from: 2026-13-01, gpus: 8, RENT}"], "is not a date"),
    ],
)  # fmt: skip
def test_periods_of_prices_neither_overlap_nor_leave_gaps(entries, words):
    """Each hour has one price; a time without cards is written as such."""
    listed = "\n".join(f"    - {one}" for one in entries).replace("RENT", 'rented: {per_gpu_hour: "1.00"}')
    assert words in refused(f"version: 1\ncurrency: EUR\ngpus:\n  chat:\n{listed}\n")


def test_pools_are_compared_with_the_fleet():
    """A pool that the fleet does not have is an error with a suggestion; one without a price is a warning."""
    said = refused(CONTRACT, pools=["chat-70B", "extract-8b"])
    assert "costs.yaml:5 there is no pool 'chat-70b'" in said
    assert "did you mean `chat-70B`" in said
    _, warnings = load_text("costs.yaml", CONTRACT.encode(), pools=["chat-70b", "extract-8b", "code"])
    assert [w.what for w in warnings] == ["the pool 'code' of the fleet file has no price"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("idle_shares: {search: \"0.5\"}", None),
        ("reservations: {chat: {search: 4}}", "there is no pool 'chat'"),
        ("taxes: [{name: VAT}]", "neither a rate nor the amount"),
        ("fallback: [{name: chat-70b, amount: \"1.00\", month: 2026-10}]", "is a pool as well"),
        ("fx: [{currency: USD, rate: 0.92, source: ECB, date: 2026-10-01}]", "put quotes"),
        ("untagged_limit: \"2\"", "is more than all"),
        ("grace_days: -1", "at least 0"),
        ("unknown: zero", "as_measured"),
        ("models: {m: nowhere}", "there is no pool 'nowhere'"),
    ],
)  # fmt: skip
def test_other_mistakes_have_words_too(more, words):
    """Each says what is wrong in the user's own terms; what only has no effect is a warning."""
    text = CONTRACT + more + "\n"
    if words is None:
        assert load_text("costs.yaml", text.encode())[1][0].severity == "warning"
    else:
        assert words in refused(text)


def test_an_adjustment_needs_a_reason():
    """A difference to the invoice that nobody explains does not get onto the bill."""
    text = CONTRACT.replace("adjustments: []", 'adjustments: [{name: x, amount: "1.00", month: 2026-10}]')
    assert "reason" in refused(text)


def test_fixed_idle_shares_are_all_of_it():
    """Shares that add up to 0.9 would leave a tenth unpaid."""
    text = CONTRACT.replace("idle: platform", 'idle: fixed\nidle_shares: {a: "0.5", b: "0.4"}')
    assert "add up to 0.9, not to 1" in refused(text)


def test_an_invoice_in_another_currency_needs_a_rate():
    """Nothing is converted by guess."""
    text = CONTRACT.replace("total: null", "total: null, currency: USD")
    assert "there is no rate for USD" in refused(text)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path):
    """No traceback, but the path."""
    from sre.finance.costs import load

    with pytest.raises(Refused, match=r"nowhere\.yaml: cannot be read"):
        load(tmp_path / "nowhere.yaml")
