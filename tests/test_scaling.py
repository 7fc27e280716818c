"""Rules at another pace: what they mean stays, and what cannot be kept is refused."""

import subprocess
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from sre.cli.inputs import read_inputs
from sre.compile.plan import Plan
from sre.compile.planning import make_plan
from sre.compile.prometheus import dump, group_data
from sre.findings import Refused
from sre.lab.routes import routes
from sre.lab.scaling import Pace

TESTS = Path(__file__).parent
FLEETS = {
    "example": TESTS.parent / "examples" / "fleet.yaml",
    "metal": TESTS / "fixtures" / "fleets" / "metal.yaml",
    "legacy": TESTS / "fixtures" / "fleets" / "legacy.yaml",
}


def planned(fleet: str) -> Plan:
    inputs = read_inputs(FLEETS[fleet])
    return make_plan(inputs.fleet, inputs.catalogue, inputs.listed)


@pytest.mark.parametrize(
    ("written", "scaled"),
    [
        ("rate(x[5m]) * 300 >= 3", "(rate(x[5s]) / 60) * 300 >= 3"),
        ("sum by (pool) (deriv(x[1h]))", "sum by (pool) ((deriv(x[1m]) / 60))"),
        ("increase(x[1h] offset 30m)", "increase(x[1m] offset 30s)"),
        ("max_over_time((a > 0.9)[10m:30s])", "max_over_time((a > 0.9)[10s:500ms])"),
        ("max_over_time(rate(x[5m])[1h:])", "max_over_time((rate(x[5s]) / 60)[1m:])"),
        ("count_over_time(x[1h]) >= 0.9 * 3600 / 30", "count_over_time(x[1m]) >= 0.9 * 3600 / 30"),
        ("born > bool (time() - 3600)", "born > bool (((time() - 1000.5) * 60) - 3600)"),
        ("hour(vector(time()))", "hour(vector(((time() - 1000.5) * 60)))"),
        ("pool:x:rate5m > 10", "pool:x:rate5m > 10"),
        ('x{a="rate(y[5m]) offset 5m @ time()"}', 'x{a="rate(y[5m]) offset 5m @ time()"}'),
        ("a offset 167h30m or b", "a offset 2h47m30s or b"),
    ],
)
def test_what_is_a_time_is_scaled_and_nothing_else(written: str, scaled: str) -> None:
    """Windows, offsets and steps are shorter, rates per second are divided, the clock is the lab's own."""
    assert Pace(60, Decimal("1000.5")).expr(written) == scaled


@pytest.mark.parametrize(
    ("expr", "why"),
    [
        ("predict_linear(x[1h], 3600) < 0", "predict_linear"),
        ("timestamp(x) > 5", "timestamp"),
        ("x @ 1700000000", "`@`"),
        ("hour() > 8", "server's own clock"),
        ("rate(x[100ms])", "whole number of milliseconds"),
        ("some_day_new(x)", "some_day_new"),
    ],
)
def test_what_is_not_known_is_refused(expr: str, why: str) -> None:
    """A rule that would mean something else at another pace is told, and not run."""
    with pytest.raises(Refused, match=why):
        Pace(60).expr(expr)


@pytest.mark.parametrize("fleet", FLEETS)
def test_at_the_pace_of_real_time_nothing_changes(fleet: str) -> None:
    """Scaling by one gives every compiled rule as it was."""
    plan = planned(fleet)
    (scaled,) = [list(Pace().groups(plan.groups))]
    assert [yaml.safe_load(dump(one)) for one in scaled] == [
        yaml.safe_load(dump(_with_labels(group_data(group)))) for group in plan.groups
    ]


def _with_labels(group: dict[str, object]) -> dict[str, object]:
    rules = group["rules"]
    assert isinstance(rules, list)
    return {**group, "rules": [{**rule, "labels": rule.get("labels", {})} for rule in rules]}


@pytest.mark.parametrize("fleet", FLEETS)
def test_promtool_accepts_every_scaled_rule(fleet: str, tmp_path: Path) -> None:
    """Whatever is compiled for a fleet can be run at another pace."""
    groups = list(Pace(60, Decimal("1795281000.123")).groups(planned(fleet).groups))
    (tmp_path / "scaled.yaml").write_text(dump({"groups": groups}))
    run = subprocess.run(
        ["promtool", "check", "rules", "scaled.yaml"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_scaled_samples_give_scaled_rules_the_same_numbers(tmp_path: Path) -> None:
    """Prometheus itself finds one value for an expression over a fleet, and over the same at sixty times the pace."""
    exprs = {
        "rate(c[5m])": 2.5,
        "increase(c[10m])": 1500,
        "deriv(c[5m])": 2.5,
        "count_over_time(c[30m])": 61,
        "max_over_time(rate(c[5m])[10m:30s])": 2.5,
        "c - c offset 10m": 1500,
        "(time() - born) / 60": 59,
        "hour(vector(time()))": 1,
    }
    for factor, step in ((1, "30s"), (60, "500ms")):
        pace = Pace(factor)
        asked = [
            {
                "expr": pace.expr(expr),
                "eval_time": pace.duration("1h"),
                "exp_samples": [{"labels": "{}", "value": value}],
            }
            for expr, value in exprs.items()
        ]
        series = [{"series": "c", "values": "0+75x120"}, {"series": "born", "values": "60x120"}]
        test = {"interval": step, "input_series": series, "promql_expr_test": asked}
        (tmp_path / "test.yaml").write_text(dump({"evaluation_interval": step, "tests": [test]}))
        run = subprocess.run(
            ["promtool", "test", "rules", "test.yaml"],
            cwd=tmp_path, check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert run.returncode == 0, f"{factor}: {run.stdout}{run.stderr}"


def test_routes_keep_their_tree_and_post_to_the_webhook() -> None:
    """Waits and repetitions are scaled, inhibition is what was compiled, and whoever is told is us."""
    found = yaml.safe_load(routes(planned("example"), None, Pace(60), "http://127.0.0.1:1"))
    page = next(route for route in found["route"]["routes"] if route.get("receiver") == "page")
    assert (page["group_wait"], page["group_interval"], page["repeat_interval"]) == ("500ms", "5s", "4m")
    hooks = {r["name"]: r.get("webhook_configs", [{}])[0].get("url") for r in found["receivers"]}
    assert hooks["documents-page"] == "http://127.0.0.1:1/documents-page"
    assert hooks["null"] is None
    assert len(found["inhibit_rules"]) > 5
