"""What the exporter says while it runs: one line an event, on standard error, never a word of any record."""

import sys
from collections.abc import Callable
from typing import Literal, TextIO

from sre.usage.labels import clean

Level = Literal["info", "warning", "error"]

_LONGEST = 400


class Journal:
    """Lines of ``key=value``. The same event is told once in ``seconds``, and then how often it was left out."""

    def __init__(
        self,
        clock: Callable[[], float],
        stream: TextIO | None = None,
        seconds: float = 10.0,
        most: int = 1000,
    ) -> None:
        """``clock`` gives epoch seconds; ``most`` bounds the events whose last time is remembered."""
        self._clock, self._stream, self._seconds, self._most = clock, stream or sys.stderr, seconds, most
        self._last = dict[str, tuple[float, int]]()

    def info(self, event: str, **values: object) -> None:
        self._tell("info", event, values)

    def warning(self, event: str, **values: object) -> None:
        self._tell("warning", event, values)

    def error(self, event: str, **values: object) -> None:
        self._tell("error", event, values)

    def _tell(self, level: Level, event: str, values: dict[str, object]) -> None:
        now, key = (
            self._clock(),
            f"{event}{values.get('route', '')}{values.get('reason', '')}{values.get('where', '')}",
        )
        last, left_out = self._last.get(key, (0.0, 0))
        if 0 <= now - last < self._seconds:
            self._last[key] = last, left_out + 1
            return
        if len(self._last) >= self._most:
            self._last.clear()
        self._last[key] = now, 0
        said = {"time": f"{now:.3f}", "level": level, "event": event, **values}
        if left_out:
            said["left_out"] = left_out
        line = " ".join(f"{name}={_value(value)}" for name, value in said.items())
        print(line, file=self._stream, flush=True)


def _value(value: object) -> str:
    text = clean(str(value), _LONGEST).replace("\\", "\\\\").replace('"', '\\"')
    return text if text and not set(text) & set(' ="') else f'"{text}"'
