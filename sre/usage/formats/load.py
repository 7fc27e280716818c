"""Formats by name, from the built-in catalogue and a team's own folders over it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sre import content
from sre.catalogue import folders
from sre.catalogue.entries import read_entry
from sre.findings import Finding, Refused
from sre.source import suggest
from sre.usage.formats.errors import ErrorRules
from sre.usage.formats.format import Format
from sre.usage.formats.model import ErrorsFile, FinishesFile, GatewayFormat, Rule
from sre.usage.formats.review import review

_PART = "exporters/gateways"
_SHARED = ("errors", "finish_reasons")
"""Files of the folder that hold no format, but what all formats share."""


@dataclass(frozen=True)
class Gateways:
    """All that the files say: formats by name, error rules in order, finish reasons by a gateway's word."""

    formats: dict[str, GatewayFormat]
    rules: tuple[Rule, ...]
    finishes: dict[str, str]


def load_gateways(catalogue_dirs: Sequence[Path] = ()) -> Gateways:
    """Every format. Raises ``Refused`` with every finding of every file.

    A team's own file takes the place of a built-in one of its name; its error rules are asked first.
    """
    found, findings = Gateways({}, (), {}), list[Finding]()
    for folder in _roots(catalogue_dirs):
        for path in folders.files(folder, _PART):
            found, said = _laid_over(found, path)
            findings += said
    if findings:
        raise Refused(findings)
    return found


def format_names(catalogue_dirs: Sequence[Path] = ()) -> list[str]:
    """What a route's ``format:`` may name, without a look into the files."""
    paths = [path for folder in _roots(catalogue_dirs) for path in folders.files(folder, _PART)]
    return sorted({path.stem for path in paths} - set(_SHARED))


def load_format(name: str, catalogue_dirs: Sequence[Path] = (), *, trusted: bool = False) -> Format:
    """The format ``name``; ``catalogue_dirs`` are laid over the built-in content, the last one wins.

    Fields that a client can set itself (a team header) reach ``record.team`` on a ``trusted`` route alone, so
    that whoever reads the record need not ask again. Raises ``Refused`` with every finding of all files.
    """
    gateways = load_gateways(catalogue_dirs)
    if name not in gateways.formats:
        fix = suggest(name, gateways.formats)
        raise Refused([Finding(name, "no gateway format has this name", "its lines could not be read", fix)])
    rules = ErrorRules(gateways.rules)
    return Format(name, gateways.formats[name], rules, gateways.finishes, trusted=trusted)


def _roots(catalogue_dirs: Sequence[Path]) -> Iterable[Path]:
    return dict.fromkeys((content.root(), *catalogue_dirs))


def _laid_over(under: Gateways, path: Path) -> tuple[Gateways, list[Finding]]:
    """What is known, with one more file over it."""
    try:
        text = folders.read(path)
    except Refused as refused:
        return under, list(refused.findings)
    match path.stem:
        case "errors":
            errors, findings = read_entry(ErrorsFile, text, (), text.data)
            return (replace(under, rules=(*errors.rules, *under.rules)) if errors else under), findings
        case "finish_reasons":
            words, findings = read_entry(FinishesFile, text, (), text.data)
            return (replace(under, finishes=under.finishes | words.by_word()) if words else under), findings
        case name:
            spec, findings = read_entry(GatewayFormat, text, (), text.data)
            if spec is None:
                return under, findings
            return replace(under, formats=under.formats | {name: spec}), [*findings, *review(spec, text)]
