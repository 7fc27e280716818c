"""Pictures as SVG without outside parts: the sheet, and text on it. Whatever a name holds stays text."""

from collections.abc import Iterable
from xml.sax.saxutils import escape

INK, MUTED = "#1f2328", "#656d76"

_FONT = "font-family='system-ui, sans-serif'"
_HALO = " stroke='#ffffff' stroke-width='3' paint-order='stroke'"


def sheet(width: int, height: int, title: str, parts: Iterable[str]) -> str:
    """The whole file; ``title`` is what is read out where nothing can be seen."""
    size = f"viewBox='0 0 {width} {height}' width='{width}' height='{height}'"
    label = escape(_plain(title), {"'": "&apos;"})
    head = f"<svg xmlns='http://www.w3.org/2000/svg' {size} role='img' aria-label='{label}'>"
    ground = f"<rect width='{width}' height='{height}' fill='#ffffff'/>"
    return "\n".join([head, ground, *parts, "</svg>\n"])


def text(
    x: float,
    y: float,
    words: str,
    size: int,
    fill: str = INK,
    *,
    anchor: str = "start",
    weight: int = 400,
    halo: bool = False,
) -> str:
    """Words at a place; with a ``halo`` they can be read across lines."""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' {_FONT} font-size='{size}' font-weight='{weight}' fill='{fill}'"
        f"{_HALO if halo else ''} text-anchor='{anchor}'>{escape(_plain(words))}</text>"
    )


def _plain(words: str) -> str:
    """Without what XML cannot hold."""
    return "".join(c if c.isprintable() else " " for c in words)
