"""Catalogue folders into one ``Catalogue``: the built-in content first, a team's own over it, entry by entry."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from sre import content, source
from sre.catalogue.model import GROUPS, Alert, Binding, Catalogue, Record, Signal, Threshold
from sre.catalogue.review import review
from sre.explain import explain
from sre.findings import Finding, Refused, errors

_SECTIONS: dict[str, type[BaseModel]] = {
    "signals": Signal,
    "records": Record,
    "thresholds": Threshold,
    "alerts": Alert,
}
_PLAIN = {"baselines": "one series name each", "constants": "a list of words each"}
_BINDINGS = ("engines", "gpus", "usage")


def load(*folders: Path) -> Catalogue:
    """Read and check all content. Raises ``Refused`` with every finding."""
    catalogue, findings = Catalogue(), list[Finding]()
    for folder in folders:
        for path in _files(folder):
            findings += _read(path, folder, catalogue)
        findings += _pages(folder, catalogue)
    if not errors(findings):
        catalogue = _grouped(catalogue)
        findings += review(catalogue)
    if errors(findings):
        raise Refused(findings)
    return replace(catalogue, warnings=tuple(findings))


def _files(folder: Path) -> Iterator[Path]:
    for part in ("exporters/signals", *(f"exporters/{kind}" for kind in _BINDINGS), "rules"):
        yield from sorted((folder / part).glob("*.yaml"))


def _read(path: Path, folder: Path, catalogue: Catalogue) -> list[Finding]:
    try:
        text = source.read(path)
    except Refused as refused:
        return list(refused.findings)
    if folder == content.root():
        text = replace(text, name=str(path.relative_to(folder)))
    if path.parent.name in _BINDINGS:
        return _binding(text, path.parent.name, catalogue)
    if path.name == "faults.yaml":
        return []
    return _content(text, path, catalogue)


def _binding(text: source.Source, section: str, catalogue: Catalogue) -> list[Finding]:
    try:
        binding = Binding.model_validate(text.data)
    except ValidationError as error:
        return explain(error, text, Binding)
    getattr(catalogue, section)[binding.kind] = binding
    catalogue.places[f"{section}.{binding.kind}"] = text.where()
    return []


def _content(text: source.Source, path: Path, catalogue: Catalogue) -> list[Finding]:
    if not isinstance(text.data, dict):
        return [_no_mapping(text, ())]
    findings = list[Finding]()
    for section, entries in text.data.items():
        if section not in _SECTIONS and section not in _PLAIN:
            findings.append(
                text.finding(
                    (section,),
                    f"unknown section `{section}`",
                    "nothing reads it",
                    source.suggest(section, [*_SECTIONS, *_PLAIN]),
                    key=True,
                )
            )
        elif not isinstance(entries, dict):
            findings.append(_no_mapping(text, (section,)))
        elif section in _PLAIN:
            findings += _plain(text, section, entries, catalogue)
        else:
            findings += _entries(text, section, entries, path, catalogue)
    return findings


def _no_mapping(text: source.Source, loc: source.Loc) -> Finding:
    return text.finding(
        loc, "a mapping (name: entry) belongs here", "nothing else is read", "give every entry a name"
    )


def _plain(text: source.Source, section: str, entries: dict[str, Any], catalogue: Catalogue) -> list[Finding]:
    """Baselines are name to name, constants name to list of words."""
    kind = str if section == "baselines" else list
    wrong = [name for name, entry in entries.items() if not isinstance(entry, kind)]
    for name, entry in entries.items():
        if name not in wrong:
            getattr(catalogue, section)[name] = tuple(map(str, entry)) if section == "constants" else entry
    return [
        text.finding(
            (section, name),
            f"{section} are {_PLAIN[section]}",
            "nothing else is read",
            "write it like its neighbours",
        )
        for name in wrong
    ]


def _entries(
    text: source.Source, section: str, entries: dict[str, Any], path: Path, catalogue: Catalogue
) -> list[Finding]:
    model, findings = _SECTIONS[section], list[Finding]()
    group = {"group": path.stem if path.stem in GROUPS else "engine"} if section == "records" else {}
    for name, entry in entries.items():
        if not isinstance(entry, dict):
            findings.append(_no_mapping(text, (section, name)))
            continue
        try:
            value = model.model_validate({**entry, **group, "name": name})
        except ValidationError as error:
            inner = replace(text, data=entry, place=text.place.inside[section].inside[name])
            findings += explain(error, inner, model)
            continue
        getattr(catalogue, section)[name] = value
        catalogue.places[f"{section}.{name}"] = text.where((section, name), key=True)
    return findings


def _pages(folder: Path, catalogue: Catalogue) -> list[Finding]:
    from sre.catalogue.dashboards import load_dashboards
    from sre.catalogue.faults import load_faults
    from sre.catalogue.runbooks import load_runbooks

    findings = list[Finding]()
    for entries, (loaded, said) in (
        (catalogue.runbooks, load_runbooks(folder / "runbooks")),
        (catalogue.dashboards, load_dashboards(folder / "dashboards")),
        (catalogue.faults, load_faults(folder / "rules")),
    ):
        entries.update(loaded)
        findings += said
    return findings


def _grouped(catalogue: Catalogue) -> Catalogue:
    """An alert is evaluated behind the series that it shows, in the same group: no interval is lost between them."""
    alerts = {
        name: alert.model_copy(update={"group": catalogue.records[alert.shows].group})
        if alert.shows in catalogue.records
        else alert.model_copy(update={"group": "meta"})
        for name, alert in catalogue.alerts.items()
    }
    return replace(catalogue, alerts=alerts)
