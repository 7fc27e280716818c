"""One GPU card from moment to moment: what its exporter reads while the engine works."""

from collections.abc import Mapping

from sre.simulate.engine import Work
from sre.simulate.gpu import EVENTS, NO_CODE, WINDOW, readings
from sre.simulate.replica import Key


class Card:
    """Let time pass with ``step``; ``values`` are its signals then, none while it is off the bus."""

    def __init__(self) -> None:
        self.values: dict[Key, float] = {}
        self._xid, self._counted, self._code = -1.0, 0.0, 0.0

    def step(self, inputs: Mapping[str, float], hidden: frozenset[str], work: Work, seconds: float) -> None:
        """Let so many seconds pass under these inputs."""
        if inputs["lost"] or inputs["exporter_down"]:
            self.values = {}
            return
        self.values = readings(inputs, hidden, work)
        mask, xid = int(inputs["clock_events"]), inputs["xid"]
        for bit, name in EVENTS.items():
            if mask & bit:
                self.values["gpu_clock_event_count", (("clock_event", name),)] = 7.0
        # The exporter counts a code while it lies in its window; what it found at its start is old.
        new = 0 < xid < NO_CODE and xid != self._xid and self._xid >= 0
        self._counted = float(WINDOW) if new else max(0.0, self._counted - seconds)
        self._xid, self._code = xid, xid if new else self._code
        if self._counted:
            self.values["gpu_xid_count", (("xid", f"{self._code:.0f}"),)] = 1.0
        else:
            self.values["gpu_xid_count", ()] = 0.0
