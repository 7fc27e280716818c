"""Proofs for promtool alone: each alert fires on its fault, in time, in these words, and only then.

One pool of each kind is simulated: it gives the raw series, and its own numbers the sentences. A file holds
the cases about one part of the rules.
"""

from collections.abc import Iterator
from functools import cached_property

from sre.compile.cases import Case, Cases, Chapter, Chapters
from sre.compile.expected import Expectations
from sre.compile.plan import Group, Plan, RecordRule
from sre.compile.prometheus import HEADER, dump, group_data
from sre.compile.proof_page import Page
from sre.compile.questions import Questions
from sre.compile.representatives import representatives
from sre.compile.stand_in import StandIn
from sre.fleet import Pool, file_name
from sre.simulate.pool import Simulated
from sre.units import format_duration
from sre.write import Artefact

# An alert may read a series one evaluation late when another group records it: those that read stand before
# those that write, except where a baseline must be as fresh as what it is compared with.
_ORDER = (
    "llm-meta",
    "llm-baseline",
    "llm-fleet",
    "llm-engine",
    "llm-latency",
    "llm-gpu",
    "llm-state",
    "llm-seldom",
    "llm-usage",
)

_SEEN = 120
"""Seconds that a pool that has just appeared takes to be seen."""


def render(plan: Plan, rules: str = "../prometheus") -> Iterator[Artefact]:
    """One rule file with the fleet as far as it is simulated, and the tests over it, for one pool of each kind.

    ``rules`` is where the plain rule files lie, seen from the proofs.
    """
    for chosen in representatives(plan):
        yield from Prover(plan, chosen.pool, rules).artefacts(briefly=not chosen.whole)


class Prover:
    """Writes the proofs of one pool."""

    def __init__(self, plan: Plan, pool: Pool, rules: str) -> None:
        self._plan, self._pool, self._rules, self._name = plan, pool, rules, file_name(pool.name)
        self.stand_in = StandIn(plan, pool)
        self.expectations = Expectations(plan, pool, self.stand_in.site)

    @cached_property
    def warm_up(self) -> int:
        """Seconds after dawn in which alerts about a pool that is not there may still stay after their last sign."""
        catalogue = self._plan.catalogue
        kept = [
            alert.keep_firing_for
            for alert in catalogue.alerts.values()
            for rule in alert.rules
            if catalogue.faults[rule.fault or alert.fault].set.get("gone")
        ]
        return _SEEN + max(kept, default=0)

    def artefacts(self, *, briefly: bool = False) -> Iterator[Artefact]:
        """Everything that is proven about this pool; ``briefly`` only what its missing promises change."""
        chapters, sort = dict[Chapter, list[Case]](), Chapters(self._plan)
        for case in self.cases(briefly=briefly):
            chapters.setdefault(sort.of(case), []).append(case)
        yield self.fleet_rules()
        for chapter, members in chapters.items():
            yield Artefact(f"proofs/{self._name}-{chapter.name}.test.yaml", self._file(chapter, members))

    def cases(self, *, briefly: bool = False) -> Iterator[Case]:
        """What is to be shown of this pool."""
        cases = Cases(self._plan, self.expectations, self.stand_in.whole, self.stand_in.single)
        return cases.all(briefly=briefly)

    def fleet_rules(self) -> Artefact:
        """The fleet as far as it is simulated."""
        group = next(group for group in self._plan.groups if group.name == "llm-fleet")
        rules = tuple(r for r in group.rules if isinstance(r, RecordRule) and self._concerns(r))
        kept = Group(group.name, group.file, group.interval, rules)
        origin = f"{self._rules}/{group.file}.rules.yaml"
        note = f"# The rules of {origin} that concern the simulated pool; the others would only be down.\n"
        text = HEADER + note + dump({"groups": [group_data(kept)]})
        return Artefact(f"proofs/{self._name}.fleet.rules.yaml", text)

    def _concerns(self, rule: RecordRule) -> bool:
        own = {"pool": self._pool.name, "model": self._pool.model}
        return all(rule.labels.get(label, value) == value for label, value in own.items())

    def _file(self, chapter: Chapter, cases: list[Case]) -> str:
        until = max(case.timeline.count for case in cases) - 1
        page = Page(self.stand_in.interval)
        for case in cases:
            self._write(page, case, until, chapter.reads("llm-gpu"))
        command = f"# promtool test rules {self._name}-{chapter.name}.test.yaml\n"
        return f"{HEADER}{command}{dump(self.head(chapter))}tests:\n{page.text}"

    def head(self, chapter: Chapter) -> dict[str, object]:
        """Which rules the cases of a chapter are run over, in which order, how often."""
        groups = {group.name: group for group in self._plan.groups if chapter.reads(group.name)}
        own = f"{self._name}.fleet.rules.yaml"
        return {
            "rule_files": [
                own if name == "llm-fleet" else f"{self._rules}/{group.file}.rules.yaml"
                for name, group in groups.items()
            ],
            "evaluation_interval": format_duration(self.stand_in.interval),
            "group_eval_order": [name for name in _ORDER if name in groups],
        }

    def _write(self, page: Page, case: Case, until: int, cards: bool) -> None:
        timeline = case.simulator.lay_out(case.story, case.fault, case.seconds, case.timeline.dawn, until)
        simulated = case.simulator.simulate(timeline)
        page.begin(case.name, case.fault.says if case.story is case.fault else "")
        for block in self.stand_in.blocks(simulated, cards):
            page.series(block)
        page.questions(self._questions(case, simulated))

    def _questions(self, case: Case, simulated: Simulated) -> Questions:
        interval, line, fault = self.stand_in.interval, simulated.timeline, case.fault
        asked, truth = Questions(interval), self.stand_in.truth(simulated)
        allowed, begin = (
            self.expectations.allowed(case.story),
            line.dawn + bool(line.dawn) * self.warm_up // interval,
        )
        always = {p.alert.name for p in case.rules if p.alert.name == "Watchdog"}
        due = {p.alert.name: case.due(p, interval) for p in case.rules if p.alert.name not in always}
        end = max([*due.values(), line.onset + case.seconds // interval - 1])
        if line.start > begin:
            asked.silence(allowed if case.story.before else (), begin, line.start - 1)
        for name, index in (due | dict.fromkeys(always, end)).items():
            asked.firing(name, index, list(self.expectations.alerts(name, fault, truth, case.places, index)))
        asked.silence((*due, *allowed), begin, end)
        if fault.fades:
            asked.silent(tuple(due), line.onset + fault.fades // interval)
        if case.story is fault:
            for expr, number in fault.holds.items():
                asked.holds(expr, end, number.value(simulated.shape.usual))
        return asked
