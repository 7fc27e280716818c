"""A sweep as a picture: what each threshold would have cost, pool by pool, as an SVG without outside parts."""

from collections.abc import Sequence
from dataclasses import dataclass

from sre.svg import MUTED, sheet, text

_WIDTH, _LEFT, _TOP, _BAR, _HEIGHT = 760, 60, 76, 120, 170
_FILL, _NOW, _LIMIT = "#9db7d5", "#2f5f98", "#c0392b"


@dataclass(frozen=True)
class Bar:
    """One threshold in one pool: as it is written, what it cost, and whether it is the one in force."""

    label: str
    height: float
    chosen: bool


def draw(title: str, axis: str, panels: Sequence[tuple[str, Sequence[Bar]]], limit: float | None) -> str:
    """A panel of bars for each pool, one below the other, on one scale; ``limit`` is drawn across all of them."""
    highest = max([limit or 0, *(bar.height for _, bars in panels for bar in bars)]) or 1
    height = _TOP + len(panels) * _HEIGHT + 10
    parts = [text(20, 30, title, 17, weight=600), text(20, 52, axis, 13, MUTED)]
    for number, (name, bars) in enumerate(panels):
        parts += _panel(name, bars, _TOP + number * _HEIGHT, highest, limit)
    return sheet(_WIDTH, height, title, parts)


def _panel(name: str, bars: Sequence[Bar], top: int, highest: float, limit: float | None) -> list[str]:
    base, step = top + 20 + _BAR, (_WIDTH - _LEFT - 20) / max(len(bars), 1)
    parts = [text(20, top + 8, name, 13, weight=600)]
    end = _WIDTH - 20
    parts.append(f"<line x1='{_LEFT - 10}' x2='{end}' y1='{base}' y2='{base}' stroke='{MUTED}'/>")
    if limit is not None:
        at = base - limit / highest * (_BAR - 16)
        parts.append(
            f"<line x1='{_LEFT - 10}' x2='{end}' y1='{at:.1f}' y2='{at:.1f}' stroke='{_LIMIT}' stroke-dasharray='5 4'/>"
        )
        parts.append(text(_LEFT - 14, at + 4, "budget", 11, _LIMIT, anchor="end"))
    for number, bar in enumerate(bars):
        size, left = bar.height / highest * (_BAR - 16), _LEFT + number * step
        fill, weight = (_NOW, 600) if bar.chosen else (_FILL, 400)
        parts += [
            f"<rect x='{left:.1f}' y='{base - size:.1f}' width='{step - 14:.1f}' height='{size:.1f}' fill='{fill}'/>",
            text(
                left + step / 2 - 7,
                base - size - 5,
                f"{bar.height:g}",
                12,
                anchor="middle",
                weight=weight,
                halo=True,
            ),
            text(left + step / 2 - 7, base + 16, bar.label, 12, anchor="middle", weight=weight),
        ]
    return parts
