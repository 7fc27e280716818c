"""The kinds of value that Alertmanager's configuration holds, each as Alertmanager itself would read it.

It reads YAML 1.1: ``yes`` and ``0x10`` arrive here as text and there as a boolean and a number.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

_FLAGS = frozenset(["y", "yes", "on", "true", "n", "no", "off", "false"])
_WHOLE = re.compile(r"[-+]?(0x[0-9a-f_]+|0b[01_]+|0o?[0-7_]+|[0-9][0-9_]*)", re.I)
_DURATION = re.compile(
    r"(?=[0-9])([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?|0", re.A
)
_GO_DURATION = re.compile(r"[-+]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+)", re.A)
# The host holds what Go's net/url takes in one; per cent signs stand before two hexadecimal digits, everywhere.
_URL = re.compile(
    r"https?://([^@/?#\s]*@)?(\[[0-9a-f:.]+\]|[^@:/?#\s{}|\\^`%\x00-\x1f\x7f]+)(:[0-9]*)?"
    r"([/?#]([^%\x00-\x1f\x7f]|%[0-9a-f]{2})*)?",
    re.I | re.A,
)
_HOST_PORT = re.compile(r"([^:\[\]]*|\[[^\[\]]*\]):[^:\[\]]+")


@dataclass(frozen=True)
class Kind:
    """What a value of one kind is called, an example of it, and whether a value is one."""

    called: str
    like: str
    holds: Callable[[object], bool]


def _text(value: object) -> bool:
    return isinstance(value, str | int | Decimal)


def _flag(value: object) -> bool:
    return isinstance(value, bool) or (isinstance(value, str) and value.lower() in _FLAGS)


def _number(value: object) -> bool:
    if isinstance(value, str):
        return bool(_WHOLE.fullmatch(value))
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _count(value: object) -> bool:
    return _number(value) and not str(value).startswith("-")


def _written(pattern: re.Pattern[str]) -> Callable[[object], bool]:
    return lambda value: _text(value) and bool(pattern.fullmatch(str(value)))


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _map(value: object) -> bool:
    return isinstance(value, dict) and all(item is None or _text(item) for item in value.values())


def _one_of(*words: str) -> Kind:
    return Kind(f"one of {', '.join(filter(None, words))}", words[0], lambda value: value in words)


_RESPONDERS = ("team", "teams", "user", "escalation", "schedule")


def _responder(value: object) -> bool:
    # A template decides when the alert is sent.
    return isinstance(value, str) and (value.lower() in _RESPONDERS or "{{" in value)


KINDS = {
    "text": Kind("text", "some text", _text),
    "secret": Kind("text", "some text", _text),
    "url": Kind("a web address", "https://host.example/path", _written(_URL)),
    "secret_url": Kind("a web address", "https://host.example/path", _written(_URL)),
    "host_port": Kind("a host with its port", "smtp.example.com:587", _written(_HOST_PORT)),
    "flag": Kind("true or false", "true", _flag),
    "count": Kind("a whole number, 0 or more", "0", _count),
    "number": Kind("a whole number", "-1001234", _number),
    "duration": Kind("a duration", "5m", _written(_DURATION)),
    "go_duration": Kind("a duration in h, m and s", "1m30s", _written(_GO_DURATION)),
    "texts": Kind("a list of texts", "[one, two]", _texts),
    "map": Kind("a mapping of texts", "{key: text}", _map),
    "tls_version": _one_of("TLS12", "TLS13", "TLS11", "TLS10"),
    "telegram_mode": _one_of("HTML", "Markdown", "MarkdownV2", ""),
    "wechat_type": _one_of("text", "markdown", ""),
    "responder_type": Kind(f"one of {', '.join(_RESPONDERS)}", "team", _responder),
    "any": Kind("anything", "", lambda _: True),
}
"""The words of integrations.yaml; its other kinds are shapes."""
SECRETS = ("secret", "secret_url")
"""Kinds whose value opens something."""
