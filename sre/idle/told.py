"""Report, advice and reservations together: what every output is made from."""

from collections.abc import Iterator
from dataclasses import dataclass

from sre.compile.counted import count, few
from sre.findings import Finding
from sre.fleet import Fleet
from sre.idle.advice import Advice
from sre.idle.adviser import advise
from sre.idle.break_even import BreakEven
from sre.idle.case import Case
from sre.idle.ledger import Ledger
from sre.idle.loads import Context
from sre.idle.making import make_report
from sre.idle.prices import Prices
from sre.idle.report import Report
from sre.idle.windows import Window


@dataclass(frozen=True)
class Told:
    """``findings`` say what is missing in the report, or odd about it."""

    report: Report
    advice: tuple[Advice, ...]
    findings: tuple[Finding, ...]
    break_evens: tuple[BreakEven, ...] = ()
    """From which utilisation self-hosting pays: as somebody has said it, or against each API of a price file."""


def tell_of(
    fleet: Fleet,
    ledger: Ledger,
    windows: tuple[Window, ...],
    context: Context,
    prices: Prices | None,
    findings: tuple[Finding, ...] = (),
    break_evens: tuple[BreakEven, ...] = (),
) -> Told:
    """Pure: the same data give the same report."""
    report = make_report(fleet, ledger, windows, context, prices)
    advice = advise(Case(report, ledger, context, prices))
    return Told(report, advice, (*findings, *_odd(report, prices)), break_evens)


def _odd(report: Report, prices: Prices | None) -> Iterator[Finding]:
    if report.beyond:
        cards = sorted({card.uuid for card in report.beyond})
        yield Finding(
            "cards", f"{count(len(cards), 'card')} that nobody declares: {few(cards, 3, 'card')}",
            "they are in no total, which are declared cards times hours",
            "write `capacity: {TYPE: CARDS}` with all cards that exist, or correct `replicas` and `per_replica`",
            "warning",
        )  # fmt: skip
    undeclared = [pool.name for pool in report.fleet.pools if not pool.gpus]
    if undeclared:
        yield Finding(
            "pools", f"{count(len(undeclared), 'pool')} without `gpus`: {few(undeclared, 3, 'pool')}",
            "how many cards they have is not known, so their time is in no total",
            "write `gpus: {type: ..., per_replica: ..., replicas: ...}`", "warning",
        )  # fmt: skip
    if prices and report.cost is not None and report.bill is None:
        yield Finding(
            "--costs", "busy cards of some pool or type have no price in this period",
            "what all cards cost is not known: no share of it is told, and not what an hour of work cost",
            "add a price for them under `gpus`, from the day on that they were there", "warning",
        )  # fmt: skip
    if prices and report.cost is None:
        yield Finding(
            "--costs", "idle cards of some pool or type have no price in this period",
            "a cost of some of them would look like the cost of all: none is told",
            "add a price for them under `gpus`, from the day on that they were there", "warning",
        )  # fmt: skip
