"""The kinds of text that a fleet file holds, each with its check and the words for what is wrong with it."""

import re
import unicodedata
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, Strict, WithJsonSchema

from sre.explain import objection
from sre.source import show

MOST = 1_000_000
"""More replicas or cards than this is a typing error."""
_LONGEST_NAME = 200
_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode's categories of control and format characters, halves of pairs, and separators of lines."""
_LOST = "\ufffd"
_URL = re.compile(r"https?://[^\s\"'<>`{}|\\^\[\]]+", re.ASCII)
_RELEASE = re.compile(
    r"v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?"  # 0.32, v0.32.0
    r"(?:(?:\.|-|\+)?[a-zA-Z][-+.\w]*|[-+.][-+.\w]+)?",  # rc1, .post1, +cu128, -4.7.0, .4.1
    re.ASCII,
)


def _line(text: str) -> str:
    """Any text on one line: quotes, braces, backticks and HTML are text like any other."""
    bad = next((c for c in text if unicodedata.category(c) in _INVISIBLE), None)
    if bad is not None:
        raise objection(
            f"{show(text)} contains the invisible character U+{ord(bad):04X}",
            "write it without that character",
            "nobody sees it, but it would break, reorder or change every alert text and label that holds it",
        )
    if _LOST in text:
        raise objection(
            f"{show(text)} contains U+FFFD, the mark of a letter that was lost",
            "write the name again and save the file as UTF-8",
            "Prometheus refuses rules that hold it",
        )
    return text


def _name(text: str) -> str:
    if not text or text != text.strip():
        raise objection(
            f"{show(text)} is empty, or begins or ends with a space",
            "write the name alone",
            "it is compared with label values, which hold no such space",
        )
    if len(text) > _LONGEST_NAME:
        raise objection(
            f"the name has {len(text)} characters",
            f"write at most {_LONGEST_NAME}",
            "names stand in labels, titles and file names",
        )
    return _line(text)


@cache
def release(text: str) -> tuple[int, int, int] | None:
    """(major, minor, patch) of 0.32.0, v0.11, 0.20.2rc1 or 0.9.0+cu128; None where there is none."""
    found = _RELEASE.fullmatch(text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def covers(since: str | None, until: str | None, version: str) -> bool:
    """Whether a release lies from ``since`` on and before ``until``; what has no end or no beginning covers all."""
    at = release(version) or (0, 0, 0)
    return (release(since or "") or (0, 0, 0)) <= at < (release(until or "") or (1 << 30, 0, 0))


def _version(value: object) -> object:
    # Without quotes, 0.32 is a number in YAML; its digits are still the ones that were written.
    text = str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value
    if isinstance(text, str) and (len(text) > _LONGEST_NAME or release(text) is None):
        raise objection(
            f"{show(text)} is not a version",
            'write the release that runs, like "0.32.0"',
            "metric names changed between releases, so the release decides what is bound",
        )
    return text


def _url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise objection(f"{show(text)} is not a web address", "write it like https://host.example/path")
    return text.rstrip("/")


Text = Annotated[str, AfterValidator(_line)]
"""One line of anything."""
Name = Annotated[str, AfterValidator(_name)]
LabelName = Annotated[str, Field(pattern=r"^([a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9_]*$")]
"""Labels that begin with two underscores are Prometheus' own, and gone after the scrape."""
Version = Annotated[str, BeforeValidator(_version), WithJsonSchema({"type": ["string", "number"]})]
Url = Annotated[str, AfterValidator(_url)]
"""Without a slash at its end."""
FilePath = Annotated[Path, WithJsonSchema({"type": "string"})]
Count = Annotated[int, Strict(), Field(ge=1, le=MOST)]
Whole = Annotated[int, Strict(), Field(ge=0, le=MOST)]
Flag = Annotated[bool, Strict()]
