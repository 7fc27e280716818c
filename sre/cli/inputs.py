"""What every command begins with: the fleet file, and the catalogue that it is read against."""

from dataclasses import dataclass, replace
from pathlib import Path

from sre import content, source
from sre.catalogue.load import load as load_catalogue
from sre.catalogue.model import Catalogue
from sre.compile.thresholds import settable
from sre.findings import Finding, Refused
from sre.fleet import Fleet
from sre.fleet.problem import Known
from sre.fleet.reader import load_source
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
        loc: Loc = tuple(int(p) if p.isdecimal() else p for p in finding.where.split("/"))
        return replace(finding, where=self.source.where(loc)) if loc[0] in Fleet.model_fields else finding


def read_inputs(path: Path, catalogue_folder: Path | None = None) -> Inputs:
    """Raises ``Refused`` with everything that is wrong. ``catalogue_folder`` wins over the fleet file's own."""
    text = source.read(path)
    catalogue = load_catalogue(*_folders(text, path.parent, catalogue_folder))
    known = Known(settable(catalogue), catalogue.engines, catalogue.gpus)
    fleet, warnings = load_source(text, path.parent, known)
    receivers, more = read_receivers(fleet.receivers, owners(fleet)) if fleet.receivers else (None, [])
    return Inputs(fleet, catalogue, (*warnings, *more), text, _listed(fleet), receivers)


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


def _listed(fleet: Fleet) -> frozenset[str] | None:
    """First column of the counters file, where the fleet names one; comments are what is off."""
    counters = fleet.gpu_exporter.counters if fleet.gpu_exporter else "image"
    if counters in ("image", "chart"):
        return None
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
