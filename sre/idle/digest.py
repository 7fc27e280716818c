"""The report in a few lines of Markdown, for a chat on Monday morning."""

from sre.compile.markdown import plain
from sre.idle import spoken
from sre.idle.told import Told

_MOST = 5


def digest(told: Told) -> str:
    """Headline, the pools that idled most, and the largest things to do."""
    report = told.report
    lines = [f"**{plain(report.fleet.name)}: {spoken.headline(report)}**", ""]
    lines += [line + "  " for line in spoken.lines(told)]
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
        lines.append(f"\n{len(report.pools) - _MOST} more pools idled less.")
    lines.append("")
    for advice in told.advice[:_MOST]:
        worth = f"{spoken.hours(advice.gpu_hours)} GPU-hours"
        worth += f", {spoken.money(advice.saving)}" if advice.saving else ""
        lines.append(f"- **{plain(advice.what)}** ({worth}): {plain(advice.fix)}")
    missing = [finding.what for finding in told.findings if finding.severity != "info"]
    lines += [f"\n> {plain(what)}" for what in missing]
    return f"{spoken.period(report)}\n\n" + "\n".join(lines) + "\n"
