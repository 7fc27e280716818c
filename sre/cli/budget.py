"""How many pages a team puts up with, as a command line says it: `5/week`."""

import re

from sre.findings import Finding, Refused

_WEEKS = {"hour": 168.0, "day": 7.0, "week": 1.0, "month": 7 * 12 / 365.25}


def pages_per_week(text: str) -> float:
    """Raises ``Refused``."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)\s*(?:/|per )\s*([a-z]+)", text.strip(), re.ASCII)
    if not found or found[2] not in _WEEKS:
        raise Refused([Finding("--budget", f"{text!r} is no number of pages in a time",
                               "pages are compared with it", "write it like 5/week or 1/day")])  # fmt: skip
    return float(found[1]) * _WEEKS[found[2]]
