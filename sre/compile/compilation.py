"""One fleet and one catalogue into everything that is written."""

from dataclasses import dataclass
from typing import Literal

from sre.catalogue.model import Catalogue
from sre.compile import alertmanager, counters, grafana, manifest, operator, prometheus, proofs, runbooks
from sre.compile.advice import advise, notes
from sre.compile.plan import Plan
from sre.compile.planning import make_plan
from sre.compile.proofreading import proofread
from sre.findings import Finding, errors
from sre.fleet import Fleet
from sre.fleet.receivers import Receivers
from sre.write import Artefact

Target = Literal["prometheus", "operator"]


@dataclass(frozen=True)
class Compilation:
    """What to write and what to say. With an error among ``findings`` there are no artefacts."""

    artefacts: tuple[Artefact, ...]
    findings: tuple[Finding, ...]
    plan: Plan


def compile(
    fleet: Fleet,
    catalogue: Catalogue,
    target: Target = "prometheus",
    listed: frozenset[str] | None = None,
    receivers: Receivers | None = None,
) -> Compilation:
    """Compile one fleet.

    ``listed`` are the metrics of the fleet's own counters file, ``receivers`` what its receivers file holds,
    where it names one.
    """
    plan = make_plan(fleet, catalogue, listed)
    findings = (*advise(plan), *alertmanager.advise(receivers), *notes(plan), *proofread(plan))
    if errors(findings):
        return Compilation((), findings, plan)
    rules, plain = (operator, operator.PLAIN) if target == "operator" else (prometheus, "../prometheus")
    artefacts = [
        *rules.render(plan),
        *alertmanager.render(plan, receivers),
        *grafana.render(plan),
        *runbooks.render(plan),
        *proofs.render(plan, plain),
        *counters.render(plan),
    ]
    return Compilation((*artefacts, manifest.render(plan, artefacts)), findings, plan)
