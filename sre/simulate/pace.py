"""What work costs in a queueing replica, so that at its usual load it reads as its inputs ask."""

from functools import lru_cache

from sre.simulate.batching import BLOCK, Pace
from sre.simulate.draws import prompts, table
from sre.simulate.service import Bounds, Inputs, Service, service
from sre.simulate.spread import Skewed

GROWTH, PREFILL = 0.08, 0.06
"""Shares of a usual step that grow with the batch, and that go to prompts."""


def pace(inputs: Inputs, usual: Inputs, bounds: Bounds, least_blocks: int = 0) -> Pace:
    """The pace of a replica whose healthy inputs are ``usual``; a cache of fewer than ``least_blocks`` is too small."""
    cost, running = service(inputs, bounds), usual["running"]
    plain = cost.itl.mean * (1 - PREFILL)
    computed, needed = 1 - usual["cached"], running * _blocks(usual, service(usual, bounds))
    return Pace(
        base=plain * (1 - GROWTH),
        slope=plain * GROWTH / running,
        plain=plain,
        usual=cost.itl.mean,
        read=cost.ttft.median / (prompts(usual).median * computed),
        held_up=PREFILL / (usual["arrivals"] * usual["prompt"] * computed),
        cached=min(1.0, inputs["cached"]),
        limit=max(1, round(inputs["batch_limit"])),
        # A cache that the usual load hardly fills is as good as endless.
        blocks=max(least_blocks, 2, round(needed / max(1e-3, inputs["kv_fill"]))),
    )


def _blocks(usual: Inputs, cost: Service) -> float:
    """KV blocks that a usual request holds, in the mean over its stay."""
    mean, square = _moments(cost.reply)
    replying = mean * cost.itl.mean / (mean * cost.itl.mean + cost.ttft.mean)
    # The length that a moment falls into is a long one; half of it is made by then. So is half of the last block.
    return (usual["prompt"] + replying * square / mean / 2 + BLOCK / 2) / BLOCK


@lru_cache(maxsize=64)
def _moments(reply: Skewed) -> tuple[float, float]:
    lengths = table(reply)
    return sum(lengths) / len(lengths), sum(length * length for length in lengths) / len(lengths)
