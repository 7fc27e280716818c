"""A sweep as a picture: what each threshold would have cost, pool by pool, as an SVG without outside parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH, _LEFT, _TOP, _BAR, _HEIGHT = 760, 60, 76, 120, 170
_INK, _MUTED, _FILL, _NOW, _LIMIT = "#1f2328", "#656d76", "#9db7d5", "#2f5f98", "#c0392b"
_FONT = "font-family='system-ui, sans-serif'"
_HALO = "stroke='#ffffff' stroke-width='3' paint-order='stroke'"


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
    size = f"viewBox='0 0 {_WIDTH} {height}' width='{_WIDTH}' height='{height}'"
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' {size} role='img' aria-label='{_quoted(title)}'>",
        f"<rect width='{_WIDTH}' height='{height}' fill='#ffffff'/>",
        _text(20, 30, title, 17, weight=600),
        _text(20, 52, axis, 13, _MUTED),
    ]
    for number, (name, bars) in enumerate(panels):
        parts += _panel(name, bars, _TOP + number * _HEIGHT, highest, limit)
    return "\n".join([*parts, "</svg>\n"])


def _panel(name: str, bars: Sequence[Bar], top: int, highest: float, limit: float | None) -> list[str]:
    base, step = top + 20 + _BAR, (_WIDTH - _LEFT - 20) / max(len(bars), 1)
    parts = [_text(20, top + 8, name, 13, weight=600)]
    end = _WIDTH - 20
    parts.append(f"<line x1='{_LEFT - 10}' x2='{end}' y1='{base}' y2='{base}' stroke='{_MUTED}'/>")
    if limit is not None:
        at = base - limit / highest * (_BAR - 16)
        parts.append(
            f"<line x1='{_LEFT - 10}' x2='{end}' y1='{at:.1f}' y2='{at:.1f}' stroke='{_LIMIT}' stroke-dasharray='5 4'/>"
        )
        parts.append(_text(_LEFT - 14, at + 4, "budget", 11, _LIMIT, anchor="end"))
    for number, bar in enumerate(bars):
        size, left = bar.height / highest * (_BAR - 16), _LEFT + number * step
        fill, weight = (_NOW, 600) if bar.chosen else (_FILL, 400)
        parts += [
            f"<rect x='{left:.1f}' y='{base - size:.1f}' width='{step - 14:.1f}' height='{size:.1f}' fill='{fill}'/>",
            _text(
                left + step / 2 - 7, base - size - 5, f"{bar.height:g}", 12, anchor="middle", weight=weight
            ),
            _text(left + step / 2 - 7, base + 16, bar.label, 12, anchor="middle", weight=weight),
        ]
    return parts


def _text(
    x: float, y: float, text: str, size: int, fill: str = _INK, *, anchor: str = "start", weight: int = 400
) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' {_FONT} font-size='{size}' font-weight='{weight}' "
        f"fill='{fill}' {_HALO} text-anchor='{anchor}'>{escape(_plain(text))}</text>"
    )


def _quoted(text: str) -> str:
    return escape(_plain(text), {"'": "&apos;"})


def _plain(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(c if c.isprintable() else " " for c in text)
