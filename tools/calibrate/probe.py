"""What a vLLM server costs while nobody waits: seconds of a step by batch, and of a prompt by length."""

import asyncio
import random
from statistics import median

from server import Reply, Server
from traffic import Request

BATCHES = (1, 2, 3, 4, 5, 6, 7, 8)
PROMPTS = (32, 64, 128, 256, 448)


async def steps(server: Server, tokens: int, chance: random.Random) -> dict[int, float]:
    """Seconds of a decoding step by requests in the batch: gaps between tokens, the median of three tries."""
    return {b: median([await step(server, b, tokens, chance) for _ in range(3)]) for b in BATCHES}


async def step(server: Server, batch: int, tokens: int, chance: random.Random) -> float:
    request = Request(0.0, 16, tokens)
    replies = await asyncio.gather(*(server.complete(request, chance) for _ in range(batch)))
    return median((reply.done - reply.first) / (tokens - 1) for reply in replies)


async def prompts(server: Server, times: int, chance: random.Random) -> dict[int, float]:
    """Seconds to the first token by prompt tokens, on an idle server."""
    found = {}
    for length in PROMPTS:
        replies = [await server.complete(Request(0.0, length, 2), chance) for _ in range(times)]
        found[length] = median(_first(reply) for reply in replies)
    return found


def _first(reply: Reply) -> float:
    return reply.first - reply.sent
