"""The table of the alerts' quality as a page."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from sre.catalogue.faults import Fault
from sre.lab.quality.days import STEP
from sre.lab.quality.judge import WINDOW, Episode
from sre.lab.quality.results import Results
from sre.lab.quality.score import Hit, Kind, Row, at_most, per_week
from sre.units import format_duration


def page(results: Results, rows: Mapping[Kind, Row], faults: Mapping[str, Fault]) -> str:
    """Markdown; the same results give the same bytes."""
    healthy, hits = _healthy(results), [hit for row in rows.values() for hit in row.hits]
    parts = [_summary(results, rows, hits), _table(rows, healthy), _missed(results, hits, faults), _HOW]
    return "\n\n".join(filter(None, parts)) + "\n"


def _healthy(results: Results) -> int:
    return sum(not day.struck for day, _ in results)


def _summary(results: Results, rows: Mapping[Kind, Row], hits: list[Hit]) -> str:
    healthy, days = _healthy(results), len(results)
    weekend, faults = sum(day.weekend for day, _ in results), sum(len(day.struck) for day, _ in results)
    paged = sum(row.healthy for (_, severity), row in rows.items() if severity == "page")
    return f"""\
# How good the alerts are

Written by `make quality`; CI reruns some of the same days and fails where one of them looks worse.

**{days} pool-days** ({weekend} of them on a weekend): {healthy} without any fault, and {days - healthy} with {faults}
faults of `rules/faults.yaml`.

**False pages on the days without a fault: {paged}**, that is {per_week(paged, healthy):.2f} per pool and week, at most
{per_week_at_most(paged, healthy):.2f} with 95 % confidence.

**Of {len(hits)} alerts that the faults had to fire, {sum(hit.in_time for hit in hits)} fired in time** and
{sum(hit.seconds is not None for hit in hits)} at all."""


def per_week_at_most(count: int, days: int) -> float:
    """Events per pool and week that the mean does not exceed, with 95 % confidence."""
    return per_week(1, days) * at_most(count)


_HEAD = """\
| alert | severity | faults | recall in time | recall at all | median time to detect | episodes | precision | false |
|---|---|---:|---:|---:|---:|---:|---:|---:|
"""


def _table(rows: Mapping[Kind, Row], healthy: int) -> str:
    lines = (
        f"| {alert} | {severity} | {len(row.hits)} | {_share(row.recall)} | {_share(row.recall_at_all)} "
        f"| {_time(row.seconds)} | {row.true + row.false} | {_share(row.precision)} "
        f"| {per_week(row.healthy, healthy):.2f} (<= {per_week_at_most(row.healthy, healthy):.2f}) |"
        for (alert, severity), row in rows.items()
    )
    note = "`false`: episodes per pool and week on the days without a fault, with the 95 % bound."
    return _HEAD + "\n".join(lines) + f"\n\n{note}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else format_duration(round(seconds))


def _missed(results: Results, hits: list[Hit], faults: Mapping[str, Fault]) -> str:
    """Faults that were told late or never, by fault and alert, with who was paged all the same, and the reason."""
    fired = {day.number: episodes for day, episodes in results}
    late = defaultdict[tuple[str, ...], list[Hit]](list)
    every = Counter((hit.fault, *hit.kind) for hit in hits)
    for hit in hits:
        if not hit.in_time:
            late[hit.fault, *hit.kind].append(hit)
    lines = [
        f"- `{fault}`: {alert} ({severity}) missed its time in {len(own)} of {every[fault, alert, severity]}, "
        f"{sum(hit.seconds is None for hit in own)} of them silent; "
        f"another alert paged within that time in {sum(_paged(hit, fired[hit.day]) for hit in own)}. "
        f"{faults[fault].missed}".rstrip()
        for (fault, alert, severity), own in sorted(late.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    return "\n".join(["## What was missed", "", *lines]) if lines else ""


def _paged(hit: Hit, episodes: Iterable[Episode]) -> bool:
    """Whether another alert paged while this one should have fired."""
    return any(
        one.severity == "page" and one.alert != hit.kind[0] and hit.at <= one.begin <= hit.at + hit.within
        for one in episodes
    )


_HOW = f"""\
## How it is measured

- A pool-day is one pool like one of `examples/fleet.yaml`, half of its replicas with up to two cards each, over 24
  hours after an hour of warm-up. Requests come by chance (Poisson) under a demand of day, night, weekend and bursts;
  the level of the day scatters by 8 % against last week's. Pools are at their peak a hundredth to a twentieth as busy
  as the engines could be: few requests are where chance is greatest. Continuous batching, KV cache and cards follow
  from the requests (`sre/simulate`); sensors tremble by a degree or two and by a few per cent.
- Every sample of a scrape each {STEP} s goes through the compiled rules in promtool, evaluated as often. Records that
  only pictures and sentences read are left out. Baselines hold the same hours of a week before: means as demand says,
  lengths of replies drawn. No hour of the day is skipped.
- Every other pair of days has up to four faults of the catalogue, each fault about as often, drawn with their start,
  length and severity: from what the catalogue says to 1.6 times as far from health. They strike at any hour, those of
  the batch and of the cache by day in busier pools, for one request alone feels neither. Usage faults need a gateway,
  and are not among them; nor are the alerts about the alerts themselves, in which chance has no part.
- Firings of an alert of one pool that lie less than {format_duration(WINDOW)} apart are one episode. It is true when it
  begins between a fault's start and the end of the fault plus `within` of the alert, and the fault proves the alert or
  names it in `also`. Precision is the share of true episodes.
- Recall is the share of faults whose own alerts fired within `within` of the fault's onset (plus three steps of
  {STEP} s, as proofs allow for steps longer than 30 s), and at all. Time to detect is counted from the onset.
- The bound on false pages is the exact one-sided 95 % limit of a Poisson mean (Garwood, Biometrika 28, 1936)."""
