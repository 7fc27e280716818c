"""What a Prometheus must hold before rules are measured: raw series, and recorded ones as their own rules say."""

import graphlib
import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cache

import exposed
from remote_write import Writer, encode, encode_labels
from windows import Window, instants

from sre.answers import Sample
from sre.compile.plan import Plan, RecordRule
from sre.prometheus import Server
from sre.promql import series_read

STEP = 30
"""Seconds between scrapes, and between evaluations as compiled."""

_NUMBER = re.compile(r"vector\(([0-9.]+)\)")


def write_raw(writer: Writer, replicas: int, read: dict[str, list[Window]], begin: int, ahead: int) -> None:
    """Every series of every target, to ``ahead`` seconds after ``begin``; those that no rule reads are only there."""

    @cache
    def told(one: exposed.Shown) -> bytes:
        windows = [*read[one.name], (0, -ahead)] if one.name in read else [(0, 0)]
        samples = encode((begin + s, one.curve.at(s)) for s in instants(windows, STEP))
        return encode_labels({"__name__": one.name, **dict(one.labels)}) + samples

    for labels, shown in exposed.targets(replicas):
        target = encode_labels(labels)
        for one in shown:
            writer.add(target + told(one))
    writer.flush()


def write_recorded(writer: Writer, plan: Plan, read: dict[str, list[Window]], at: int) -> None:
    """The history of every recorded series, with the value that its rule gives at one moment."""
    server = Server(writer.url, writer.session)
    records = [(r, g.interval) for g in plan.groups for r in g.rules if isinstance(r, RecordRule)]
    often = {rule.record: interval for rule, interval in records}
    for rule in ordered([rule for rule, _ in records]):
        seconds = instants([*read.get(rule.record, ()), (0, 0)], often[rule.record])
        known = dict[float, bytes]()
        for sample in answered(server, rule.expr, at):
            if sample.value not in known:
                known[sample.value] = encode((at + s, exposed.Curve(sample.value).at(s)) for s in seconds)
            labels = {**sample.labels, **rule.labels, "__name__": rule.record}
            writer.add(encode_labels(labels) + known[sample.value])
        writer.flush()


def answered(server: Server, expr: str, at: int) -> tuple[Sample, ...]:
    """What an expression gives; most rules are numbers out of the fleet file, which need no server."""
    number = _NUMBER.fullmatch(expr)
    return (Sample({}, at, float(number[1])),) if number else server.query(expr, at)


def ordered(rules: Sequence[RecordRule]) -> list[RecordRule]:
    """Each rule behind those whose series it reads."""
    by_name = defaultdict(list)
    for rule in rules:
        by_name[rule.record].append(rule)
    graph = {
        name: {read for rule in same for read in series_read(rule.expr) if read in by_name}
        for name, same in by_name.items()
    }
    return [rule for name in graphlib.TopologicalSorter(graph).static_order() for rule in by_name[name]]
