"""A live server's answers as an observation: a dozen questions, however large the fleet."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from sre.answers import Labels
from sre.catalogue.bindings import Binding
from sre.catalogue.model import Catalogue
from sre.checks.observation import Card, CardId, Observation, Targets, selectors
from sre.compile.identity import HOST_OF_INSTANCE, Identity
from sre.findings import Finding
from sre.fleet import Fleet
from sre.prometheus import Server
from sre.promql import one_of, quote
from sre.source import show


@dataclass(frozen=True)
class Asking:
    """One fleet's questions to one server."""

    server: Server
    fleet: Fleet
    catalogue: Catalogue

    def wrong_server(self) -> Finding | None:
        """The first question: None where a declared pool, or anything that the catalogue knows, is there."""
        jobs = self._count(f"count by ({self.fleet.pool_label}) (up)", self.fleet.pool_label)
        known = [*self.catalogue.engines.values(), *self.catalogue.gpus.values()]
        if {pool.name for pool in self.fleet.pools} & jobs.keys() or self.server.query(_any_of(known)):
            return None
        label = self.fleet.pool_label
        listed = ", ".join(f"{show(job)} ({count})" for job, count in sorted(jobs.items(), key=_largest)[:10])
        there = (
            f"targets there, by `{label}`: {listed}"
            if jobs
            else "nothing is scraped there: it has no series `up`"
        )
        return Finding(
            self.server.url,
            "is this the right server? None of the pools is there, and no engine or GPU exporter that is known",
            f"{there}{', ...' if len(jobs) > 10 else ''}",
            "give the address of the server that scrapes this fleet, with its tenant (--header), "
            "or correct `pool_label` and the pools' names",
        )

    def observe(self) -> Observation:
        """Everything that the checks need to know."""
        cards, labels = self._cards()
        names, cards_with = self._cards_with()
        targets = self._targets()
        return Observation(
            origin=self.server.url,
            engine={pool: frozenset(found) for pool, found in self._engine().items()},
            bounds=dict(self._bounds()),
            budgets=self._budgets(),
            cards=cards,
            cards_lately=not cards and self._had_cards(),
            cards_with=cards_with,
            exporter_labels=labels,
            exporter_names=names,
            usage=self._usage(),
            targets=targets,
            engine_jobs=self._engine_jobs(),
            pool_values=frozenset(
                self._count(f"group by ({self.fleet.pool_label}) (up)", self.fleet.pool_label)
            ),
            rules=self.server.rules(),
        )

    def _count(self, expr: str, label: str) -> dict[str, int]:
        return {s.labels.get(label, ""): int(s.value) for s in self.server.query(expr)}

    def _bindings(self) -> Iterator[tuple[Binding, str]]:
        """Every engine that a pool declares, with the matcher of its pools."""
        for kind in sorted({pool.engine.kind for pool in self.fleet.pools}):
            pools = [pool.name for pool in self.fleet.pools if pool.engine.kind == kind]
            yield self.catalogue.engines[kind], one_of(self.fleet.pool_label, pools)

    def _engine(self) -> dict[str, set[str]]:
        found, label = defaultdict[str, set[str]](set), self.fleet.pool_label
        for binding, matcher in self._bindings():
            for sample in self._named(_names(binding, self.catalogue), f"__name__, {label}", matcher):
                found[sample[label]].add(sample["__name__"])
            for matched in _matched(binding, self.catalogue):
                for one in self.server.query(f"group by ({label}) ({_and(matched, matcher)})"):
                    found[one.labels.get(label, "")].add(matched)
        return found

    def _named(self, names: Iterable[str], by: str, matcher: str) -> Iterator[Labels]:
        """One question for all names; a histogram by its last bucket alone, which every one has."""
        buckets = sorted(name for name in names if name.endswith("_bucket"))
        plain = sorted(set(names) - set(buckets))
        for chosen, more in ((plain, ""), (buckets, 'le="+Inf"')):
            if chosen:
                matchers = ",".join(filter(None, [one_of("__name__", chosen), matcher, more]))
                yield from (s.labels for s in self.server.query(f"group by ({by}) ({{{matchers}}})"))

    def _bounds(self) -> Iterator[tuple[tuple[str, str], tuple[Decimal, ...]]]:
        label = self.fleet.pool_label
        for binding, matcher in self._bindings():
            for signal in binding.bounds:
                bounds = defaultdict[str, set[Decimal]](set)
                for source in binding.signals.get(signal, ()):
                    expr = f"group by ({label}, le) ({source.metric}_bucket{{{matcher}}})"
                    for s in self.server.query(expr):
                        bounds[s.labels.get(label, "")] |= set(finite([s.labels.get("le", "")]))
                yield from (((pool, signal), tuple(sorted(found))) for pool, found in bounds.items())

    def _budgets(self) -> dict[str, frozenset[str]]:
        found, label = defaultdict[str, set[str]](set), self.fleet.pool_label
        for binding, matcher in self._bindings():
            if held := binding.memory_budget_label:
                expr = f'group by ({label}, {held}) ({binding.identify}{{{matcher},{held}!=""}})'
                for s in self.server.query(expr):
                    found[s.labels.get(label, "")].add(s.labels[held])
        return {pool: frozenset(values) for pool, values in found.items()}

    def _targets(self) -> dict[str, Targets]:
        label, identity = self.fleet.pool_label, Identity.of(self.fleet)
        errors = defaultdict[str, set[str]](set)
        for target in self.server.targets() or ():
            if target.error:
                errors[target.labels.get(label, "")].add(target.error)
        found = defaultdict[str, list[tuple[Labels, float]]](list)
        for s in self.server.query(f"up{{{one_of(label, [p.name for p in self.fleet.pools])}}}"):
            found[s.labels.get(label, "")].append((s.labels, s.value))
        return {
            pool: _counted(series, identity, tuple(sorted(errors[pool]))[:3])
            for pool, series in found.items()
        }

    def _engine_jobs(self) -> dict[str, str]:
        label = self.fleet.pool_label
        return {
            s.labels.get(label, ""): kind
            for kind, binding in self.catalogue.engines.items()
            for s in self.server.query(f"group by ({label}) ({binding.identify})")
        }

    def _exporter(self) -> Binding | None:
        exporter = self.fleet.gpu_exporter
        return self.catalogue.gpus[exporter.kind] if exporter else None

    def _cards(self) -> tuple[tuple[Card, ...], frozenset[str]]:
        binding = self._exporter()
        if binding is None:
            return (), frozenset()
        names = [source.metric for source in binding.signals["gpu_present"]]
        found = defaultdict[CardId, list[Labels]](list)
        for s in self.server.query(f"{{{one_of('__name__', names)}}}"):
            found[card_id(s.labels, binding)].append(s.labels)
        cards = tuple(Card(one, tuple(found[one])) for one in sorted(found))
        return cards, frozenset(name for card in cards for labels in card.labels for name in labels)

    def _had_cards(self) -> bool:
        binding = self._exporter()
        names = [source.metric for source in binding.signals["gpu_present"]] if binding else []
        return any(self.server.query(f"group (last_over_time({name}[1h]))") for name in names)

    def _cards_with(self) -> tuple[frozenset[str], dict[str, frozenset[CardId]]]:
        binding = self._exporter()
        if binding is None:
            return frozenset(), {}
        found = defaultdict[str, set[CardId]](set)
        by = ", ".join((*binding.labels.get("uuid", ()), *binding.labels.get("mig", ())))
        for labels in self._named(_names(binding, self.catalogue), f"__name__, {by}", ""):
            found[labels["__name__"]].add(card_id(labels, binding))
        for matched in _matched(binding, self.catalogue):
            found[matched] |= {
                card_id(s.labels, binding) for s in self.server.query(f"group by ({by}) ({matched})")
            }
        with_data = {name: frozenset(cards) for name, cards in found.items() if cards}
        return frozenset(with_data), with_data

    def _usage(self) -> frozenset[str]:
        exporter = self.fleet.usage_exporter
        if exporter is None:
            return frozenset()
        names = {name for b in self.catalogue.usage.values() for name in _names(b, self.catalogue)}
        return frozenset(s["__name__"] for s in self._named(names, "__name__", f"job={quote(exporter.job)}"))


