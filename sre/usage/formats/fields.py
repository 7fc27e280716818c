"""The fields of a format out of a line, also out of JSON that is text inside JSON."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from sre.usage.formats.invalid import Invalid
from sre.usage.formats.paths import Shape
from sre.usage.formats.slots import Slots, Values


class Fields:
    """Parses lines and bodies, and gives what stands in each slot.

    ``embedded`` is the key of a text that is JSON itself; what stands in there comes before what stands around it.
    """

    def __init__(self, slots: Slots, embedded: str | None) -> None:
        self._absent, self._text = slots.absent, len(slots.paths)
        outside = [tuple(path for path in paths if path[0] != embedded) for paths in slots.paths]
        inside = [tuple(path[1:] for path in paths if path[0] == embedded) for paths in slots.paths]
        if embedded:
            outside.append(((embedded,),))
        self._outer, self._inner = Shape(outside, slots.absent), Shape(inside, slots.absent)
        decoder = msgspec.json.Decoder(self._outer.type)
        self.parse: Callable[[bytes], Any] = decoder.decode
        self.parse_lines: Callable[[bytes], Sequence[Any]] = decoder.decode_lines
        self.parse_array: Callable[[bytes], Sequence[Any]] = msgspec.json.Decoder(
            list[self._outer.type]
        ).decode
        self._parse_text = msgspec.json.Decoder(self._inner.type).decode
        self.values = self._with_text if embedded else self._outer.values

    def _with_text(self, found: Any) -> Values:
        around = self._outer.values(found)
        text = around[self._text]
        if text in self._absent:
            return around
        if not isinstance(text, str):
            raise Invalid("wrong_type")
        inside = self._inner.values(self._parse_text(text))
        return [out if value is UNSET else value for value, out in zip(inside, around, strict=False)]
