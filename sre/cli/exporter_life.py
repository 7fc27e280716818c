"""The life of an exporter: signals in, events out, an end in order."""

import os
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

from sre.findings import Finding
from sre.usage.config import Config
from sre.usage.journal import Journal
from sre.usage.running import run
from sre.usage.serving import Exporter, tell


class _Wishes:
    """What signals have asked for."""

    def __init__(self) -> None:
        self.stop = self.reload = False


def live(path: Path, config: Config, warnings: list[Finding]) -> None:
    """Serve until SIGTERM or SIGINT. Raises ``Refused`` where it cannot begin."""
    journal, wishes = Journal(time.time), _Wishes()
    exporter = Exporter(path, os.environ, time.time, journal, config)
    tell(journal, warnings)
    before = _listen_to_signals(exporter, wishes)
    try:
        exporter.running.start()
        exporter.listener.start()
        address = config.listen._replace(port=exporter.listener.port)
        journal.info("the exporter listens", address=address, state=config.state)
        run(exporter.running, lambda: wishes.stop, lambda: _between(exporter, wishes))
        # Whoever waits for an answer gets it.
        exporter.running.inbox.close()
        exporter.running.turn(0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        exporter.listener.stop()
        exporter.running.stop()
    journal.info("the exporter ends; everything counted is saved", state=config.state)


def _listen_to_signals(exporter: Exporter, wishes: _Wishes) -> dict[signal.Signals, Any]:
    """Note what they ask for, and end the wait of the loop; the handlers that were there before."""

    def end(_number: int, _frame: FrameType | None) -> None:
        wishes.stop = True
        exporter.running.inbox.wake()

    def read_again(_number: int, _frame: FrameType | None) -> None:
        wishes.reload = True
        exporter.running.inbox.wake()

    wanted = {signal.SIGTERM: end, signal.SIGINT: end, signal.SIGHUP: read_again}
    return {number: signal.signal(number, handler) for number, handler in wanted.items()}


def _between(exporter: Exporter, wishes: _Wishes) -> None:
    if wishes.reload:
        wishes.reload = False
        exporter.reload()
    exporter.tell_problems()
