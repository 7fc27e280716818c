"""Proofs that an engineer runs with promtool alone: each alert fires on its fault, in time, with these words, and only then.

For one pool of each kind a simulated pool gives the raw series, and its own numbers the sentences. One file holds the cases about
one part of the rules; a series that several cases share is written once and referred to by its YAML anchor.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from sre.catalogue.model import Binding
from sre.compile.cases import Case, Cases, Chapter, Chapters
from sre.compile.coverage import bounds_of
from sre.compile.expected import Expectations, Fired
from sre.compile.plan import Group, Plan, RecordRule
from sre.compile.prometheus import HEADER, dump, group_data
from sre.compile.representatives import representatives
from sre.compile.thresholds import threshold_value
from sre.fleet import Pool, file_name
from sre.simulate.exposition import Exposition
from sre.simulate.pool import Shape, Simulated, Simulator
from sre.simulate.samples import Run, Samples
from sre.simulate.site import Site, series
from sre.simulate.truth import Truth
from sre.units import format_duration
from sre.write import Artefact

_REPLICAS, _CARDS = 2, 2
"""Replicas that are simulated in full, and cards of each: enough for every sum, mean and maximum over them to matter."""

# An alert may read a series one evaluation late when another group records it: those that read stand before those that write,
# except where a baseline must be as fresh as what it is compared with.
_ORDER = ("llm-meta", "llm-baseline", "llm-fleet", "llm-engine", "llm-gpu", "llm-usage")

_WARM_UP = 120
"""Seconds after dawn in which a pool that has just appeared may still look like one that is down."""


def render(plan: Plan, rules: str = "../prometheus") -> Iterator[Artefact]:
    """One rule file with the fleet as far as it is simulated, and the tests over it, for one pool of each kind.

    ``rules`` is where the plain rule files lie, seen from the proofs.
    """
    for chosen in representatives(plan):
        yield from Prover(plan, chosen.pool, rules).artefacts(briefly=not chosen.whole)


class Prover:
    """Writes the proofs of one pool."""

    def __init__(self, plan: Plan, pool: Pool, rules: str) -> None:
        self._rules = rules
        self._plan, self._pool, self._name = plan, pool, file_name(pool.name)
        self._interval = int(plan.fleet.evaluation_interval)
        self._site = Site(
            pool.name, pool.model, plan.fleet.pool_label, plan.identity.kind,
            bool(plan.fleet.gpu_exporter and plan.fleet.gpu_exporter.honor_labels),
            plan.fleet.usage_exporter.job if plan.fleet.usage_exporter else "")
        self._expectations = Expectations(plan, pool, self._site)
        self._whole, self._single = Simulator(self._shape), Simulator(replace(self._shape, replicas=1))

    def artefacts(self, *, briefly: bool = False) -> Iterator[Artefact]:
        """Everything that is proven about this pool; ``briefly`` only what its missing promises change."""
        chapters, sort = dict[Chapter, list[Case]](), Chapters(self._plan)
        for case in Cases(self._plan, self._expectations, self._whole, self._single).all(briefly=briefly):
            chapters.setdefault(sort.of(case), []).append(case)
        yield Artefact(f"proofs/{self._name}.fleet.rules.yaml", self._fleet_rules())
        for chapter, cases in chapters.items():
            yield Artefact(f"proofs/{self._name}-{chapter.name}.test.yaml", self._file(chapter, cases))

    # --- the simulated pool ------------------------------------------------------------------------------------------------

    @cached_property
    def _binding(self) -> Binding:
        return self._plan.catalogue.engines[self._pool.engine.kind]

    @cached_property
    def _shape(self) -> Shape:
        gpus, exporter = self._pool.gpus, self._plan.fleet.gpu_exporter
        bounds = {name: tuple(float(b) for b in bounds_of(self._binding, name, self._pool)) for name in self._binding.bounds}
        return Shape(
            min(_REPLICAS, max(1, self._pool.replicas_min)), min(_CARDS, gpus.per_replica) if gpus and exporter else 0,
            self._thresholds, bounds, self._interval, bool(self._plan.fleet.usage_exporter))

    @cached_property
    def _thresholds(self) -> dict[str, float | None]:
        found = dict[str, float | None]()
        for name, threshold in self._plan.catalogue.thresholds.items():
            value = threshold.default if threshold.fleet else threshold_value(self._pool, threshold, self._binding)
            found[name] = None if value is None else float(value)
        return found

    @cached_property
    def _exposition(self) -> Exposition:
        exporter, catalogue = self._plan.fleet.gpu_exporter, self._plan.catalogue
        cards = (catalogue.gpus[exporter.kind], exporter.version) if exporter else None
        usage = next(iter(catalogue.usage.values()), None) if self._plan.fleet.usage_exporter else None
        return Exposition(self._site, (self._binding, self._pool.engine.version), cards, usage)

    def _silent(self, simulated: Simulated) -> int:
        """Declared replicas that only answer their scrapes."""
        return max(0, self._pool.replicas_min - simulated.shape.replicas)

    # --- files -----------------------------------------------------------------------------------------------------------

    def _fleet_rules(self) -> str:
        group = next(group for group in self._plan.groups if group.name == "llm-fleet")
        rules = tuple(r for r in group.rules if isinstance(r, RecordRule) and self._concerns(r))
        kept = Group(group.name, group.file, group.interval, rules)
        return (f"{HEADER}# The rules of {self._rules}/{group.file}.rules.yaml that concern the simulated pool; the others would "
                "only be down.\n" + dump({"groups": [group_data(kept)]}))

    def _concerns(self, rule: RecordRule) -> bool:
        labels = rule.labels
        return labels.get("pool", self._pool.name) == self._pool.name and labels.get("model", self._pool.model) == self._pool.model

    def _file(self, chapter: Chapter, cases: list[Case]) -> str:
        groups = [group for group in self._plan.groups if self._reads(chapter, group)]
        own = f"{self._name}.fleet.rules.yaml"
        files = [own if g.name == "llm-fleet" else f"{self._rules}/{g.file}.rules.yaml" for g in groups]
        order = [name for name in _ORDER if name in {group.name for group in groups}]
        head = {"rule_files": files, "evaluation_interval": format_duration(self._interval), "group_eval_order": order}
        until = max(case.timeline.count for case in cases) - 1
        page = _Page(self._interval, chapter.cards or chapter.everything)
        for case in cases:
            self._write(page, case, until)
        return f"{HEADER}# promtool test rules {self._name}-{chapter.name}.test.yaml\n{dump(head)}tests:\n" + "".join(page.lines)

    def _reads(self, chapter: Chapter, group: Group) -> bool:
        if chapter.everything:
            return True
        wanted = {"llm-fleet": True, "llm-engine": True, "llm-gpu": chapter.cards, "llm-baseline": chapter.baseline}
        return wanted.get(group.name, False)

    def _write(self, page: "_Page", case: Case, until: int) -> None:
        timeline = case.simulator.lay_out(case.story, case.fault, case.seconds, case.timeline.dawn, until)
        simulated = case.simulator.simulate(timeline)
        page.begin(case.name, case.fault.says if case.story is case.fault else "")
        for name, samples in (self._exposition.series(simulated) | self._others(simulated)).items():
            page.series(name, samples)
        page.questions(self._questions(case, simulated))

    def _others(self, simulated: Simulated) -> dict[str, Samples]:
        dawn, count = simulated.timeline.dawn, simulated.timeline.count
        runs = (Run(dawn, None), Run(count - dawn, 1.0))
        first = simulated.shape.replicas
        return {series("up", self._site.replica(first + n)): Samples.joined(runs) for n in range(self._silent(simulated))}

    # --- what must be true -------------------------------------------------------------------------------------------------

    def _questions(self, case: Case, simulated: Simulated) -> "Questions":
        asked, line = Questions(self._interval), simulated.timeline
        truth = Truth(simulated, self._silent(simulated))
        allowed, begin = self._expectations.allowed(case.story), line.dawn + bool(line.dawn) * _WARM_UP // self._interval
        due = {p.alert.name: case.due(p, self._interval) for p in case.rules if p.alert.name != "Watchdog"}
        end = max([*due.values(), line.onset + case.seconds // self._interval - 1])
        if line.start > begin:
            asked.silence(allowed if case.story.before else (), begin, line.start - 1)
        for name, index in due.items():
            asked.firing(name, index, list(self._expectations.alerts(name, case.fault, truth, case.places, index)))
        asked.silence((*due, *allowed), begin, end)
        if case.fault.fades:
            asked.silent(tuple(due), line.onset + case.fault.fades // self._interval)
        if any(p.alert.name == "Watchdog" for p in case.rules):
            asked.firing("Watchdog", end, list(self._expectations.alerts("Watchdog", case.fault, truth, case.places, end)))
        if case.story is case.fault:
            for expr, number in case.fault.holds.items():
                asked.holds(expr, end, number.value(simulated.shape.usual))
        return asked


@dataclass
class Questions:
    """What promtool is to ask, and the right answers."""

    interval: int
    alerts: list[dict[str, object]] = field(default_factory=list)
    exprs: list[dict[str, object]] = field(default_factory=list)

    def firing(self, name: str, index: int, fired: list[Fired]) -> None:
        """These alerts fire and no others of that name; where numbers are in motion only that they fire."""
        if all(one.annotations is not None for one in fired):
            expected = [{"exp_labels": one.labels, "exp_annotations": one.annotations} for one in fired]
            self.alerts.append({"eval_time": self._time(index), "alertname": name, "exp_alerts": expected})
            return
        for one in fired:
            self.holds(f"max({series('ALERTS', {'alertname': name, 'alertstate': 'firing', **one.labels})})", index, 1)

    def silence(self, allowed: Iterable[str], first: int, last: int) -> None:
        """No other alert fires from one scrape to another."""
        names = "|".join(("Watchdog", *allowed))
        window = format_duration((last - first) * self.interval or self.interval)
        self.exprs.append({
            "expr": f'group by (alertname) (max_over_time(ALERTS{{alertstate="firing",alertname!~"{names}"}}[{window}]))',
            "eval_time": self._time(last)})

    def silent(self, names: tuple[str, ...], index: int) -> None:
        """These alerts have resolved."""
        self.alerts += [{"eval_time": self._time(index), "alertname": name, "exp_alerts": []} for name in names]

    def holds(self, expr: str, index: int, value: float | None) -> None:
        """An expression without labels has this value."""
        self.exprs.append({"expr": expr, "eval_time": self._time(index), "exp_samples": [{"labels": "{}", "value": value}]})

    def _time(self, index: int) -> str:
        return format_duration(index * self.interval)


class _Page:
    """The tests of one file as YAML, written by hand: thousands of lines are too slow for a library."""

    def __init__(self, interval: int, cards: bool) -> None:
        self.lines: list[str] = []
        self._interval, self._cards, self._known = format_duration(interval), cards, dict[tuple[str, str], str]()

    def begin(self, name: str, says: str) -> None:
        comment = f"# {says}\n" if says else ""
        self.lines.append(f"{comment}- name: {quoted(name)}\n  interval: {self._interval}\n  input_series:\n")

    def series(self, name: str, samples: Samples) -> None:
        key = (name, samples.notation())
        anchor = self._known.get(key)
        if anchor:
            self.lines.append(f"  - *{anchor}\n")
            return
        anchor = self._known[key] = f"s{len(self._known)}"
        self.lines.append(f"  - &{anchor} {{series: {quoted(name)}, values: '{key[1]}'}}\n")

    def questions(self, asked: Questions) -> None:
        data = {"alert_rule_test": asked.alerts, "promql_expr_test": asked.exprs}
        text = dump({key: value for key, value in data.items() if value})
        self.lines.append("".join(f"  {line}\n" for line in text.splitlines()))


def quoted(text: str) -> str:
    """A YAML scalar in single quotes; text with anything that YAML would change in double quotes."""
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    escaped = (c if c.isprintable() and c not in '"\\' else _escape(c) for c in text)
    return '"' + "".join(escaped) + '"'


def _escape(char: str) -> str:
    return "\\" + char if char in '"\\' else f"\\U{ord(char):08x}"