def card_id(labels: Mapping[str, str], binding: Binding) -> CardId:
    """Identity in any spelling that the exporter's eras have."""
    uuid, mig = (
        next(filter(None, map(labels.get, binding.labels.get(one, ()))), "") for one in ("uuid", "mig")
    )
    return uuid, mig


def finite(bounds: Iterable[str]) -> Iterator[Decimal]:
    """Bucket bounds as numbers, without the last one, however they are spelled (``1``, ``1.0``)."""
    for bound in bounds:
        try:
            number = Decimal(bound)
        except InvalidOperation:
            continue
        if number.is_finite():
            yield number.normalize()


def _names(binding: Binding, catalogue: Catalogue) -> set[str]:
    plain = {one for _, one, source in selectors(binding, catalogue.signals) if not source.matchers}
    return plain | {mark.metric for mark in binding.marks if mark.metric} | {binding.identify}


def _matched(binding: Binding, catalogue: Catalogue) -> set[str]:
    return {one for _, one, source in selectors(binding, catalogue.signals) if source.matchers}


def _and(selector: str, matcher: str) -> str:
    return f"{selector[:-1]},{matcher}}}"


def _any_of(bindings: Iterable[Binding]) -> str:
    return f"group ({{{one_of('__name__', [binding.identify for binding in bindings])}}})"


def _counted(series: list[tuple[Labels, float]], identity: Identity, errors: tuple[str, ...]) -> Targets:
    places = [place(labels, identity) for labels, value in series]
    up = sum(value == 1 for _, value in series)
    return Targets(up, len(series) - up, sum(not all(one) for one in places), frozenset(places), errors)


def place(labels: Labels, identity: Identity) -> tuple[str, ...]:
    """What an engine's series share with its card's: namespace and pod, or the host."""
    if identity.kind == "kubernetes":
        return labels.get("namespace", ""), labels.get("pod", "")
    return (host(labels.get("instance", "")),)


def host(instance: str) -> str:
    """An instance without its port, by the very pattern that the rules use."""
    found = re.fullmatch(HOST_OF_INSTANCE, instance)
    return found[1] if found else ""


def _largest(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]
