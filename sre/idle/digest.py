"""The report in a few lines of Markdown, for a chat on Monday morning."""

import re

from sre.compile.counted import count
from sre.compile.markdown import plain
from sre.idle import spoken
from sre.idle.told import Told

_MOST = 5
_OURS = re.compile(r"(`[^`\n]+`)")
_HARMLESS = {"&#58; ": ": ", "&#37;": "%"}
"""Of what `plain` encodes: these are no markup, and a chat shows a code as it is written."""


def digest(told: Told) -> str:
    """Headline, the pools that idled most, and the largest things to do."""
    report = told.report
    lines = [f"**{_sentence(report.fleet.name)}: {spoken.headline(report)}**", ""]
    lines += [_sentence(line) + "  " for line in spoken.lines(told)]
    priced = report.cost is not None
    lines += [
        "",
        f"| pool | owner | idle | idle GPU-hours |{' cost |' if priced else ''}",
        f"|---|---|--:|--:|{'--:|' if priced else ''}",
    ]
    for one in report.pools[:_MOST]:
        cost = f" {spoken.money(one.cost)} |" if priced else ""
        name = plain(one.name) if one.name else "(no pool)"
        lines.append(
            f"| {name} | {plain(one.owner)} | {spoken.share(one.idle)} | {spoken.hours(one.idle_hours)} |{cost}"
        )
    if len(report.pools) > _MOST:
        lines.append(f"\n{count(len(report.pools) - _MOST, 'more pool')} idled less.")
    lines.append("")
    for advice in told.advice[:_MOST]:
        worth = f"{spoken.hours(advice.gpu_hours)} GPU-hours"
        worth += f", {spoken.money(advice.saving)}" if advice.saving else ""
        lines.append(f"- **{_sentence(advice.what)}** ({worth}): {_sentence(advice.fix)}")
    missing = [finding.what for finding in told.findings if finding.severity != "info"]
    lines += [f"\n> {_sentence(what)}" for what in missing]
    return f"{spoken.period(report)}\n\n" + "\n".join(lines) + "\n"


def _sentence(text: str) -> str:
    """With names from outside in it. What stands between two backticks is code, in which nothing is markup."""
    return "".join(part if _OURS.fullmatch(part) else _readable(part) for part in _OURS.split(text))


def _readable(text: str) -> str:
    found = plain(text)
    for code, mark in _HARMLESS.items():
        found = found.replace(code, mark)
    return found
