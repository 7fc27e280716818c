"""Whether the alerts can see right now: one recorded series per signal that an emitted alert reads and nobody sends."""

from collections.abc import Iterator

from sre.catalogue import references
from sre.catalogue.bindings import Binding
from sre.catalogue.model import Catalogue, Signal
from sre.compile.coverage import Coverage, State
from sre.compile.expansion import CARD, Exposure
from sre.compile.plan import PlannedAlert, RecordRule
from sre.fleet import Fleet, Pool
from sre.fleet.values import release
from sre.promql import one_of

# Twice the alert's own patience with gaps: a signal is missing when it was not scraped once in this time.
_WINDOW = "4m"


def missing_rules(
    fleet: Fleet,
    catalogue: Catalogue,
    coverage: Coverage,
    alerts: tuple[PlannedAlert, ...],
    engines: list[Exposure],
    cards: Exposure | None,
    place: tuple[str, ...],
) -> Iterator[RecordRule]:
    """`pool_signal:missing:state{pool, signal}` is 1 where a pool serves and the signal has no data.

    ``cards`` have the labels of their ``place`` on; where the fleet file gives cards to a pool, places say nothing.
    """
    declared = any(pool.gpus and pool.gpus.match for pool in fleet.pools)
    for name in sorted(_read(catalogue, alerts)):
        signal = catalogue.signals[name]
        if name == "up" or signal.lazy:
            continue
        sample = f"{name}_count" if signal.type == "histogram" else name
        for exposure in engines:
            pools = [p.name for p in fleet.pools if _expected(signal, p, exposure.binding, coverage)]
            if pools:
                yield _rule(
                    name,
                    _engine_expr(
                        exposure.expand(f"group by (pool) (last_over_time(@{sample}[{_WINDOW}]))"), pools
                    ),
                )
        if (
            cards
            and name in cards.binding.signals
            and coverage.signal(name, fleet.pools[0]).state is State.LIVE
        ):
            by = CARD if declared or name == "gpu_present" else place
            shown = cards.expand(f"group by ({', '.join(by)}) (last_over_time(@{sample}[{_WINDOW}]))")
            yield _rule(name, _card_expr(shown, by))


def _expected(signal: Signal, pool: Pool, binding: Binding, coverage: Coverage) -> bool:
    """Whether an engine that runs must show the signal, also before it had anything to do."""
    if pool.engine.kind != binding.kind or signal.name not in binding.signals:
        return False
    born = signal.type == "gauge" or pool.engine.release >= (release(binding.born_at_start) or (0, 0, 0))
    return born and coverage.signal(signal.name, pool).state is State.LIVE


def _rule(signal: str, expr: str) -> RecordRule:
    return RecordRule("pool_signal:missing:state", expr, {"signal": signal})


def _engine_expr(raw: str, pools: list[str]) -> str:
    serving = f"group by (pool) (replica:up:state{{{one_of('pool', pools)}}} == 1)"
    return f"{serving} unless on (pool) {raw}"


def _card_expr(raw: str, by: tuple[str, ...]) -> str:
    # A pool that serves on declared cards, of which not one sends the signal: the exporter is silent, joins no
    # pod, or lacks it. One signal is asked for card by card; that another comes from the pods or hosts of the pool is
    # told from a few series, where ten thousand cards would be joined once for each signal.
    pools = 'gpu:card:info{pool!=""}' if by is CARD else "replica:place:info"
    return (
        f'(group by (pool) (replica:up:state == 1) and on (pool) pool:fleet:info{{gpu_type!=""}}) unless on (pool) '
        f"group by (pool) ({pools} and on ({', '.join(by)}) {raw})"
    )


def _read(catalogue: Catalogue, alerts: tuple[PlannedAlert, ...]) -> set[str]:
    """Raw signals behind every emitted alert, through all recorded series."""
    baselines = {to: name for name, to in catalogue.baselines.items()}
    todo = [
        s
        for planned in alerts
        for index in planned.sources
        for branch in planned.alert.rules[index].branches
        for s in references.series(branch)
    ]
    seen, found = set[str](), set[str]()
    while todo:
        name = todo.pop()
        record = catalogue.records.get(baselines.get(name, name))
        if record and record.name not in seen:
            seen.add(record.name)
            found |= {
                references.signal_of(s, catalogue.signals)
                for b in record.branches
                for s in references.signals(b)
            }
            todo += [s for b in record.branches for s in references.series(b)]
    return found
