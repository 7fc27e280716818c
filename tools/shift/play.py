"""Plays replies through the compiled rules themselves, unchanged, in promtool's virtual time."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lengths import STEP, Reply, scraped

from sre import content
from sre.answers import Series
from sre.catalogue.load import load as load_catalogue
from sre.compile.frozen import GROUP, Freezer, levels, render
from sre.compile.plan import AlertRule, Group, Plan, RecordRule
from sre.compile.planning import make_plan
from sre.compile.prometheus import dump, group_data
from sre.fleet import Fleet
from sre.lab.programs import find
from sre.lab.promtool import NEVER, Got, run
from sre.promql import series_read
from sre.units import format_duration
from sre.usage.bounds import OUTPUT_TOKENS

Lines = Sequence[tuple[str, Sequence[float | None]]]
"""Series with their samples."""

ALERT = "LLMOutputLengthShift"
POOL = "traced"
FIRING = f'ALERTS{{alertname="{ALERT}",alertstate="firing"}}'
_ORDER = (GROUP, "llm-baseline", "llm-fleet", "llm-usage", "llm-seldom", "llm-engine")


def make() -> Plan:
    """One pool with a usage exporter that splits by team."""
    pool = {"name": POOL, "model": POOL, "engine": {"kind": "vllm", "version": "0.32.0"}}
    fleet = {"version": 1, "name": "traces", "usage_exporter": {"job": "sre-exporter"}, "pools": [pool]}
    return make_plan(Fleet.model_validate(fleet), load_catalogue(content.root()))


@dataclass(frozen=True)
class Played:
    """Answers by expression: one list of samples for each minute of the trace, from 0 on."""

    answers: Mapping[str, Sequence[Sequence[Got]]]

    def line(self, expr: str) -> list[float | None]:
        """The one number of an expression, minute by minute."""
        return [found[0].value if found else None for found in self.answers[expr]]

    def of_pool(self) -> list[int]:
        """Minutes at which the alert fires for the pool as a whole."""
        found = enumerate(self.answers[FIRING])
        return [minute for minute, one in found if any("by" not in got.labels for got in one)]

    def firing(self, **labels: str) -> list[int]:
        """Minutes at which the alert fires with these labels."""
        return [
            minute
            for minute, found in enumerate(self.answers[FIRING])
            if any(labels.items() <= got.labels.items() for got in found)
        ]


class Stage:
    """The rules that the alert needs, and promtool."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._groups = plan, tuple(needed(plan))
        self._bounds = plan.catalogue.engines["vllm"].bounds["output_tokens"][0].le

    def play(
        self, replies: Sequence[Reply], past: int, minutes: int, asked: Sequence[str], frozen: str = ""
    ) -> Played:
        """``past`` seconds lie before the trace; ``frozen`` is a rule file that `sre baseline freeze` would write."""
        end = minutes * 60
        lines = [*self._scraped(replies, -past, end)]
        moments = [past + minute * 60 for minute in range(minutes + 1)]
        found = self._asked(lines, [(expr, at) for expr in asked for at in moments], frozen)
        count = len(moments)
        return Played({expr: found[i * count : (i + 1) * count] for i, expr in enumerate(asked)})

    def freeze(self, past_replies: Sequence[Reply], seconds: int) -> str:
        """What the command would write of the calm past, hour by hour."""
        lines = [*self._scraped(past_replies, -seconds, 0)]
        names = [name for name in self._plan.catalogue.frozen if not name.startswith("pool:finishes")]
        hours = range(3600, seconds + 1, 3600)
        found = iter(self._asked(lines, [(name, at) for name in names for at in hours], ""))
        recorded = {name: _joined({at: next(found) for at in hours}) for name in names}
        frozen = [
            freezer.freeze(owner, 0.15)
            for level in levels(self._plan.catalogue)
            for freezer in [Freezer(self._plan.catalogue, level, recorded)]
            for owner in freezer.owners
        ]
        return render(self._plan, frozen, "the calm past", "prometheus")

    def _scraped(self, replies: Sequence[Reply], begin: int, end: int) -> list[tuple[str, list[float]]]:
        engine = {
            "job": POOL,
            "instance": "10.0.0.1:8000",
            "namespace": "llm",
            "pod": "a",
            "model_name": POOL,
        }
        bounds = [float(bound) for bound in self._bounds]
        found = [*scraped(replies, begin, end, "vllm:request_generation_tokens", bounds, engine)]
        for team in sorted({one.team for one in replies}):
            own = [one for one in replies if one.team == team]
            labels = {"job": "sre-exporter", "instance": "10.0.0.2:9109", "model": POOL, "team": team}
            found += scraped(own, begin, end, "llm_output_tokens", OUTPUT_TOKENS, labels)
        return found

    def _asked(self, lines: Lines, questions: Sequence[tuple[str, int]], frozen: str) -> list[list[Got]]:
        return ask(self._groups, lines, questions, frozen, STEP)


