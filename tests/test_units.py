import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.units import (
    format_duration,
    format_number,
    humanize,
    humanize_duration,
    humanize_percentage,
    parse_duration,
    parse_number,
    parse_ratio,
)

EDGES = (0, 0.001, 0.0415, 0.08, 0.5, 0.99996, 1, 1.5, 3.14159, 59.99, 60, 61.7, 899.99, 3599, 3600, 5025.5)
BEYOND = (86399, 86400, 93784.2, 1e6, 1234567, 999949, 999960, 1e9, 2.5e15, 1e-9, 1.23456e-5, 1e-30, 1e18)
NEGATIVE = (-0.25, -1, -61, -7325.9, -1234.5)
PERCENT = (0.1234567, 0.92, 0.123456, 0.29, 0.57, 1.005, 12.3456, 100, 0.000012)
FLOATS = (0.1 + 0.2, 1 / 3, 2 / 3, 0.07 * 100, 1e-45, float("inf"), float("-inf"), float("nan"))
VALUES = tuple(float(v) for v in (*EDGES, *BEYOND, *NEGATIVE, *PERCENT, *FLOATS))


def prom_text(value: float) -> str:
    """A sample as promtool's series notation has it."""
    spelled = {"inf": "Inf", "-inf": "-Inf", "nan": "NaN"}
    return spelled.get(repr(value), repr(value))


def alert(number: int, value: float) -> dict[str, object]:
    """What promtool must find for one value, with our three texts."""
    texts = {
        "plain": humanize(value),
        "share": humanize_percentage(value),
        "time": humanize_duration(value),
    }
    return {"exp_labels": {"n": str(number)}, "exp_annotations": texts}


def test_humanised_numbers_are_the_bytes_that_prometheus_writes(tmp_path: Path) -> None:
    """What a proof expects in a sentence is what promtool, and so the on-call's phone, shows."""
    texts = {"plain": "humanize", "share": "humanizePercentage", "time": "humanizeDuration"}
    annotations = {key: f"{{{{ $value | {function} }}}}" for key, function in texts.items()}
    rule = {"alert": "A", "expr": "v", "annotations": annotations}
    (tmp_path / "r.yaml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [rule]}]}))
    series = [{"series": f'v{{n="{n}"}}', "values": prom_text(v)} for n, v in enumerate(VALUES)]
    expected = [alert(n, v) for n, v in enumerate(VALUES)]
    test = {
        "interval": "1m",
        "input_series": series,
        "alert_rule_test": [{"eval_time": "0m", "alertname": "A", "exp_alerts": expected}],
    }
    (tmp_path / "t.yaml").write_text(yaml.safe_dump({"rule_files": ["r.yaml"], "tests": [test]}))
    done = subprocess.run(
        ["promtool", "test", "rules", "t.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", "0.5"),
        ("80ms", "0.08"),
        ("2s", "2"),
        ("1h30m", "5400"),
        ("1.5s", "1.5"),
        ("0.1s", "0.1"),
        ("10d", "864000"),
        ("1y2w3d4h5m6s7ms", "33019506.007"),
    ],
)
def test_a_duration_is_read_to_the_last_digit(text: str, seconds: str) -> None:
    """A promise of 80ms is 0.08 seconds, not 0.08000000000000000166."""
    assert parse_duration(text) == Decimal(seconds)
    assert str(parse_duration(text)) == seconds


@pytest.mark.parametrize(
    "text", ["", "500", "s", "5 s", "5S", "1m1h", "1s1s", "-5s", "1e3s", "\u0665s", "5s\n", "9" * 99 + "s"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Units are needed, from large to small, each once."""
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        ("0", "0s"),
        ("30", "30s"),
        ("90", "1m30s"),
        ("5400", "1h30m"),
        ("604800", "1w"),
        ("691200", "8d"),
        ("0.5", "500ms"),
        ("1.5", "1s500ms"),
        ("31536000", "1y"),
        ("31536001", "365d1s"),
    ],
)
def test_a_duration_is_written_as_prometheus_shows_it(seconds: str, text: str) -> None:
    """The text in a rule is the text on Prometheus' own page."""
    assert format_duration(Decimal(seconds)) == text


@pytest.mark.parametrize("seconds", ["-1", "0.0001"])
def test_a_time_that_promql_cannot_spell_is_refused(seconds: str) -> None:
    """Neither a negative duration nor a part of a millisecond slips into a rule."""
    with pytest.raises(ValueError, match="cannot be written"):
        format_duration(Decimal(seconds))


@settings(max_examples=50, deadline=None)
@given(st.integers(min_value=1, max_value=10**12))
def test_durations_survive_writing_and_reading(milliseconds: int) -> None:
    """Whatever is written as a duration reads back as the same time."""
    seconds = Decimal(milliseconds) / 1000
    assert parse_duration(format_duration(seconds)) == seconds


def test_ratios_are_read_from_numbers_and_percentages() -> None:
    """0.92, "0.92" and "92%" are one ratio, exactly."""
    assert {parse_ratio(Decimal("0.92")), parse_ratio("0.92"), parse_ratio("92%")} == {Decimal("0.92")}
    assert parse_ratio("0.1%") == Decimal("0.001")


@pytest.mark.parametrize("text", ["", "nan", "inf", "1e999", "0x10", "1_000", "5 apples", "1" * 50])
def test_what_is_no_number_is_refused(text: str) -> None:
    """No infinity, no other notation, nothing of a length that fills the memory."""
    with pytest.raises(ValueError, match="not a number"):
        parse_number(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [("0.90", "0.9"), ("200", "200"), ("1E+3", "1000"), ("1E-7", "0.0000001"), ("-0", "0"), ("0.30", "0.3")],
)
def test_numbers_are_printed_plainly(number: str, text: str) -> None:
    """No exponent and no trailing zero reaches a rule or a page."""
    assert format_number(Decimal(number)) == text
