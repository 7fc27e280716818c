"""The tests of one proof file as YAML."""

from sre.compile.prometheus import dump
from sre.compile.questions import Questions
from sre.simulate.exposition import Block
from sre.units import format_duration


class Page:
    """Writes YAML by hand: thousands of lines are too slow for a library.

    A series that several tests share is written once and referred to by its anchor.
    """

    def __init__(self, interval: int) -> None:
        self._lines: list[str] = []
        self._interval = format_duration(interval)
        self._anchors: dict[tuple[str, str], str] = {}
        self._blocks: dict[int, tuple[Block, str]] = {}

    @property
    def text(self) -> str:
        return "".join(self._lines)

    def begin(self, name: str, says: str) -> None:
        comment = f"# {says}\n" if says else ""
        self._lines.append(
            f"{comment}- name: {quoted(name)}\n  interval: {self._interval}\n  input_series:\n"
        )

    def series(self, block: Block) -> None:
        """Series of a test; a block that an earlier one had is a list of references."""
        if id(block) not in self._blocks:
            self._lines += [self._line(name, samples.notation) for name, samples in block]
            # The block itself is kept, or another one could take over its id.
            known = (self._anchors[name, samples.notation] for name, samples in block)
            self._blocks[id(block)] = (block, "".join(f"  - *{anchor}\n" for anchor in known))
        else:
            self._lines.append(self._blocks[id(block)][1])

    def _line(self, name: str, notation: str) -> str:
        anchor = self._anchors.get((name, notation))
        if anchor:
            return f"  - *{anchor}\n"
        anchor = self._anchors[name, notation] = f"s{len(self._anchors)}"
        return f"  - &{anchor} {{series: {quoted(name)}, values: '{notation}'}}\n"

    def questions(self, asked: Questions) -> None:
        data = {"alert_rule_test": asked.alerts, "promql_expr_test": asked.exprs}
        text = dump({key: value for key, value in data.items() if value})
        self._lines.append("".join(f"  {line}\n" for line in text.splitlines()))


def quoted(text: str) -> str:
    """A YAML scalar in single quotes; text with anything that YAML would change in double quotes."""
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    escaped = (c if c.isprintable() and c not in '"\\' else _escape(c) for c in text)
    return '"' + "".join(escaped) + '"'


def _escape(char: str) -> str:
    return "\\" + char if char in '"\\' else f"\\U{ord(char):08x}"
