"""What is wrong with an expression of the catalogue, before any fleet is known."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from sre import promql
from sre.catalogue import references
from sre.catalogue.model import Catalogue
from sre.source import suggest

Objection = tuple[str, str, str]
"""(what, why, fix)"""

RECORD_MACROS: Mapping[str, str] = {
    "replica": "pool, pod",
    "place": "pod",
    "joined": "pool",
    "owner": "pool, pod",
    "rank": "instance",
    "platform": "platform",
    "declared_claims": "",
    "burn_in": 'namespace="burn-in"',
}
"""What a record may ask for as `$name`, with a sample of what the compiler puts there."""

_MACRO = re.compile(r"\$([a-z_]+)")
_AT = re.compile(rf"({promql.STRING})|@(?=[a-z])")
_NOTHING = "the rule would not load, or never be true"


def objections(
    branches: Sequence[str],
    join: str,
    macros: Mapping[str, str],
    recorded: Collection[str],
    signals: Collection[str] = (),
) -> Iterator[tuple[int, Objection]]:
    """(branch, objection) for each expression, and for all of them joined, with ``macros`` put in.

    ``signals`` are raw names that may be read as `@name`; without any, only ``recorded`` series may.
    """
    if not branches:
        yield 0, ("has no expression", _NOTHING, "write what is recorded as `expr`")
    sound = list[str]()
    for index, branch in enumerate(branches):
        for name in sorted(set(_MACRO.findall(branch)) - macros.keys()):
            yield (
                index,
                (f"asks for `${name}`, which stands for nothing here", _NOTHING, suggest(name, macros)),
            )
        expr = _sample(branch, macros)
        if said := _no_vector(expr):
            yield index, said
            continue
        sound.append(expr)
        for said in _reads(expr, branch, recorded, signals):
            yield index, said
    if len(sound) == len(branches) > 1 and (error := promql.check(f" {join} ".join(f"({e})" for e in sound))):
        yield (
            0,
            (
                f"does not parse, joined with `{join}`: {error}",
                _NOTHING,
                "correct `join`, like `or on (pool)`",
            ),
        )


def _sample(branch: str, macros: Mapping[str, str]) -> str:
    filled = _MACRO.sub(lambda m: macros.get(m[1], "x"), branch)
    return _AT.sub(lambda m: m[1] or "", filled)


def _no_vector(expr: str) -> Objection | None:
    if error := promql.check(expr):
        return f"does not parse: {error}", _NOTHING, "correct the PromQL"
    if promql.check(f"absent(\n{expr}\n)"):
        return "gives no series", "a rule needs one value for each of its series", "write an instant vector"
    return None


def _reads(
    expr: str, branch: str, recorded: Collection[str], signals: Collection[str]
) -> Iterator[Objection]:
    raw = references.signals(branch)
    for name in sorted(promql.series_read(expr) - raw - frozenset(recorded)):
        if references.series(name) == {name}:
            yield f"reads the series `{name}`, which nothing records", _NOTHING, suggest(name, recorded)
        else:
            what = f"reads the raw metric `{name}`"
            fix = "bind it as a signal in exporters/, record that as level:metric:operation, and read the record"
            yield what, "names of engines and exporters change, and end where signals are recorded", fix
    for name in sorted(raw):
        if signals and references.signal_of(name, signals) not in signals:
            yield f"reads the signal `@{name}`, which is not declared", _NOTHING, suggest(name, signals)
        elif not signals:
            yield "reads raw signals", "engine names end at level 0", "record a series and read that"


def alert_macros(catalogue: Catalogue, threshold: str | None) -> dict[str, str]:
    """What a condition may ask for: the catalogue's constants, and the threshold where the rule has one."""
    words = {name: "|".join(words) for name, words in catalogue.constants.items()}
    limit = catalogue.thresholds.get(threshold or "")
    if limit:
        words["threshold"] = (
            f"on () group_left () {'fleet' if limit.fleet else 'pool'}:{limit.name}:threshold"
        )
    return words
