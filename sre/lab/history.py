"""The past of a scaled fleet, so that baselines exist at once: what was scraped, and what the rules made of it.

A healthy history is steady: what its rules record is one number for each series. That number is promtool's, which
evaluates the compiled rules themselves in virtual time.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import cached_property
from math import isfinite
from pathlib import Path

from sre.compile.plan import Group, Plan, RecordRule
from sre.compile.prometheus import dump, group_data
from sre.compile.proof_page import Page
from sre.compile.questions import Questions
from sre.findings import Finding, Unreachable
from sre.lab.promtool import answers
from sre.lab.scenes import Scene
from sre.promql import series_read
from sre.simulate.samples import Samples
from sre.simulate.site import series
from sre.simulate.story import Place, Stretch, Timeline
from sre.units import format_duration

PAST = 100 * 60
"""Seconds that baselines read: theirs is an hour that ended half an hour ago."""
_STEADY = 4500
"""Seconds after which every window but the baselines' own is full."""
_SELDOM = 4
"""Scrapes between two evaluations of what does not change."""

Recorded = tuple[tuple[tuple[str, str], ...], float]
"""Labels, the name among them, and the number."""


class History:
    """The healthy past of scenes whose faults ask for one, for a Prometheus that keeps its data in ``where``/data.

    ``promtool`` is the program's file.
    """

    def __init__(self, plan: Plan, promtool: str, where: Path) -> None:
        self._plan, self._promtool, self._where, self._data = plan, promtool, where / "past", where / "data"
        self._known: dict[tuple[object, ...], tuple[Scene, tuple[Recorded, ...]]] = {}

    def write(
        self, scenes: Iterable[Scene], begin: int, now: float, step: Decimal, scraped: bool = True
    ) -> None:
        """Blocks with everything up to the scrape ``begin``, which is at the Unix time ``now``.

        ``step`` are the real seconds between two scrapes. Without ``scraped`` only what the rules recorded.
        """
        self._where.mkdir()
        self._data.mkdir()
        origin, lines = Decimal(f"{now:.3f}") - begin * step, dict[str, list[str]]()
        for scene in scenes:
            if scene.timeline.dawn < begin:
                moments = [f"{origin + index * step:.3f}" for index in range(scene.timeline.dawn, begin)]
                self._collect(scene, moments, lines, scraped)
        if lines:
            text = "".join(
                f"# TYPE {name} unknown\n{''.join(found)}" for name, found in sorted(lines.items())
            )
            page = self._where / "history.om"
            page.write_text(text + "# EOF\n", encoding="utf-8")
            self._run("tsdb", "create-blocks-from", "openmetrics", str(page), str(self._data))
            page.unlink()

    def _collect(self, scene: Scene, moments: list[str], lines: dict[str, list[str]], scraped: bool) -> None:
        """``moments`` are Unix times of the scrapes from the scene's dawn on."""
        quiet = scene.timeline.start - scene.part.fault.quiet // scene.interval
        for name, samples in self._scraped(scene) if scraped else ():
            found = lines.setdefault(name.partition("{")[0], [])
            for index, moment in enumerate(moments, scene.timeline.dawn):
                value = samples.at(index)
                if value is not None:
                    found.append(f"{name} {value!r} {moment}\n")
        for labels, number in self._recorded(scene):
            own = dict(labels)
            name = own.pop("__name__")
            text = series(name, own)
            found = lines.setdefault(name, [])
            found += [f"{text} {number!r} {moment}\n" for moment in moments[: quiet - scene.timeline.dawn]]

    def _scraped(self, scene: Scene) -> Iterator[tuple[str, Samples]]:
        for block in scene.stand_in.blocks(scene.simulated, True):
            for name, samples in block:
                if name.partition("{")[0] in self._read and "instance=" in name:
                    yield name, samples

    def _recorded(self, scene: Scene) -> tuple[Recorded, ...]:
        """What the rules record of this pool's health; pools of one kind differ in their names only."""
        stretch = next(s for s in scene.timeline.places[Place(0)] if not s.inputs.get("asleep"))
        key = (scene.part.origin, len(scene.timeline.places), tuple(stretch.inputs.values()))
        if key not in self._known:
            self._known[key] = (scene, tuple(self._evaluate(scene)))
        other, recorded = self._known[key]
        renamed = dict(zip(_words(other), _words(scene), strict=True))
        return tuple(
            (tuple((label, renamed.get(text, text)) for label, text in one), n) for one, n in recorded
        )

    def _evaluate(self, scene: Scene) -> Iterator[Recorded]:
        interval = scene.interval
        count = _STEADY // interval // _SELDOM * _SELDOM + 1
        awake: dict[Place, tuple[Stretch, ...]] = {
            place: (Stretch(count, next(s.inputs for s in stretches if not s.inputs.get("asleep"))),)
            for place, stretches in scene.timeline.places.items()
        }
        simulated = scene.stand_in.whole.simulate(Timeline(count, count, count, 0, None, awake))
        page = Page(interval)
        page.begin("health", "")
        for block in scene.stand_in.blocks(simulated, True):
            page.series(block)
        asked = Questions(interval)
        asked.exprs.append(
            {
                "expr": f'{{__name__=~"{"|".join(sorted(self._wanted))}"}}',
                "eval_time": format_duration((count - 1) * interval),
            }
        )
        page.questions(asked)
        (self._where / "health.rules.yaml").write_text(
            dump({"groups": list(self._rules(scene))}), encoding="utf-8"
        )
        seldom = format_duration(_SELDOM * interval)
        head = dump({"rule_files": ["health.rules.yaml"], "evaluation_interval": seldom})
        (self._where / "health.test.yaml").write_text(f"{head}tests:\n{page.text}", encoding="utf-8")
        # promtool says what an expression gives where that is not what was expected; nothing is expected here.
        said = self._run("test", "rules", "health.test.yaml", expected=1)
        for got in answers(said)[0]:
            if isfinite(got.value):
                yield tuple(got.labels.items()), got.value

    def _rules(self, scene: Scene) -> Iterator[dict[str, object]]:
        own = {"pool": scene.part.pool.name, "model": scene.part.pool.model}
        for group in self._plan.groups:
            rules = tuple(
                rule
                for rule in group.rules
                if isinstance(rule, RecordRule)
                and rule.record in self._read
                and all(rule.labels.get(label, value) == value for label, value in own.items())
            )
            if rules and group.name != "llm-baseline":
                interval = _SELDOM * scene.interval
                yield group_data(Group(group.name, group.file, interval, rules))

    @cached_property
    def _wanted(self) -> frozenset[str]:
        """Recorded series that have a baseline here."""
        return frozenset(
            name for name, to in self._plan.catalogue.baselines.items() if to in self._plan.series
        )

    @cached_property
    def _read(self) -> frozenset[str]:
        """These, and everything that they are made of, down to the raw metrics."""
        rules = [rule for group in self._plan.groups for rule in group.rules if isinstance(rule, RecordRule)]
        found = set[str]()
        new = set(self._wanted)
        while new:
            found |= new
            new = {name for rule in rules if rule.record in new for name in series_read(rule.expr)} - found
        return frozenset(found)

    def _run(self, *arguments: str, expected: int = 0) -> str:
        command, own = [self._promtool, *arguments], {**os.environ, "TMPDIR": str(self._where)}
        done = subprocess.run(command, cwd=self._where, env=own, check=False, capture_output=True, text=True)
        if done.returncode != expected:
            what = f"it could not make the fleet's past: {(done.stderr or done.stdout).strip()[-600:]}"
            raise Unreachable(
                [Finding("promtool", what, "alerts against a baseline would be blind", "report it")]
            )
        return done.stdout + done.stderr


def _words(scene: Scene) -> list[str]:
    """What is this scene's own in labels; in the same order for all pools of a kind."""
    site = scene.stand_in.site
    own = [scene.part.pool.name, scene.part.pool.model]
    for place in sorted(scene.timeline.places, key=lambda p: (p.replica, -1 if p.card is None else p.card)):
        own += [site.pod(place.replica), site.host(place.replica), site.uuid(place)]
        own += [labels["instance"] for labels in (site.replica(place.replica), site.exporter(place.replica))]
    return own
