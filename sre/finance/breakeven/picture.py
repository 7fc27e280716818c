"""The comparison as a picture: cost of a million tokens over utilisation, and what the break-even hangs on."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import log10

from sre.finance.breakeven.comparison import Against, Own
from sre.finance.breakeven.sensitivity import STEP, Swing
from sre.svg import INK, MUTED, sheet, text

_WIDTH, _LEFT, _RIGHT, _TOP, _PLOT = 860, 70, 620, 84, 300
_GRID, _OWN, _LOW, _HIGH = "#e6e8eb", "#2f5f98", "#8fb8de", "#e0a458"
_APIS = ("#c0392b", "#8e44ad", "#16803c", "#b7791f", "#0e7490")
_TITLE = "Cost of a million tokens over utilisation"
_FEWEST = 5
_TICKS = (5, 10, 25, 50, 75, 100)


def draw(mine: Own, rivals: Sequence[Against], swings: Sequence[Swing], currency: str) -> str:
    """An SVG without outside parts. ``swings`` are those against the first of the ``rivals``."""
    base = _TOP + _PLOT
    height = base + 70 + (60 + 34 * len(swings) if swings else 0)
    parts = [
        text(20, 32, "Where own cards get cheaper", 18, weight=600),
        text(
            20,
            56,
            f"{currency} for a million tokens of this mix, over the utilisation of the cards (both scales logarithmic)",
            13,
            MUTED,
        ),
    ]
    scale = _Scale(
        [mine.per_million(Fraction(n, 100)) for n in (_FEWEST, 100)] + [one.per_million for one in rivals]
    )
    parts += [*_frame(scale, base), *_curve(mine, scale), *_names(mine, rivals, scale)]
    for number, rival in enumerate(rivals):
        parts += _rival(rival, scale, _APIS[number % len(_APIS)], base)
    if swings:
        parts += _tornado(swings, rivals[0], base + 70)
    return sheet(_WIDTH, height, _TITLE, parts)


class _Scale:
    """Logarithmic, with a little room above and below."""

    def __init__(self, values: Sequence[Fraction]) -> None:
        sizes = [log10(float(value)) for value in values if value > 0] or [0.0]
        self.low, self.high = min(sizes) - 0.15, max(sizes) + 0.15

    def y(self, value: Fraction) -> float:
        """From a price to its height."""
        share = (log10(max(float(value), 1e-12)) - self.low) / (self.high - self.low)
        return _TOP + _PLOT * (1 - min(max(share, 0.0), 1.0))

    def ticks(self) -> Iterator[Fraction]:
        """1, 2 and 5 of each power of ten within it."""
        for power in range(-6, 7):
            for digit in (1, 2, 5):
                value = Fraction(digit) * Fraction(10) ** power
                if self.low <= log10(float(value)) <= self.high:
                    yield value


def _x(utilization: float) -> float:
    share = log10(utilization * 100 / _FEWEST) / log10(100 / _FEWEST)
    return _LEFT + (_RIGHT - _LEFT) * min(max(share, 0.0), 1.0)


def _frame(scale: _Scale, base: int) -> Iterator[str]:
    for value in scale.ticks():
        at = scale.y(value)
        yield f"<line x1='{_LEFT}' x2='{_RIGHT}' y1='{at:.1f}' y2='{at:.1f}' stroke='{_GRID}'/>"
        yield text(_LEFT - 8, at + 4, f"{float(value):g}", 11, MUTED, anchor="end")
    for percent in _TICKS:
        at = _x(percent / 100)
        yield f"<line x1='{at:.1f}' x2='{at:.1f}' y1='{base}' y2='{base + 5}' stroke='{MUTED}'/>"
        yield text(at, base + 20, f"{percent} %", 11, MUTED, anchor="middle")
    yield f"<line x1='{_LEFT}' x2='{_RIGHT}' y1='{base}' y2='{base}' stroke='{MUTED}'/>"


def _curve(mine: Own, scale: _Scale) -> Iterator[str]:
    ends = (Fraction(_FEWEST, 100), Fraction(1))
    points = " ".join(f"{_x(float(u)):.1f},{scale.y(mine.per_million(u)):.1f}" for u in ends)
    if mine.marginal:
        steps = [Fraction(n, 100) for n in range(_FEWEST, 101)]
        points = " ".join(f"{_x(float(u)):.1f},{scale.y(mine.per_million(u)):.1f}" for u in steps)
    yield f"<polyline points='{points}' fill='none' stroke='{_OWN}' stroke-width='3'/>"
    now = mine.utilization
    if Fraction(_FEWEST, 100) <= now <= 1:
        at, y = _x(float(now)), scale.y(mine.per_million(now))
        yield f"<circle cx='{at:.1f}' cy='{y:.1f}' r='6' fill='{_OWN}'/>"
        yield text(at + 10, y - 8, f"today: {float(now):.0%}", 12, _OWN)


def _names(mine: Own, rivals: Sequence[Against], scale: _Scale) -> Iterator[str]:
    """Beside the ends of the lines, pushed apart where those lie close to each other."""
    named = [(scale.y(mine.per_million(Fraction(1))), "own cards", _OWN, 600)]
    for number, one in enumerate(rivals):
        words = f"{one.api.name}: {float(one.per_million):.3g}"
        named.append((scale.y(one.per_million), words, _APIS[number % len(_APIS)], 400))
    lowest = float(_TOP)
    for y, words, colour, weight in sorted(named):
        at = max(y + 4, lowest)
        yield text(_RIGHT + 10, at, words, 13, colour, weight=weight)
        lowest = at + 16


def _rival(rival: Against, scale: _Scale, colour: str, base: int) -> Iterator[str]:
    y = scale.y(rival.per_million)
    yield f"<line x1='{_LEFT}' x2='{_RIGHT}' y1='{y:.1f}' y2='{y:.1f}' stroke='{colour}' stroke-width='2'/>"
    if rival.reachable and rival.utilization is not None and rival.utilization >= Fraction(_FEWEST, 100):
        at = _x(float(rival.utilization))
        yield f"<line x1='{at:.1f}' x2='{at:.1f}' y1='{y:.1f}' y2='{base}' stroke='{colour}' stroke-dasharray='4 4'/>"
        yield text(at, y - 8, f"{float(rival.utilization):.0%}", 12, colour, anchor="middle", weight=600)


def _tornado(swings: Sequence[Swing], rival: Against, top: int) -> Iterator[str]:
    ends = [end for swing in swings for end in (swing.low, swing.high) if end is not None]
    most = float(max([*ends, rival.utilization or Fraction(0)], default=Fraction(1))) * 1.15 or 1.0
    yield text(
        20,
        top,
        f"Break-even utilisation against {rival.api.name}, with one input a quarter lower or higher",
        14,
        weight=600,
    )
    for number, swing in enumerate(swings):
        y = top + 24 + 34 * number
        yield text(20, y + 14, swing.what, 12)
        for end, colour, word in (
            (swing.low, _LOW, f"-{float(STEP):.0%}"),
            (swing.high, _HIGH, f"+{float(STEP):.0%}"),
        ):
            yield from _bar(end, rival.utilization, most, y, colour, word)


def _bar(
    end: Fraction | None, middle: Fraction | None, most: float, y: int, colour: str, word: str
) -> Iterator[str]:
    left, width = 280, _WIDTH - 280 - 110
    where = [left + width * float(value) / most for value in (end, middle) if value is not None]
    if len(where) < 2:
        yield text(left, y + 14, f"{word}: never", 11, MUTED)
        return
    begin, size = min(where), max(abs(where[0] - where[1]), 1.0)
    yield f"<rect x='{begin:.1f}' y='{y}' width='{size:.1f}' height='20' fill='{colour}'/>"
    outside = "start" if where[0] >= where[1] else "end"
    at = where[0] + (6 if outside == "start" else -6)
    yield text(at, y + 14, f"{float(end or 0):.0%} ({word})", 11, INK, anchor=outside)
