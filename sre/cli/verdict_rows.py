"""The verdicts as the JSON file of `sre prove` has them: an object for each alert, with its rules inside."""

from collections.abc import Iterator
from typing import Any

from sre.lab.verdicts import Proof, Verdict


def rows(proof: Proof) -> Iterator[dict[str, Any]]:
    """One object per alert, in the order of the table.

    What stands outside `rules` holds for the alert as a whole: it fired where every rule did, in the time of the
    slowest (seconds; null where one never fired or never resolved), on the `fault` of a rule with a gap, else of
    the slowest.
    """
    by_alert = dict[str, list[Verdict]]()
    for verdict in proof.verdicts:
        by_alert.setdefault(verdict.alert, []).append(verdict)
    for alert, verdicts in by_alert.items():
        silences = [silence.story for silence in proof.silences if alert in silence.wrong_alerts]
        worst = max(verdicts, key=lambda v: (not v.ok, v.seconds_to_fire or 0))
        yield {
            "alert": alert,
            "fault": worst.fault,
            "fired": all(verdict.seconds_to_fire is not None for verdict in verdicts),
            "seconds_to_fire": _slowest([verdict.seconds_to_fire for verdict in verdicts]),
            "seconds_to_resolve": _slowest([verdict.seconds_to_resolve for verdict in verdicts]),
            "wrong_alerts": sorted({name for verdict in verdicts for name in verdict.wrong_alerts}),
            "fired_in_silence": silences,
            "ok": not silences and all(verdict.ok for verdict in verdicts),
            "rules": [_rule(verdict) for verdict in verdicts],
        }


def _slowest(seconds: list[int | None]) -> int | None:
    known = [one for one in seconds if one is not None]
    return max(known) if len(known) == len(seconds) else None


def _rule(verdict: Verdict) -> dict[str, Any]:
    return {
        "labels": verdict.labels,
        "fault": verdict.fault,
        "within": verdict.within,
        "seconds_to_fire": verdict.seconds_to_fire,
        "seconds_to_resolve": verdict.seconds_to_resolve,
        "healed": verdict.healed,
        "notifications": verdict.notifications,
        "wrong_alerts": list(verdict.wrong_alerts),
        "ok": verdict.ok,
    }
