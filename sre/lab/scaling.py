"""Rules at another pace: what takes an hour takes a minute, and every number in a rule means what it meant.

A scaled rule sees scaled samples: a scrape interval, a window, a `for` are ``factor`` times shorter. A rate per
second would be ``factor`` times too large and is divided by it; the time of day runs ``factor`` times too slowly and
is told by the lab's own clock. Counts, sums and increases over a window stay as they are. What is not known here is
refused.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from sre.compile.plan import AlertRule, Group, RecordRule
from sre.findings import Finding, Refused
from sre.promql import STRING, check
from sre.units import format_duration, format_number, parse_duration

_PER_SECOND = re.compile("rate|irate|deriv")
_TIMELESS = re.compile(
    r"\w+_over_time|abs(ent)?|avg|(bottom|top)k|ceil|changes|clamp(_max|_min)?|count(_values)?|delta|exp|floor|group"
    r"|histogram_quantile|idelta|increase|label_(join|replace)|ln|log(10|2)|max|min|quantile|resets|round|scalar|sgn"
    r"|sort(_desc)?|sqrt|std(dev|var)|sum|vector"
)
"""Functions and operators that give the same number at any pace."""
_OF_TIMESTAMPS = re.compile(r"day_of_(month|week|year)|days_in_month|hour|minute|month|year")
"""Their argument is a time; without one they would read the server's clock."""
_WORDS = re.compile(r"and|atan2|bool|by|group_(left|right)|ignoring|on|or|unless|without")
"""What may stand before a parenthesis without being called."""

_REAL = {"@": "`@` names a moment in real time", "#": "a comment may hold anything"}

_DURATION = r"\d+(?:\.\d+)?(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*"
_TOKEN = re.compile(
    rf"(?P<string>{STRING})|(?P<window>\[\s*{_DURATION}\s*(?::\s*(?:{_DURATION})?\s*)?\])"
    rf"|(?P<offset>\boffset\s+-?\s*{_DURATION})|(?P<clock>\btime\s*\(\s*\))"
    r"|(?P<name>[a-zA-Z_:][\w:]*)|(?P<number>\d[\w.]*(?:(?<=[eE])[-+]\d+)?)|(?P<other>\s+|.)",
    re.S,
)
_ANY_DURATION = re.compile(_DURATION)


@dataclass(frozen=True)
class Pace:
    """``factor`` lab seconds pass in one real second; lab time 0 is the Unix time ``origin``."""

    factor: int = 1
    origin: Decimal = Decimal(0)

    def real(self, seconds: Decimal | int) -> Decimal:
        """So long a stretch of lab time takes; raises ``Refused`` where that is no whole number of milliseconds."""
        scaled = Decimal(seconds) / self.factor
        if scaled * 1000 != (scaled * 1000).to_integral_value():
            raise Refused([_uneven(seconds, self.factor)])
        return scaled

    def duration(self, text: str) -> str:
        """A duration in Prometheus' spelling, scaled."""
        return text if self.factor == 1 else format_duration(self.real(parse_duration(text)))

    def groups(self, groups: Iterable[Group]) -> Iterator[dict[str, object]]:
        """Rule groups as Prometheus reads them, scaled. Raises ``Refused`` with whatever cannot be."""
        findings = list[Finding]()
        for group in groups:
            rules = list[dict[str, object]]()
            for rule in group.rules:
                try:
                    rules.append(self._rule(rule))
                except Refused as refused:
                    name = rule.record if isinstance(rule, RecordRule) else rule.alert
                    findings += [replace(finding, where=name) for finding in refused.findings]
            yield {"name": group.name, "interval": self._written(group.interval), "rules": rules}
        if findings:
            raise Refused(findings)

    def _rule(self, rule: RecordRule | AlertRule) -> dict[str, object]:
        if isinstance(rule, RecordRule):
            return {"record": rule.record, "expr": self.expr(rule.expr), "labels": rule.labels}
        times = {"for": rule.for_, "keep_firing_for": rule.keep_firing_for}
        return {
            "alert": rule.alert,
            "expr": self.expr(rule.expr),
            **{key: self._written(seconds) for key, seconds in times.items() if seconds},
            "labels": rule.labels,
            "annotations": rule.annotations,
        }

    def _written(self, seconds: int) -> str:
        return format_duration(self.real(seconds))

    def expr(self, expr: str) -> str:
        """PromQL that gives for scaled samples what ``expr`` gives for the real ones. Raises ``Refused``."""
        tokens = [(str(m.lastgroup), m.group()) for m in _TOKEN.finditer(expr)]
        scaled = "".join(self._scaled(tokens, 0, len(tokens)))
        problem = check(scaled)
        if problem:
            raise Refused([_unknown(f"what was made of it does not parse: {problem}")])
        return scaled

    def _scaled(self, tokens: list[tuple[str, str]], at: int, end: int) -> Iterator[str]:
        while at < end:
            kind, text = tokens[at]
            called = kind == "name" and _next(tokens, at) == "("
            if called and _PER_SECOND.fullmatch(text):
                close = _closing(tokens, at)
                inner = "".join(self._scaled(tokens, at + 1, close + 1))
                yield f"{text}{inner}" if self.factor == 1 else f"({text}{inner} / {self.factor})"
                at = close + 1
                continue
            if called:
                _know(tokens, at)
            yield self._token(kind, text)
            at += 1

    def _token(self, kind: str, text: str) -> str:
        if kind in ("window", "offset"):
            return _ANY_DURATION.sub(lambda found: self.duration(found.group()), text)
        if kind == "clock":
            return self.clock(text)
        if text in _REAL:
            raise Refused([_unknown(_REAL[text])])
        return text

    def clock(self, text: str = "time()") -> str:
        """PromQL for the lab's time of day."""
        if self.factor == 1 and not self.origin:
            return text
        return f"((time() - {format_number(self.origin)}) * {self.factor})"


def _know(tokens: list[tuple[str, str]], at: int) -> None:
    name = tokens[at][1]
    if _OF_TIMESTAMPS.fullmatch(name):
        if all(text.isspace() for _, text in tokens[at + 1 : _closing(tokens, at)] if text != "("):
            raise Refused([_unknown(f"`{name}()` reads the server's own clock")])
    elif not (_TIMELESS.fullmatch(name) or _WORDS.fullmatch(name)):
        raise Refused([_unknown(f"it calls `{name}`")])


def _next(tokens: list[tuple[str, str]], at: int) -> str:
    """The token after this one, white space aside."""
    return next((text for _, text in tokens[at + 1 :] if not text.isspace()), "")


def _closing(tokens: list[tuple[str, str]], at: int) -> int:
    """Where the parenthesis closes that opens behind a name."""
    depth = 0
    for place in range(at + 1, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[place][1], 0)
        if depth == 0 and not tokens[place][1].isspace():
            return place
    raise Refused([_unknown("a parenthesis is not closed")])


def _unknown(what: str) -> Finding:
    return Finding(
        "rule",
        f"cannot be run at another pace: {what}",
        "a scaled rule that means something else would prove nothing",
        "prove it in virtual time (without --live), or write the rule with windows, offsets, rates and `time()`",
    )


def _uneven(seconds: Decimal | int, factor: int) -> Finding:
    return Finding(
        "--pace",
        f"{format_duration(seconds)} cannot be scaled by {factor}: it is no whole number of milliseconds",
        "Prometheus' durations end at the millisecond",
        "choose a pace that divides it, such as 60 or 75",
    )
