"""Values of labels: what may become one, and how it is written in an exposition."""

import re

OTHER = "other"
"""Stands for every name that the roster or the cap keeps out."""
UNASSIGNED = "unassigned"
"""Stands for no name at all."""

# What no line may hold: control characters, separators of lines and paragraphs, and characters that change
# the direction of the text around them.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def clean(text: str, longest: int) -> str:
    """Without control characters and cut to ``longest`` characters."""
    # Cut first: a megabyte is not searched for the sake of its beginning.
    return _UNSEEN.sub("", text[: 4 * longest]).strip()[:longest].rstrip()


def pair(name: str, value: str) -> str:
    """``name="value"``; whatever the value holds stays inside its quotes."""
    return f'{name}="{_UNSEEN.sub("", value).translate(_ESCAPES)}"'


def labels(**values: str) -> str:
    """``{a="1",b="2"}``, without a trailing comma; a keyword's last underscore is dropped, as in ``class_``."""
    return "{" + ",".join(pair(name.rstrip("_"), value) for name, value in values.items()) + "}"
