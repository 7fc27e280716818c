"""Lines over the minutes of a trace, with a limit and when an alert fires, as one SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, LEFT, TOP, DOWN = 560, 110, 44, 56, 170
MINUTES, HIGHEST = 60, 0.4
FONT = 'font-family="sans-serif" font-size="11"'
FIRES = 'fill="#d33" fill-opacity="0.18"'
COLOURS = ("#1b6ca8", "#c2571a")


@dataclass(frozen=True)
class Line:
    """One value a minute, None where there is none."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Panel:
    """``fires`` are minutes at which the alert fires, ``spoken`` those at which the early signal did."""

    title: str
    lines: Sequence[Line]
    limit: float
    fires: Sequence[int]
    spoken: Sequence[float]


def draw(title: str, panels: Sequence[Panel]) -> str:
    """Panels one below the other."""
    width, height = LEFT + WIDTH + 16, TOP + DOWN * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {FONT}>',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="18" font-size="14" font-weight="bold">{title}</text>',
        *_key(panels[0]),
    ]
    for row, panel in enumerate(panels):
        parts += [f'<g transform="translate({LEFT},{TOP + DOWN * row + 16})">', *_panel(panel), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _key(panel: Panel) -> Iterator[str]:
    for number, line in enumerate(panel.lines):
        x = LEFT + 130 * number
        yield f'<line x1="{x}" x2="{x + 20}" y1="34" y2="34" stroke="{COLOURS[number]}" stroke-width="1.6"/>'
        yield f'<text x="{x + 25}" y="38">{line.name}</text>'
    yield f'<rect x="{LEFT + 230}" y="29" width="20" height="10" {FIRES}/>'
    yield f'<text x="{LEFT + 255}" y="38">the alert fires</text>'
    yield f'<line x1="{LEFT + 350}" x2="{LEFT + 350}" y1="29" y2="39" stroke="#3d8b52" stroke-width="2"/>'
    yield f'<text x="{LEFT + 358}" y="38">ADWIN speaks</text>'


def _panel(panel: Panel) -> Iterator[str]:
    yield f'<text x="0" y="-4" font-weight="bold">{panel.title}</text>'
    for minute in panel.fires:
        if minute < MINUTES:
            wide = WIDTH / MINUTES + 0.1
            yield f'<rect x="{_x(minute):.1f}" y="0" width="{wide:.1f}" height="{HEIGHT}" {FIRES}/>'
    for share in (0.0, 0.1, 0.2, 0.3, 0.4):
        yield _level(share, 'stroke="#ddd"')
        yield f'<text x="-6" y="{_y(share) + 4:.1f}" text-anchor="end">{share:g}</text>'
    for minute in range(0, MINUTES + 1, 10):
        yield f'<text x="{_x(minute):.1f}" y="{HEIGHT + 14}" text-anchor="middle">{minute}</text>'
    yield f'<text x="{WIDTH}" y="{HEIGHT + 28}" text-anchor="end">minutes of the trace</text>'
    yield _level(panel.limit, 'stroke="#444" stroke-dasharray="4 3"')
    for x in map(_x, panel.spoken):
        ends = f'x1="{x:.1f}" x2="{x:.1f}" y1="{HEIGHT - 8}" y2="{HEIGHT}"'
        yield f'<line {ends} stroke="#3d8b52" stroke-width="2"/>'
    for number, line in enumerate(panel.lines):
        points = " ".join(f"{_x(m):.1f},{_y(v):.1f}" for m, v in enumerate(line.values) if v is not None)
        yield f'<polyline points="{points}" fill="none" stroke="{COLOURS[number]}" stroke-width="1.6"/>'


def _level(share: float, style: str) -> str:
    return f'<line x1="0" x2="{WIDTH}" y1="{_y(share):.1f}" y2="{_y(share):.1f}" {style}/>'


def _x(minute: float) -> float:
    return WIDTH * minute / MINUTES


def _y(share: float) -> float:
    return HEIGHT * (1 - min(share, HIGHEST) / HIGHEST)
