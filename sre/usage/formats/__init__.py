"""Gateway formats: a line of a gateway's log, or a body that it posts, as usage records.

A format is data, ``exporters/gateways/NAME.yaml``; a team's own catalogue folders add formats or replace one.
"""

from sre.usage.formats.format import Format
from sre.usage.formats.invalid import INVALID_REASONS, Invalid
from sre.usage.formats.listing import Listing, list_formats
from sre.usage.formats.load import format_names, load_format
from sre.usage.formats.reading import Read

__all__ = [
    "INVALID_REASONS",
    "Format",
    "Invalid",
    "Listing",
    "Read",
    "format_names",
    "list_formats",
    "load_format",
]
