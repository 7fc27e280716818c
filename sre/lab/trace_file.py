"""A trace of requests from a file, plain or gzipped, dealt out to the replicas of a pool."""

import gzip
import zlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from sre.findings import Finding, Refused
from sre.simulate.arrivals import Replay
from sre.simulate.batching import BLOCK
from sre.simulate.demand import Demand
from sre.simulate.queueing import Workload
from sre.simulate.traces import Asked, length, read_trace

_ROOM = 4
"""A cache holds at least so many of a trace's longest requests: an engine is sized for what is asked of it."""


def load_trace(path: Path) -> tuple[Asked, ...]:
    """The requests of the file. Raises ``Refused`` with everything that is wrong in it."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rt", encoding="utf-8") if packed else path.open(encoding="utf-8") as lines:
            return read_trace(str(path), lines)
    except UnicodeDecodeError:
        raise Refused([_unreadable(path, "the file is not UTF-8 text")]) from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise Refused([_unreadable(path, "the gzip file is broken or cut off")]) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Refused([_unreadable(path, f"cannot be read: {reason}")]) from None


def replayed(
    asked: tuple[Asked, ...], demand: Demand, number: int, count: int, usual: Mapping[str, float]
) -> Workload:
    """What comes to replica ``number`` of ``count`` when a balancer deals the trace out in turn."""
    share, longest = asked[number::count], max(one.prompt + one.reply for one in asked)
    arrivals = partial(Replay, asked=share, span=length(asked), usual=usual["arrivals"])
    return Workload(demand, arrivals=arrivals, least_blocks=_ROOM * -(-longest // BLOCK))


def _unreadable(path: Path, what: str) -> Finding:
    return Finding(str(path), what, "nothing could be replayed", "give the path of a trace, plain or gzipped")
