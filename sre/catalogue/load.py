"""Catalogue folders into one ``Catalogue``: the built-in content first, a team's own over it, entry by entry."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from sre import content, source
from sre.catalogue import folders
from sre.catalogue.bindings import Binding
from sre.catalogue.dashboards import load_dashboards
from sre.catalogue.entries import no_mapping, places_of, read_entry
from sre.catalogue.faults import load_faults
from sre.catalogue.model import GROUPS, Alert, Catalogue, Record, Signal, Threshold
from sre.catalogue.review import review
from sre.catalogue.runbooks import load_runbooks
from sre.catalogue.unread import review_unread
from sre.findings import Finding, Refused, errors

_SECTIONS: dict[str, type[BaseModel]] = {
    "signals": Signal,
    "records": Record,
    "thresholds": Threshold,
    "alerts": Alert,
}
_PLAIN = {"baselines": "one series name each", "constants": "a list of words each"}


def load(*roots: Path) -> Catalogue:
    """Read and check all content. Raises ``Refused`` with every finding."""
    catalogue, findings, shipped = Catalogue(), list[Finding](), frozenset[str]()
    for folder in roots:
        if folder != content.root():
            findings += folders.unread(folder)
        for path in _files(folder):
            findings += _read(path, catalogue)
        findings += _pages(folder, catalogue)
        if folder == content.root() and len(roots) > 1:
            shipped = frozenset(catalogue.records)
    if not errors(findings):
        catalogue = _grouped(catalogue)
        findings += [*review(catalogue), *review_unread(catalogue, shipped)]
    if errors(findings):
        raise Refused(findings)
    return replace(catalogue, warnings=tuple(findings))


def _files(folder: Path) -> Iterator[Path]:
    for part in ("exporters/signals", *(f"exporters/{kind}" for kind in folders.BINDINGS), "rules"):
        yield from folders.files(folder, part)


def _read(path: Path, catalogue: Catalogue) -> list[Finding]:
    if path.parent.name == "rules" and path.name == "faults.yaml":
        return []
    try:
        text = folders.read(path)
    except Refused as refused:
        return list(refused.findings)
    if path.parent.name in folders.BINDINGS:
        return _binding(text, path.parent.name, catalogue)
    return _content(text, path, catalogue)


def _binding(text: source.Source, section: str, catalogue: Catalogue) -> list[Finding]:
    binding, findings = read_entry(Binding, text, (), text.data)
    if binding:
        getattr(catalogue, section)[binding.kind] = binding
        name = f"{section}.{binding.kind}"
        catalogue.places.update({f"{name}{key}": place for key, place in places_of(text, ()).items()})
    return findings


def _content(text: source.Source, path: Path, catalogue: Catalogue) -> list[Finding]:
    if not isinstance(text.data, dict):
        return [no_mapping(text, ())]
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
            findings.append(no_mapping(text, (section,)))
        elif section in _PLAIN:
            findings += _plain(text, section, entries, catalogue)
        else:
            findings += _entries(text, section, entries, path, catalogue)
    return findings


def _plain(text: source.Source, section: str, entries: dict[str, Any], catalogue: Catalogue) -> list[Finding]:
    """Baselines are name to name, constants name to list of words."""
    findings = list[Finding]()
    for name, entry in entries.items():
        if isinstance(entry, str) if section == "baselines" else _is_words(entry):
            getattr(catalogue, section)[name] = entry if section == "baselines" else tuple(entry)
            catalogue.places.update(places_of(text, (section, name)))
        else:
            what, why = f"{section} are {_PLAIN[section]}", "nothing else is read"
            findings.append(text.finding((section, name), what, why, "write it like its neighbours"))
    return findings


def _is_words(entry: object) -> bool:
    return isinstance(entry, list) and bool(entry) and all(isinstance(word, str) and word for word in entry)


def _entries(
    text: source.Source, section: str, entries: dict[str, Any], path: Path, catalogue: Catalogue
) -> list[Finding]:
    findings = list[Finding]()
    group = {"group": path.stem if path.stem in GROUPS else "engine"} if section == "records" else {}
    for name, entry in entries.items():
        value, said = read_entry(_SECTIONS[section], text, (section, name), entry, name=name, **group)
        findings += said
        if value:
            getattr(catalogue, section)[name] = value
            catalogue.places.update(places_of(text, (section, name)))
    return findings


def _pages(folder: Path, catalogue: Catalogue) -> list[Finding]:
    findings = list[Finding]()
    for entries, (loaded, said) in (
        (catalogue.runbooks, load_runbooks(folder / "runbooks")),
        (catalogue.dashboards, load_dashboards(folder / "dashboards")),
        (catalogue.faults, load_faults(folder / "rules", catalogue.places)),
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
