"""The report as one HTML file that needs nothing from anywhere: for a browser, a mail, a folder on a shared disk."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from sre.idle import spoken
from sre.idle.report import DIGITS, CardLine, Report
from sre.idle.states import IDLE, MEANING, SPELLED, STATES, hours, idle_hours, idle_share
from sre.idle.told import Told

_CELLS = 2_200_000
"""Of the heat map: a byte each, so that ten thousand cards over a week stay under five megabytes."""
_DAYS = 8
"""Names of days over the map, at most: more do not fit side by side on a phone."""
_CODE = re.compile(r"`([^`]+)`")


def page(told: Told) -> str:
    """The file's text. Names from outside are escaped wherever they stand."""
    # Imported late: only this output needs it.
    from jinja2 import Environment, StrictUndefined

    files = resources.files(__package__)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"parts": _parts, "sentence": _sentence}
    template = environment.from_string(files.joinpath("page.html.j2").read_text("utf-8"))
    report = told.report
    return template.render(
        report=report, advice=told.advice, findings=[one for one in told.findings if one.severity != "info"],
        lines=spoken.lines(told),
        headline=spoken.headline(report), period=spoken.period(report), spoken=spoken, states=STATES, spelled=SPELLED,
        meaning=MEANING, shares=_shares, days=_days(report), hours=hours, idle_hours=idle_hours, idle_share=idle_share,
        priced=report.cost is not None, data=data(report),
        style=files.joinpath("page.css").read_text("utf-8"), script=files.joinpath("page.js").read_text("utf-8"),
    )  # fmt: skip


def _parts(text: str) -> list[tuple[str, bool]]:
    """Words of ours, with names from outside in them: what stands between two backticks is code."""
    return [(part, number % 2 == 1) for number, part in enumerate(_CODE.split(text))]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def data(report: Report, cells: int = _CELLS) -> dict[str, Any]:
    """What the page's own script draws: cards as rows of plain values, their courses as digits, ``cells`` at most."""
    cards = [*report.cards, *report.unseen]
    together = _together(len(report.windows), cells // max(1, len(cards)))
    pools, signals = _index(card.pool for card in cards), _index(card.signal for card in cards)
    types = _index(card.kind for card in cards)
    return {
        "states": list(STATES),
        "spelled": [SPELLED[name] for name in STATES],
        "idle": list(IDLE),
        "pools": list(pools),
        "owners": _owners(report, pools),
        "types": list(types),
        "signals": [spoken.SIGNALS.get(name, name) for name in signals],
        "dashboards": _dashboards(report),
        "period": f"&from={report.windows[0].start}000&to={report.windows[-1].end}000",
        "times": [
            f"{_local(report, window.start):%a %Y-%m-%d %H:%M}" for window in report.windows[::together]
        ],
        "rows": [
            [card.uuid, card.mig, pools[card.pool], types[card.kind], card.host, card.gpu, signals[card.signal],
             _tenths(card), _course(card.course, together)]
            for card in cards
        ],
    }  # fmt: skip


def _local(report: Report, second: int) -> datetime:
    return datetime.fromtimestamp(second, report.fleet.zone)


def _together(windows: int, columns: int) -> int:
    """How many hours are one column of the heat map, of which there may be so many."""
    return next((k for k in (1, 2, 3, 4, 6, 8, 12) if windows <= k * columns), 24)


def _course(course: bytes, together: int) -> str:
    if together > 1:
        chunks = (course[at : at + together] for at in range(0, len(course), together))
        course = bytes(_most(chunk) for chunk in chunks)
    return course.translate(DIGITS).decode("ascii")


def _most(chunk: bytes) -> int:
    """Idle hours among busy ones do not show: what is left is what most hours were."""
    return Counter(chunk).most_common(1)[0][0]


def _tenths(card: CardLine) -> list[int]:
    """Hours by state in tenths."""
    found = card.hours
    return [int(found[name] * 10 + Decimal("0.5")) for name in STATES]


def _index(names: Iterator[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


def _owners(report: Report, pools: Mapping[str, int]) -> list[str]:
    owners = {pool.name: pool.owner for pool in report.fleet.pools}
    return [owners.get(pool, "platform") for pool in pools]


def _dashboards(report: Report) -> str:
    base = (report.fleet.grafana_base_url or "").rstrip("/")
    return f"{base}/d/llm-gpu" if urlsplit(base).scheme in ("http", "https") else ""


def _days(report: Report) -> list[tuple[float, str]]:
    """Where in the map a local day begins, in hundredths of its width, and which; not more than have room."""
    firsts, last = list[tuple[float, str]](), ""
    for place, window in enumerate(report.windows):
        day = f"{_local(report, window.start):%a %d %b}"
        if day != last:
            firsts.append((100 * place / len(report.windows), day))
        last = day
    return firsts[:: -(-len(firsts) // _DAYS)]


def _shares(by_state: Sequence[int]) -> list[tuple[str, float, float]]:
    """(state, where its part of a bar begins, how long it is), in hundredths of the whole."""
    found, at, whole = list[tuple[str, float, float]](), 0.0, sum(by_state) or 1
    for name, parts in zip(STATES, by_state, strict=True):
        length = 100 * parts / whole
        if parts:
            found.append((name, at, length))
        at += length
    return found
