"""Where engines answer on a live server: their targets, the models behind them, the label that tells pools apart."""

from collections import defaultdict
from dataclasses import dataclass

from sre.answers import Labels
from sre.catalogue.bindings import Binding
from sre.catalogue.model import Catalogue
from sre.prometheus import Server

# Target labels that tell replicas, nodes or servers apart, never pools.
_NEVER = frozenset(
    {
        "__name__",
        "instance",
        "pod",
        "node",
        "namespace",
        "endpoint",
        "container",
        "prometheus",
        "cluster",
        "region",
    }
)
# What teams call the workload; `job` is what every target has.
_LIKELY = ("job", "pool", "service", "deployment", "app", "model")


@dataclass(frozen=True)
class Engines:
    """Every target that exposes an engine: its labels, its kind, the models that it serves."""

    targets: tuple[tuple[Labels, str, frozenset[str]], ...]

    def by(self, label: str) -> dict[str, tuple[set[str], set[str]]]:
        """Value of a label -> (kinds, models) behind it."""
        found = defaultdict[str, tuple[set[str], set[str]]](lambda: (set(), set()))
        for labels, kind, models in self.targets:
            found[labels.get(label, "")][0].add(kind)
            found[labels.get(label, "")][1].update(models)
        return dict(found)

    def tells(self, label: str) -> bool:
        """Whether each value of the label stands for one engine and one model."""
        found = self.by(label)
        return "" not in found and all(
            len(kinds) == 1 and len(models) <= 1 for kinds, models in found.values()
        )

    def label(self) -> str:
        """The label whose values are pools; `job` where none tells them apart."""
        known = {name for labels, _, _ in self.targets for name in labels} - _NEVER
        candidates = [name for name in _LIKELY if name in known] + sorted(known - set(_LIKELY))
        return next(filter(self.tells, candidates), "job")


def find_engines(server: Server, catalogue: Catalogue) -> Engines:
    """Every target that exposes what identifies an engine. Raises ``Unreachable``."""
    found = list[tuple[Labels, str, frozenset[str]]]()
    for kind, binding in catalogue.engines.items():
        key = ("job", "instance")
        here = {
            tuple(s.labels.get(k, "") for k in key)
            for s in server.query(f"group by (job, instance) ({binding.identify})")
        }
        models = _models(server, binding)
        for s in server.query("up") if here else ():
            target = tuple(s.labels.get(k, "") for k in key)
            if target in here:
                labels = {name: value for name, value in s.labels.items() if name != "__name__"}
                found.append((labels, kind, frozenset(models.get(target, ()))))
    return Engines(tuple(found))


def _models(server: Server, binding: Binding) -> dict[tuple[str, ...], set[str]]:
    """(job, instance) -> names of the models served there, by the label that the engine's ranks carry."""
    label = next((one for one in binding.rank if one.startswith("model")), None)
    found = defaultdict[tuple[str, ...], set[str]](set)
    for source in binding.signals.get("running", ()) if label else ():
        for s in server.query(f"group by (job, instance, {label}) ({source.metric})"):
            if name := s.labels.get(label or "", ""):
                found[s.labels.get("job", ""), s.labels.get("instance", "")].add(name)
    return found
