"""The exporter's early signal: for each model, how often the lengths of its replies have moved."""

from collections.abc import Iterator
from math import log
from typing import Any

from sre.usage import families
from sre.usage.adwin import Adwin
from sre.usage.labels import pair


class LengthShifts:
    """Makes `llm_output_shift_detected_total`. It has no baseline to tell a slow change by: the alert judges.

    ADWIN runs on the logarithm of tokens, because the heavy tail of the numbers themselves breaks its bounds. Who
    calls keeps the number of models within its cap.
    """

    def __init__(self) -> None:
        self._windows: dict[str, Adwin] = {}
        self.detected: dict[str, int] = {}

    def open(self, model: str) -> None:
        """Let a model's count stand at 0 before its first reply."""
        self._windows.setdefault(model, Adwin())
        self.detected.setdefault(model, 0)

    def add(self, model: str, tokens: int) -> None:
        """One more reply."""
        if self._windows[model].add(log(max(1, tokens))):
            self.detected[model] += 1

    def expose(self) -> Iterator[str]:
        """One line for each model."""
        for model, count in self.detected.items():
            yield f"{families.SHIFTS.name}{{{pair('model', model)}}} {count}\n"

    def snapshot(self) -> dict[str, Any]:
        """Counts and windows by model, so that a restart forgets nothing."""
        return {name: [count, self._windows[name].snapshot()] for name, count in self.detected.items()}

    def restore(self, snapshot: Any) -> None:
        """Go on from a snapshot; models that it lacks begin anew."""
        for name in self.detected:
            self._windows[name], self.detected[name] = Adwin(), 0
        for name, (count, window) in snapshot.items():
            self.open(name)
            self.detected[name] = count
            self._windows[name].restore(window)
