"""What the fleet file says of a pool beside what is there: releases, replicas, bounds, budget, labels."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from sre.catalogue.model import Catalogue
from sre.checks.observation import Observation, Targets
from sre.checks.sight import Seeing
from sre.compile.counted import count
from sre.compile.coverage import bounds_of
from sre.compile.thresholds import budget
from sre.findings import Finding, Severity
from sre.fleet import Fleet, Pool
from sre.source import show
from sre.units import format_number


@dataclass(frozen=True)
class Pools:
    """The checks of every pool; findings name a path into the fleet file."""

    fleet: Fleet
    catalogue: Catalogue
    observation: Observation
    seeing: Seeing

    def findings(self) -> Iterator[Finding]:
        for index, pool in enumerate(self.fleet.pools):
            for what, why, fix, severity in self._said(pool):
                yield Finding(f"pools/{index}", f"pool {show(pool.name)}: {what}", why, fix, severity)
        yield from self._undeclared()
        yield from self._silent_gateways()

    def _said(self, pool: Pool) -> Iterator[tuple[str, str, str, Severity]]:
        targets = (self.observation.targets or {}).get(pool.name)
        if targets:
            yield from self._labels(targets)
            yield from self._replicas(pool, targets)
        yield from self._release(pool)
        yield from self._bounds(pool)
        yield from self._budget(pool)

    def _labels(self, targets: Targets) -> Iterator[tuple[str, str, str, Severity]]:
        if not targets.bare:
            return
        place = self.seeing.places.identity.place
        names = " or ".join("instance" if one == "host" else one for one in place)
        other = "host" if self.fleet.identity == "kubernetes" else "kubernetes"
        bare = f"{targets.bare} of {count(targets.up + targets.down, 'target')}"
        yield (
            f"{bare} {'carries' if targets.bare == 1 else 'carry'} no label {names}",
            "without it replicas melt into one, so that fewer seem to serve than do, and no card joins",
            f"keep {names} when the scrape job relabels its targets, or write `identity: {other}`",
            "error",
        )

    def _replicas(self, pool: Pool, targets: Targets) -> Iterator[tuple[str, str, str, Severity]]:
        low, high = pool.replicas_min, pool.replicas_max
        if targets.up < low or targets.up > high:
            declared = str(low) if low == high else f"{low} to {high}"
            failed = f" ({targets.errors[0]})" if targets.errors else ""
            fix = (
                f"correct `gpus.replicas`, or see why{failed}"
                if targets.up < low
                else "correct `gpus.replicas`"
            )
            why = "LLMEngineDown compares with the number declared"
            answer = "answers" if targets.up == 1 else "answer"
            yield f"{count(targets.up, 'replica')} {answer}, {declared} declared", why, fix, "warning"

    def _release(self, pool: Pool) -> Iterator[tuple[str, str, str, Severity]]:
        era = self.seeing.era(pool)
        if era and era.mixed:
            why = "names of two eras are there at once, as in a rolling upgrade; both are read"
            yield f"{era} runs there", why, "nothing, unless it stays so", "info"
        elif era and not era.has(pool.engine.version):
            yield (
                f"{pool.engine.kind} {pool.engine.version} is declared, but its metrics are those of {era}",
                "the release decides which alerts are compiled and which bucket bounds are assumed",
                "write the release that runs as `engine.version`",
                "warning",
            )

    def _bounds(self, pool: Pool) -> Iterator[tuple[str, str, str, Severity]]:
        binding, told = self.catalogue.engines[pool.engine.kind], set[str]()
        # Only those that the engine lets its user move: buckets of token counts follow the model's length.
        for signal in sorted(binding.bounds.keys() & binding.bound_keys.keys()):
            seen = self.observation.bounds.get((pool.name, signal))
            declared = {Decimal(bound).normalize() for bound in bounds_of(binding, signal, pool)}
            key = binding.bound_keys[signal]
            if seen and declared and set(seen) != declared and key not in told:
                told.add(key)
                yield (
                    f"the buckets of `{signal}` have {_first(set(seen) ^ declared, seen)}",
                    "thresholds were checked against other bounds, so a quantile may be read off between two of them",
                    f"write `engine.histogram_buckets: {{{key}: [{', '.join(map(format_number, seen))}]}}`",
                    "warning",
                )

    def _budget(self, pool: Pool) -> Iterator[tuple[str, str, str, Severity]]:
        seen = self.observation.budgets.get(pool.name, frozenset())
        declared = budget(pool, self.catalogue.engines[pool.engine.kind])
        wrong = sorted(value for value in seen if _number(value) not in (None, declared))
        if wrong:
            yield (
                f"its engines reserve {' and '.join(wrong)} of a card's memory, {format_number(declared)} is declared",
                "GPUMemoryHigh compares with the declared budget",
                f"write `memory_budget: {wrong[-1]}`",
                "warning",
            )

    def _undeclared(self) -> Iterator[Finding]:
        declared = {pool.name for pool in self.fleet.pools}
        jobs = sorted(job for job in self.observation.engine_jobs if job and job not in declared)
        if jobs:
            listed = ", ".join(f"{show(job)} ({self.observation.engine_jobs[job]})" for job in jobs[:10])
            said = "known engine is" if len(jobs) == 1 else "known engines are"
            what = f"{len(jobs)} {said} no pool of this file: {listed}{', ...' if len(jobs) > 10 else ''}"
            why, fix = "no alert watches what is not declared", "declare it, or leave it to another file"
            yield Finding("pools", what, why, fix, "info")

    def _silent_gateways(self) -> Iterator[Finding]:
        """What no alert is blind for: LLMUsageUnaccounted takes records that never come for lost ones."""
        exporter = self.fleet.usage_exporter
        if exporter and self.observation.live and not self.observation.usage:
            yield Finding(
                "usage_exporter/job",
                f"no usage metric comes from job {show(exporter.job)}",
                "every token counts as unaccounted, and who asked for it is not known",
                "let Prometheus scrape `sre exporter` under that job",
            )


def _first(differing: set[Decimal], seen: tuple[Decimal, ...]) -> str:
    """The lowest bound in which they differ, in words."""
    lowest = min(differing)
    return (
        f"other bounds than declared: {format_number(lowest)} is {'there' if lowest in seen else 'not there'}"
    )


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
