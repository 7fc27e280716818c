"""What of a proof is asked for: everything, or some alerts and faults by name."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sre.catalogue.model import Catalogue
from sre.compile.cases import Case
from sre.findings import Finding, Refused
from sre.lab.verdicts import Verdict
from sre.source import suggest


@dataclass(frozen=True)
class Wanted:
    """Names of alerts and of faults; with none of either, everything is wanted."""

    alerts: frozenset[str] = frozenset()
    faults: frozenset[str] = frozenset()

    @property
    def everything(self) -> bool:
        return not self.alerts and not self.faults

    def case(self, case: Case) -> bool:
        """Whether a story has to be run: its fault is named, or an alert that it is about."""
        return self.everything or case.fault.name in self.faults or bool(_about(case) & self.alerts)

    def missed(self, cases: Iterable[Case]) -> Iterator[Finding]:
        """What is asked for by name, and none of the stories shows."""
        cases = list(cases)
        why, fix = "nothing could be proven of it", "leave it out, or declare what it needs in the fleet file"
        for name in sorted(self.faults - {case.fault.name for case in cases}):
            yield Finding("--only", f"`{name}` cannot happen to this fleet", why, fix)
        for name in sorted(self.alerts - {name for case in cases for name in _about(case)}):
            yield Finding("--only", f"`{name}` sees nothing in this fleet", why, fix)

    def verdict(self, verdict: Verdict) -> bool:
        """Whether a line has to be shown."""
        return self.everything or verdict.fault in self.faults or verdict.alert in self.alerts


def _about(case: Case) -> set[str]:
    return {proven.alert.name for proven in case.about}


def read(names: Iterable[str], catalogue: Catalogue) -> Wanted:
    """Sort names into alerts and faults; raises ``Refused`` for those that are neither."""
    names, known = list(dict.fromkeys(names)), {**catalogue.alerts, **catalogue.faults}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Refused(
            Finding(
                "--only",
                f"`{name}` is neither an alert nor a fault",
                "nothing would be proven of it",
                suggest(name, known),
            )
            for name in unknown
        )
    return Wanted(
        frozenset(name for name in names if name in catalogue.alerts),
        frozenset(name for name in names if name in catalogue.faults),
    )
