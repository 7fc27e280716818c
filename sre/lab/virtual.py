"""The proof in virtual time: promtool runs the compiled rules over every simulated story, and says when what fired."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from sre.compile.cases import Chapters
from sre.compile.compilation import Compilation
from sre.compile.plan import Plan
from sre.compile.proofs import Prover
from sre.compile.representatives import representatives
from sre.findings import Finding, Refused
from sre.lab import promtool
from sre.lab.exam import QUESTIONS, Exam
from sre.lab.verdicts import Proof, Silence, Verdict
from sre.lab.wanted import Wanted

Watch = Callable[[int, int, str], None]
"""Told after each story: how many are done, of how many, and its name."""

_PLAIN = "../prometheus"


def prove(compiled: Compilation, wanted: Wanted, watch: Watch) -> Proof:
    """Everything that is wanted, proven; raises ``Refused`` where promtool is missing or does not come to its end.

    Everything is written to a temporary folder, which is gone afterwards, as every child is.
    """
    program = promtool.find()
    exams = list(_exams(compiled.plan, wanted))
    if missed := list(wanted.missed(exam.case for exam in exams)):
        raise Refused(missed)
    try:
        with tempfile.TemporaryDirectory(prefix="sre-prove-") as name:
            folder = Path(name)
            _write_rules(compiled, exams, folder)
            proof = _run(program, exams, folder, wanted, watch)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Refused([_unwritable(error)]) from None
    return Proof((*proof.verdicts, *_unshown(compiled.plan, exams, wanted)), proof.silences)


def _unwritable(error: OSError) -> Finding:
    where, what = str(error.filename or "TMPDIR"), f"the proofs cannot be run there: {error.strerror}"
    fix = "free some space there, or name another folder: TMPDIR=/path sre prove ..."
    return Finding(where, what, "rules and simulated series lie in a temporary folder meanwhile", fix)


def _exams(plan: Plan, wanted: Wanted) -> Iterator[Exam]:
    always = _always(plan)
    sort = Chapters(plan)
    for chosen in representatives(plan):
        prover = Prover(plan, chosen.pool, _PLAIN)
        for case in prover.cases(briefly=not chosen.whole):
            if wanted.case(case):
                chapter = sort.of(case)
                reads_cards = chapter.reads("llm-gpu")
                yield Exam(prover, chosen.pool.name, case, reads_cards, prover.head(chapter), always)


def _always(plan: Plan) -> frozenset[str]:
    """Alerts that are proven by a fault in which nothing happens: they fire in health."""
    catalogue = plan.catalogue
    healthy = {
        fault.name for fault in catalogue.faults.values() if not any(s.set or s.hide for s in fault.steps)
    }
    return frozenset(
        alert.name for alert in catalogue.alerts.values() if any(r.fault in healthy for r in alert.rules)
    )


def _write_rules(compiled: Compilation, exams: list[Exam], folder: Path) -> None:
    provers = {id(exam.prover): exam.prover for exam in exams}
    for artefact in (*compiled.artefacts, *(prover.fleet_rules() for prover in provers.values())):
        if artefact.path.endswith(".rules.yaml"):
            target = folder / artefact.path
            target.parent.mkdir(exist_ok=True)
            target.write_text(artefact.text, encoding="utf-8")


def _run(program: str, exams: list[Exam], folder: Path, wanted: Wanted, watch: Watch) -> Proof:
    verdicts, silences = dict[int, list[Verdict]](), dict[int, Silence]()
    # The longest first, so that no core waits for another in the end.
    order = sorted(range(len(exams)), key=lambda number: -exams[number].ticks)
    files = [(exams[number].case.name, _write(exams[number], number, folder)) for number in order]
    cores = len(os.sched_getaffinity(0))
    for at, answers in promtool.run(program, folder, files, QUESTIONS, cores):
        number = order[at]
        exam = exams[number]
        if exam.case.rules:
            verdicts[number] = [one for one in exam.verdicts(answers) if wanted.verdict(one)]
        else:
            silences[number] = exam.silence(answers)
        watch(len(verdicts) + len(silences), len(exams), exam.case.name)
    return Proof(
        tuple(one for number in sorted(verdicts) for one in verdicts[number]),
        tuple(silences[number] for number in sorted(silences)),
    )


def _write(exam: Exam, number: int, folder: Path) -> Path:
    file = folder / "proofs" / f"{number}.test.yaml"
    file.write_text(exam.text(), encoding="utf-8")
    return file


def _unshown(plan: Plan, exams: list[Exam], wanted: Wanted) -> Iterator[Verdict]:
    """Rules that are emitted, and that no simulated story can show."""
    shown = [proven for exam in exams for proven in exam.case.rules]
    for planned in plan.alerts:
        for index in planned.sources:
            rule = planned.alert.rules[index]
            if not any(p.alert.name == planned.alert.name and p.rule == rule for p in shown):
                labels = {**rule.fixed, "severity": rule.severity}
                verdict = Verdict(
                    planned.alert.name, labels, rule.fault, planned.alert.within, None, None, None, ()
                )
                if wanted.verdict(verdict):
                    yield verdict
