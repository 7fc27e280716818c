"""Exposition files as an observation: names, types, labels and bounds, as the targets themselves print them.

Service discovery adds pods, jobs and hosts only on the way into Prometheus, so a file cannot say which pool it is
(it is told, or the engine's kind decides), and cards join nobody.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from sre.catalogue.bindings import Binding
from sre.catalogue.model import Catalogue
from sre.checks.exposed import Exposed
from sre.checks.live import card_id, finite
from sre.checks.observation import Card, CardId, Observation, selectors
from sre.findings import Finding
from sre.fleet import Fleet
from sre.promql import matches

_LIMITS = Finding(
    "--metrics",
    "files say nothing of targets, labels from service discovery, replicas, the pools of cards, or loaded rules",
    "Prometheus adds those when it scrapes",
    "ask the server too, with --prometheus",
    "info",
)


def observe(
    files: Sequence[Exposed], fleet: Fleet, catalogue: Catalogue
) -> tuple[Observation, list[Finding]]:
    """What the files show, and a finding for each that nothing is known about or that holds a wrong type."""
    findings = [_LIMITS]
    engines = defaultdict[str, list[Exposed]](list)
    exporter = catalogue.gpus[fleet.gpu_exporter.kind] if fleet.gpu_exporter else None
    gpu_files = [file for file in files if exporter and _is(file, exporter)]
    usage = [file for file in files for binding in catalogue.usage.values() if _is(file, binding)]
    for file in files:
        kind = next((kind for kind, binding in catalogue.engines.items() if _is(file, binding)), None)
        if kind:
            for pool in _pools(file, kind, files, fleet):
                engines[pool].append(file)
        elif file not in gpu_files and file not in usage:
            findings.append(_unknown(file, catalogue, exporter is None))
        findings += _types(file, catalogue)
    observation = Observation(
        origin=", ".join(file.path for file in files),
        engine={
            p: frozenset(_data(many, catalogue.engines[_kind(fleet, p)], catalogue))
            for p, many in engines.items()
        },
        bounds=dict(_bounds(engines, fleet, catalogue)),
        budgets={
            p: frozenset(_budgets(many, catalogue.engines[_kind(fleet, p)])) for p, many in engines.items()
        },
        usage=frozenset(name for file in usage for name in file.samples),
    )
    return (_with_cards(observation, gpu_files, exporter, catalogue) if exporter else observation), findings


def _is(file: Exposed, binding: Binding) -> bool:
    """Told by what identifies the binding; a saved part of an exposition by any of its own metrics."""
    prefix = re.sub(r"[:_].*", "", binding.identify)
    own = {source.metric for sources in binding.signals.values() for source in sources}
    return binding.identify in file.samples or any(
        name.startswith(prefix) and (name in own or re.sub(r"_(bucket|sum|count)$", "", name) in own)
        for name in file.samples
    )


def _pools(file: Exposed, kind: str, files: Sequence[Exposed], fleet: Fleet) -> list[str]:
    """The pool that was named; else every pool of that engine that no other file was named for."""
    if file.pool:
        return [file.pool]
    named = {other.pool for other in files}
    return [pool.name for pool in fleet.pools if pool.engine.kind == kind and pool.name not in named]


def _kind(fleet: Fleet, pool: str) -> str:
    return next(one.engine.kind for one in fleet.pools if one.name == pool)


def _data(files: Iterable[Exposed], binding: Binding, catalogue: Catalogue) -> Iterator[str]:
    """Names of all samples, and the selectors with matchers that select any."""
    for file in files:
        yield from file.samples
        for _, one, source in selectors(binding, catalogue.signals):
            name = one.partition("{")[0]
            if source.matchers and any(
                matches(labels, source.matchers) for labels in file.samples.get(name, ())
            ):
                yield one


def _bounds(
    engines: Mapping[str, list[Exposed]], fleet: Fleet, catalogue: Catalogue
) -> Iterator[tuple[tuple[str, str], tuple[Decimal, ...]]]:
    for pool, files in engines.items():
        binding = catalogue.engines[_kind(fleet, pool)]
        for signal in binding.bounds:
            names = [f"{source.metric}_bucket" for source in binding.signals.get(signal, ())]
            les = [
                labels.get("le", "")
                for file in files
                for name in names
                for labels in file.samples.get(name, ())
            ]
            if les:
                yield (pool, signal), tuple(sorted(set(finite(les))))


def _budgets(files: Iterable[Exposed], binding: Binding) -> Iterator[str]:
    for file in files:
        for labels in file.samples.get(binding.identify, ()):
            if value := labels.get(binding.memory_budget_label):
                yield value


def _with_cards(
    observation: Observation, files: Sequence[Exposed], binding: Binding, catalogue: Catalogue
) -> Observation:
    series, seen = defaultdict[CardId, list[Mapping[str, str]]](list), defaultdict[str, set[CardId]](set)
    for file in files:
        for name, sets in file.samples.items():
            seen[name] |= {card_id(labels, binding) for labels in sets}
        for _, one, source in selectors(binding, catalogue.signals):
            if source.matchers:
                sets = file.samples.get(source.metric, ())
                seen[one] |= {card_id(labels, binding) for labels in sets if matches(labels, source.matchers)}
        for labels in (labels for sets in file.samples.values() for labels in sets):
            series[card_id(labels, binding)].append(labels)
    cards = tuple(Card(one, _distinct(series[one])) for one in sorted(series) if one[0])
    return replace(
        observation,
        cards=cards,
        cards_with={name: frozenset(found) for name, found in seen.items() if found},
        exporter_names=frozenset(name for name, found in seen.items() if found),
        exporter_labels=frozenset(name for card in cards for labels in card.labels for name in labels),
    )


def _distinct(sets: Iterable[Mapping[str, str]]) -> tuple[Mapping[str, str], ...]:
    return tuple({tuple(sorted(labels.items())): labels for labels in sets}.values())


def _unknown(file: Exposed, catalogue: Catalogue, undeclared: bool) -> Finding:
    some = ", ".join(sorted(file.samples)[:5]) or "no sample at all"
    fix = "give the /metrics of an engine, a GPU exporter or the usage exporter"
    if undeclared and any(_is(file, binding) for binding in catalogue.gpus.values()):
        return Finding(file.path, "this is a GPU exporter, and the fleet file declares none",
                       "GPU alerts are not compiled", "declare `gpu_exporter` in the fleet file")  # fmt: skip
    return Finding(file.path, f"nothing in this file is known: it holds {some}",
                   "no alert reads any of it", fix)  # fmt: skip


def _types(file: Exposed, catalogue: Catalogue) -> Iterator[Finding]:
    """A histogram that is exposed as something else: its quantiles would be nothing, without an error."""
    for binding in (*catalogue.engines.values(), *catalogue.usage.values()):
        for name, sources in binding.signals.items():
            for source in sources:
                given = file.types.get(f"{source.metric}_count") or file.types.get(source.metric)
                if catalogue.signals[name].type == "histogram" and given not in (None, "histogram"):
                    what = f"{source.metric} is a {given} here, not a histogram"
                    yield Finding(file.path, what, f"no quantile of `{name}` can be computed from it",
                                  "expose it as a histogram with buckets")  # fmt: skip