def ask(
    groups: Sequence[Group], lines: Lines, questions: Sequence[tuple[str, int]], frozen: str, step: int
) -> list[list[Got]]:
    """What promtool gets for (expression, second) over these rules and series with a sample every ``step`` seconds."""
    with tempfile.TemporaryDirectory(prefix="shift-") as name:
        folder = Path(name)
        files = {"rules.yaml": dump({"groups": [group_data(group) for group in groups]})}
        files |= {"frozen.yaml": frozen} if frozen else {}
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        names = [group.name for group in groups] + ([GROUP] if frozen else [])
        series = [{"series": name, "values": " ".join(map(_written, values))} for name, values in lines]
        asked = [{"expr": expr, "eval_time": f"{at}s", "exp_samples": NEVER} for expr, at in questions]
        interval, page = format_duration(step), folder / "play.test.yaml"
        test = {
            "rule_files": list(files),
            "evaluation_interval": interval,
            "group_eval_order": [name for name in _ORDER if name in names],
            "tests": [{"interval": interval, "input_series": series, "promql_expr_test": asked}],
        }
        page.write_text(dump(test), encoding="utf-8")
        ((_, found),) = run(find("promtool")["promtool"], folder, [("replies", page)], len(questions), 1)
        return found


def _written(value: float | None) -> str:
    return "_" if value is None else repr(round(value, 6)).removesuffix(".0")


def _joined(hours: Mapping[int, Sequence[Got]]) -> list[Series]:
    points: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for at, found in hours.items():
        for got in found:
            points.setdefault(tuple(sorted(got.labels.items())), []).append((float(at), got.value))
    return [Series(dict(labels), tuple(own)) for labels, own in points.items()]


def needed(plan: Plan) -> list[Group]:
    """The alert's rules and all that they read, in their groups."""
    rules = [rule for group in plan.groups for rule in group.rules]
    todo = [rule.expr for rule in rules if isinstance(rule, AlertRule) and rule.alert == ALERT]
    # What its sentence tells is read as well.
    names = {
        "pool:output_tokens:mean1h",
        "pool:output_tokens:mean1h_baseline",
        *map(str, plan.catalogue.frozen),
    }
    todo += [rule.expr for rule in rules if isinstance(rule, RecordRule) and rule.record in names]
    while todo:
        new = series_read(todo.pop()) - names
        names |= new
        todo += [rule.expr for rule in rules if isinstance(rule, RecordRule) and rule.record in new]
    groups = [
        Group(
            group.name,
            group.file,
            group.interval,
            tuple(rule for rule in group.rules if _wanted(rule, names)),
        )
        for group in plan.groups
    ]
    return [group for group in groups if group.rules and group.name in _ORDER]


def _wanted(rule: AlertRule | RecordRule, names: set[str]) -> bool:
    return rule.alert == ALERT if isinstance(rule, AlertRule) else rule.record in names
