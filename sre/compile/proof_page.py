"""The tests of one proof file as YAML."""

from sre.compile.prometheus import dump
from sre.compile.questions import Questions
from sre.simulate.samples import Samples
from sre.units import format_duration


class Page:
    """Writes YAML by hand: thousands of lines are too slow for a library.

    A series that several tests share is written once and referred to by its anchor.
    """

    def __init__(self, interval: int) -> None:
        self._lines: list[str] = []
        self._interval, self._known = format_duration(interval), dict[tuple[str, str], str]()

    @property
    def text(self) -> str:
        return "".join(self._lines)

    def begin(self, name: str, says: str) -> None:
        comment = f"# {says}\n" if says else ""
        self._lines.append(
            f"{comment}- name: {quoted(name)}\n  interval: {self._interval}\n  input_series:\n"
        )

    def series(self, name: str, samples: Samples) -> None:
        key = (name, samples.notation)
        anchor = self._known.get(key)
        if anchor:
            self._lines.append(f"  - *{anchor}\n")
            return
        anchor = self._known[key] = f"s{len(self._known)}"
        self._lines.append(f"  - &{anchor} {{series: {quoted(name)}, values: '{key[1]}'}}\n")

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
