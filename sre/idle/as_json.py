"""The report for machines: one object, whose keys are a contract."""

from dataclasses import asdict
from datetime import datetime
from fractions import Fraction
from typing import Any

from sre.finance.money import Money
from sre.idle.advice import Advice
from sre.idle.break_even import BreakEven
from sre.idle.report import DIGITS, Account, CardLine, Report
from sre.idle.states import STATES, hours, named
from sre.idle.told import Told
from sre.idle.windows import Window


def as_json(told: Told) -> dict[str, Any]:
    """Hours are numbers of three decimals, money is text; what is not known is null.

    A card's ``course`` has a digit for each of ``hours``: the place in ``states`` of the one in which most of that hour
    was, or 7 where the card was not there.
    """
    report = told.report
    return {
        "fleet": report.fleet.name,
        "period": {"start": report.start.isoformat(), "end": report.end.isoformat()},
        "gpu_hours": named(report.total.hours),
        "business_gpu_hours": named(hours(report.total.business)),
        "idle_share": _share(report.idle),
        "idle_share_before": _share(report.idle_before),
        "utilisation": _share(report.total.used),
        "break_even": next((_share(one.share) for one in told.break_evens), None),
        "break_evens": [_break_even(one) for one in told.break_evens],
        "cost_of_idle": _money(report.cost),
        "cost_of_all": _money(report.bill),
        "excluded_minutes": dict(report.reasons),
        "evidence_minutes": dict(report.evidence),
        "pools": [_account(one, "pool") for one in report.pools],
        "owners": [_account(one, "owner") for one in report.owners],
        "types": [_account(one, "type") for one in report.types],
        "states": list(STATES),
        "hours": [_moment(report, window) for window in report.windows],
        "gpus": [_card(one) for one in report.cards],
        "unseen": [_card(one) for one in report.unseen],
        "beyond": [_card(one) for one in report.beyond],
        "findings": [_advice(one) for one in told.advice],
        "notes": [asdict(one) for one in told.findings],
    }


def _share(share: Fraction | None) -> float | None:
    return None if share is None else round(float(share), 6)


def _break_even(one: BreakEven) -> dict[str, Any]:
    return {"utilisation": _share(one.share), "api": one.api or None, "month": one.month or None}


def _moment(report: Report, window: Window) -> str:
    return datetime.fromtimestamp(window.start, report.fleet.zone).isoformat()


def _money(money: Money | None) -> dict[str, str] | None:
    return None if money is None else {"amount": str(money), "currency": str(money.currency)}


def _account(one: Account, key: str) -> dict[str, Any]:
    return {
        key: one.name,
        "gpu_hours": named(one.hours),
        "business_gpu_hours": named(hours(one.business)),
        "idle_share": _share(one.idle),
        "cost_of_idle": _money(one.cost),
    }


def _card(one: CardLine) -> dict[str, Any]:
    return {
        "uuid": one.uuid,
        "mig": one.mig,
        "pool": one.pool,
        "owner": one.owner,
        "type": one.kind,
        "host": one.host,
        "gpu": one.gpu,
        "gpu_hours": named(one.hours),
        "business_gpu_hours": named(hours(one.business)),
        "signal": one.signal,
        "course": one.course.translate(DIGITS).decode("ascii"),
    }


def _advice(one: Advice) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "pool": one.pool,
        "what": one.what,
        "why": one.why,
        "fix": one.fix,
        "gpu_hours": float(one.gpu_hours),
        "saving": _money(one.saving),
        "commands": list(one.commands),
    }
