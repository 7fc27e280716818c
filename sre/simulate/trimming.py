"""Buckets that say nothing: in a proof they would be most of the text."""

from collections.abc import Mapping

from sre.simulate.replica import Key
from sre.simulate.samples import Samples


def trimmed(signals: Mapping[Key, Samples]) -> dict[Key, Samples]:
    """The signals without buckets that stay empty below another empty one, or hold everything above another that does.

    Quantiles and shares stay what they are: the bounds next to the first and to the last observation are kept.
    """
    kept, whole = dict[Key, Samples](), dict[str, Samples]()
    for name, labels in signals:
        if labels == (("le", "+Inf"),):
            whole[name] = signals[name, labels]
    last: Key | None = None
    full: set[str] = set()
    for key, samples in signals.items():
        name = key[0]
        if name not in whole or key[1] == (("le", "+Inf"),):
            kept[key] = samples
            continue
        if name in full:
            continue
        if samples == whole[name]:
            full.add(name)
        if _empty(samples) and last and last[0] == name:
            del kept[last]
        last = key if _empty(samples) else None
        kept[key] = samples
    return kept


def _empty(samples: Samples) -> bool:
    return all(not run.first and not run.step for run in samples.runs if run.first is not None)
