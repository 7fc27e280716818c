"""What every command begins with: the fleet file, and the catalogue that it is read against."""

from dataclasses import dataclass, replace
from pathlib import Path

from sre import content, source
from sre.catalogue.load import load as load_catalogue
from sre.catalogue.model import Catalogue
from sre.compile.advice import advise
from sre.compile.planning import make_plan
from sre.compile.thresholds import settable
from sre.findings import Finding, Refused, errors, tried
from sre.fleet import Fleet
from sre.fleet.paths import COUNTER_LISTS
from sre.fleet.problem import Known
from sre.fleet.reader import read_fleet
from sre.fleet.reading import Reading
from sre.fleet.receiver_names import owners
from sre.fleet.receivers import Receivers, read_receivers
from sre.source import Loc, Source


@dataclass(frozen=True)
class Inputs:
    """A fleet, its catalogue, the warnings about both, and where in the file everything stands."""

    fleet: Fleet
    catalogue: Catalogue
    warnings: tuple[Finding, ...]
    source: Source
    listed: frozenset[str] | None
    """Metrics named in the fleet's own counters file, where it names one."""
    receivers: Receivers | None
    """The user's Alertmanager receivers, where the fleet names a file of them."""

    def located(self, finding: Finding) -> Finding:
        """A finding that names a path into the fleet file, with the file and line instead."""
        loc = _place(finding)
        return replace(finding, where=self.source.where(loc)) if loc[0] in Fleet.model_fields else finding


def read_inputs(path: Path, catalogue_folder: Path | None = None) -> Inputs:
    """Raises ``Refused`` with everything that is wrong. ``catalogue_folder`` wins over the fleet file's own."""
    text, findings = source.read(path), list[Finding]()
    catalogue = tried(lambda: load_catalogue(*_folders(text, path.parent, catalogue_folder)), findings)
    known = Known(settable(catalogue), catalogue.engines, catalogue.gpus) if catalogue else Known()
    reading = read_fleet(text, path.parent, known)
    findings += reading.findings
    receivers = _receivers(reading, findings)
    listed = tried(lambda: _listed(reading), findings)
    fleet = reading.sound()
    if not fleet or not catalogue:
        raise Refused(findings)
    inputs = Inputs(fleet, catalogue, tuple(findings), text, listed, receivers)
    if errors(findings):
        raise Refused([*findings, *_advice(inputs, reading)])
    return inputs


def _receivers(reading: Reading, findings: list[Finding]) -> Receivers | None:
    fleet = reading.fleet
    if not fleet or not fleet.receivers or reading.doubts(("receivers",)):
        return None
    said, path, teams = list[Finding](), fleet.receivers, owners(fleet)
    found = tried(lambda: read_receivers(path, teams), said)
    said += found[1] if found else []
    # While some pools are in doubt, so are the teams that receivers may be for.
    findings += errors(said) if reading.doubtful else said
    return found[0] if found else None


def _advice(inputs: Inputs, reading: Reading) -> list[Finding]:
    """Errors that only compiling shows, about values that nothing else is wrong with."""
    said = errors(advise(make_plan(inputs.fleet, inputs.catalogue, inputs.listed)))
    return [inputs.located(one) for one in said if not reading.doubts(_place(one))]


def _place(finding: Finding) -> Loc:
    """The path into the fleet file that a compiler's finding names."""
    return tuple(int(part) if part.isdecimal() else part for part in finding.where.split("/"))


def _folders(text: Source, parent: Path, given: Path | None) -> list[Path]:
    written = text.data.get("catalogue") if isinstance(text.data, dict) else None
    own = given or (parent / written if isinstance(written, str) else None)
    # A folder that is not there is the fleet file's finding, with its line.
    return [content.root(), *([own] if own and _is_folder(own) else [])]


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _listed(reading: Reading) -> frozenset[str] | None:
    """First column of the counters file, where the fleet names one; comments are what is off."""
    exporter = reading.fleet.gpu_exporter if reading.fleet else None
    if not exporter or exporter.counters in COUNTER_LISTS or reading.doubts(("gpu_exporter", "counters")):
        return None
    counters = exporter.counters
    try:
        lines = Path(counters).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise Refused(
            [
                Finding(
                    counters,
                    f"cannot be read: {error.strerror}",
                    "it says which counters are on",
                    "check its permissions, or write `image` or `chart`",
                )
            ]
        ) from None
    return frozenset(
        line.split(",")[0].strip() for line in lines if line.strip() and not line.lstrip().startswith("#")
    )
