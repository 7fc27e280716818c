"""Small panels of lines and dots as one SVG, with nothing but text."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

Points = Sequence[tuple[float, float]]
WIDTH, HEIGHT, LEFT, TOP, ACROSS, DOWN = 200, 120, 46, 50, 268, 212
FONT = 'font-family="sans-serif" font-size="11"'
DASHED = 'stroke-dasharray="2 1.5"'
COLOURS = ("#1b6ca8", "#c2571a", "#3d8b52")


@dataclass(frozen=True)
class Panel:
    """``pairs``: name, what was measured, what the model says; in each colour one pair."""

    title: str
    across: str
    pairs: Sequence[tuple[str, Points, Points]]
    top: float | None = None
    dots: bool = True


def draw(title: str, rows: Sequence[tuple[str, Sequence[Panel]]]) -> str:
    """Rows of panels, each row with its heading."""
    width, height = LEFT + ACROSS * max(len(panels) for _, panels in rows), TOP + DOWN * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {FONT}>',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="20" font-size="14" font-weight="bold">{title}</text>',
        *_key(LEFT, 36),
    ]
    for row, (heading, panels) in enumerate(rows):
        parts += [f'<text x="{LEFT}" y="{TOP + DOWN * row + 14}" font-size="12">{heading}</text>']
        for column, panel in enumerate(panels):
            parts += [f'<g transform="translate({LEFT + ACROSS * column},{TOP + DOWN * row + 42})">']
            parts += [*_panel(panel), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _key(x: int, y: int) -> Iterator[str]:
    yield f'<circle cx="{x + 5}" cy="{y - 4}" r="3" fill="#444"/><text x="{x + 14}" y="{y}">measured</text>'
    yield f'<line x1="{x + 80}" x2="{x + 104}" y1="{y - 4}" y2="{y - 4}" stroke="#444" stroke-width="1.6"/>'
    yield f'<text x="{x + 109}" y="{y}">the model, with costs taken while nobody waited</text>'
    yield f'<line x1="{x + 400}" x2="{x + 424}" y1="{y - 4}" y2="{y - 4}" stroke="{COLOURS[1]}" {DASHED}/>'
    yield f'<text x="{x + 429}" y="{y}">measured, second by second</text>'


def _panel(panel: Panel) -> Iterator[str]:
    points = [point for _, real, model in panel.pairs for point in (*real, *model)]
    right = max(x for x, _ in points)
    ticks = _ticks(panel.top or max(y for _, y in points))
    yield f'<text x="0" y="-6" font-weight="bold">{panel.title}</text>'
    yield from _frame(right, ticks, panel.across)
    for number, (name, real, model) in enumerate(panel.pairs):
        colour = COLOURS[number]
        yield _line(_scaled(model, right, ticks[-1]), colour, 1.6)
        seen = _scaled(real, right, ticks[-1])
        if panel.dots:
            yield from (f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in seen)
        else:
            yield _line(seen, COLOURS[1], 1.0, DASHED)
        if name:
            yield f'<text x="6" y="{14 + 13 * number}" fill="{colour}">{name}</text>'


def _frame(right: float, ticks: Sequence[float], across: str) -> Iterator[str]:
    for tick in ticks:
        y = HEIGHT * (1 - tick / ticks[-1])
        yield f'<line x1="0" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        yield f'<text x="-5" y="{y + 4:.1f}" text-anchor="end" fill="#555">{tick:g}</text>'
    for tick in _ticks(right, beyond=False):
        x = WIDTH * tick / right
        yield f'<text x="{x:.1f}" y="{HEIGHT + 14}" text-anchor="middle" fill="#555">{tick:g}</text>'
    yield f'<text x="{WIDTH / 2}" y="{HEIGHT + 28}" text-anchor="middle" fill="#555">{across}</text>'


def _ticks(top: float, *, beyond: bool = True) -> list[float]:
    """Round numbers from 0 up to the first that is not less than ``top``, or the last that is not more."""
    rough = max(top, 1e-9) / 4
    power = 10 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * (1 - 1e-9))
    count = ceil(top / step - 1e-9) if beyond else floor(top / step + 1e-9)
    return [round(step * number, 10) for number in range(max(1, count) + 1)]


def _scaled(points: Points, right: float, top: float) -> list[tuple[str, str]]:
    return [(f"{WIDTH * x / right:.1f}", f"{HEIGHT * (1 - min(y, top) / top):.1f}") for x, y in points]


def _line(points: Iterable[tuple[str, str]], colour: str, width: float, more: str = "") -> str:
    path = " ".join(f"{x},{y}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}" {more}/>'
