"""Catalogue folders into one ``Catalogue``: the built-in content first, a team's own over it, entry by entry."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from sre import source
from sre.catalogue.model import Alert, Binding, Catalogue, Record, Signal, Threshold
from sre.catalogue.review import review
from sre.explain import explain
from sre.findings import Finding, Refused, errors

_SECTIONS: dict[str, type[BaseModel]] = {"signals": Signal, "records": Record, "thresholds": Threshold, "alerts": Alert}
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
    return catalogue


def _files(folder: Path) -> Iterator[Path]:
    for part in ("exporters/signals", *(f"exporters/{kind}" for kind in _BINDINGS), "rules"):
        yield from sorted((folder / part).glob("*.yaml"))


def _read(path: Path, folder: Path, catalogue: Catalogue) -> list[Finding]:
    try:
        text = replace(source.read(path), name=str(path.relative_to(folder)))
    except Refused as refused:
        return list(refused.findings)
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
        return [text.finding((), "a mapping of sections belongs here", "nothing else is read", "begin with `alerts:`")]
    findings = list[Finding]()
    for section, entries in text.data.items():
        if section == "baselines":
            catalogue.baselines.update(entries)
        elif section == "constants":
            catalogue.constants.update({name: tuple(values) for name, values in entries.items()})
        elif section in _SECTIONS:
            findings += _entries(text, section, entries, path, catalogue)
        else:
            known = [*_SECTIONS, "baselines", "constants"]
            findings.append(text.finding((section,), f"unknown section `{section}`", "nothing reads it",
                                         source.suggest(section, known), key=True))
    return findings


def _entries(
    text: source.Source, section: str, entries: dict[str, Any], path: Path, catalogue: Catalogue
) -> list[Finding]:
    model, findings = _SECTIONS[section], list[Finding]()
    group = {"group": path.stem} if section == "records" else {}
    for name, entry in entries.items():
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
    from sre.catalogue.dashboards import load_dashboards  # noqa: PLC0415
    from sre.catalogue.faults import load_faults  # noqa: PLC0415
    from sre.catalogue.runbooks import load_runbooks  # noqa: PLC0415

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
        if alert.shows in catalogue.records else alert.model_copy(update={"group": "meta"})
        for name, alert in catalogue.alerts.items()
    }
    return replace(catalogue, alerts=alerts)
