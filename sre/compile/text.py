"""Sentences with numbers in them: one template, rendered by Prometheus for the page and by Python for the proof.

`{value}` is the alert's value, `{threshold}` the recorded number that it is compared with, `{pool:ttft:p50}` any
other recorded series of the same pool, replica or card, `{series|label}` a list of label values, and any other
`{word}` a label.
Units come with the series, never with the template: a ratio is always a percentage.
"""

import re
from collections.abc import Callable, Mapping

from sre import units
from sre.promql import quote

_FIELD = re.compile(r"\{([a-z_][a-z0-9_:]*)(?:\|([a-z_]+))?\}")


def _fixed(digits: int, unit: str = "") -> tuple[str, Callable[[float], str]]:
    return f'printf "%.{digits}f{unit}"', lambda value: f"{value:.{digits}f}{unit}"


def _humanized(unit: str) -> tuple[str, Callable[[float], str]]:
    return f'humanize | printf "%s{unit}"', lambda value: units.humanize(value) + unit


FORMATS: dict[str, tuple[str, Callable[[float], str]]] = {
    "seconds": ("humanizeDuration", units.humanize_duration),
    "ratio": ("humanizePercentage", units.humanize_percentage),
    "celsius": _fixed(0, " °C"),
    "factor": _fixed(1),
    "tokens": _fixed(0),
    "tokens_per_second": _humanized(" tokens/s"),
    # Often below one, where Prometheus would humanize 0.3 to "300m".
    "requests_per_second": _fixed(2, " requests/s"),
    "preemptions_per_second": _fixed(2, " requests/s"),
    "watts": _fixed(0, " W"),
    "megabytes_per_second": _humanized(" MB/s"),
    "megabytes_per_token": _humanized(" MB/token"),
}
"""Unit -> (Prometheus' template functions, the same in Python). Other units are whole things: requests, cards."""

_WHOLE = _fixed(0)


def format_value(value: float, unit: str) -> str:
    """A number with its unit, byte for byte as Prometheus prints it."""
    return FORMATS.get(unit, _WHOLE)[1](value)


def go_template(
    template: str,
    unit: str,
    threshold: tuple[str, str] | None,
    scope: Callable[[str], tuple[str, ...]],
    unit_of: Callable[[str], str],
    aliases: Mapping[str, str],
) -> str:
    """The template as Prometheus reads it.

    ``threshold`` is (series, unit); ``scope`` gives the labels by which a series is asked for; ``aliases`` maps
    words such as `replica` to the label that holds them in this fleet.
    """

    def field(match: re.Match[str]) -> str:
        name, listed = match[1], match[2]
        if name == "value":
            return f"{{{{ $value | {_pipe(unit)} }}}}"
        if name == "threshold":
            assert threshold is not None, template
            return _ask(threshold[0], scope(threshold[0]), threshold[1])
        if listed:
            return _list(name, scope(name), listed)
        if ":" in name:
            return _ask(name, scope(name), unit_of(name))
        return f"{{{{ $labels.{aliases.get(name, name)} }}}}"

    return _FIELD.sub(field, template)


def render(template: str, values: Mapping[str, str]) -> str:
    """The same sentence in Python, from already formatted values by field name (`series|label` for lists)."""
    return _FIELD.sub(lambda m: values[f"{m[1]}|{m[2]}" if m[2] else m[1]], template)


def fields(template: str) -> tuple[str, ...]:
    """The field names of a template, each once, in order; lists as `series|label`."""
    return tuple(dict.fromkeys(f"{m[1]}|{m[2]}" if m[2] else m[1] for m in _FIELD.finditer(template)))


def _pipe(unit: str) -> str:
    return FORMATS.get(unit, _WHOLE)[0]


def _query(series: str, labels: tuple[str, ...]) -> str:
    matchers = ",".join(f"{label}=%q" for label in labels)
    names = " ".join(f"$labels.{label}" for label in labels)
    # %q is Go's quoting, which PromQL reads: a hostile pool name stays a value.
    return (
        f"printf {quote(f'{series}{{{matchers}}}')} {names} | query" if labels else f"query {quote(series)}"
    )


def _ask(series: str, labels: tuple[str, ...], unit: str) -> str:
    found = f"{{{{ . | first | value | {_pipe(unit)} }}}}"
    return f"{{{{ with {_query(series, labels)} }}}}{found}{{{{ else }}}}unknown{{{{ end }}}}"


def _list(series: str, labels: tuple[str, ...], listed: str) -> str:
    # A query's order is not promised.
    asked = f'{_query(series, labels)} | sortByLabel "{listed}"'
    return (
        f"{{{{ range $i, $s := {asked} }}}}{{{{ if $i }}}}, {{{{ end }}}}"
        f"{{{{ $s.Labels.{listed} }}}}{{{{ end }}}}"
    )
