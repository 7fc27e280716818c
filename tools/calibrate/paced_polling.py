"""A vLLM plugin: between two steps the engine sleeps a millisecond at a time where it would spin.

A spinning engine takes whatever a busy machine has left, and is then the last to be let on when its step is done.
"""

import time


def rest() -> None:
    from vllm.distributed.device_communicators import shm_broadcast

    shm_broadcast.sched_yield = lambda: time.sleep(0.001)
