"""A vLLM CPU worker whose steps take a set time, as an accelerator's do, however busy the machine is.

`--worker-cls paced_worker.PacedWorker` with this folder on PYTHONPATH. The model is still computed; what is left
of the step is slept. PACE: seconds of a step, seconds per request in it, seconds per prompt token of it. A machine
that cannot keep the pace is told of: the file PACE_LATE holds the seconds by which steps were late, all in all.
"""

import os
import time
from pathlib import Path

from vllm.v1.worker.cpu_worker import CPUWorker


class PacedWorker(CPUWorker):
    _end = 0.0
    _late = 0.0
    _behind = 0.0

    def execute_model(self, scheduler_output):
        # With requests of the last step in it, this one follows at once: the host's own work between two steps
        # is hidden, as asynchronous scheduling hides it on a GPU.
        goes_on = scheduler_output.scheduled_cached_reqs.num_reqs > 0
        begin = self._end if goes_on else time.monotonic()
        result = super().execute_model(scheduler_output)
        # A step that comes late is made up for by the next ones: over a second the pace is kept.
        self._end, now = begin + _cost(scheduler_output.num_scheduled_tokens.values()), time.monotonic()
        behind = max(0.0, now - self._end)
        if behind > self._behind and _LATE:
            self._late += behind - self._behind
            Path(_LATE).write_text(f"{self._late:.3f}\n")
        self._behind = behind
        time.sleep(max(0.0, self._end - now))
        return result


def _cost(tokens):
    step, request, prompt_token = _PACE
    return step + request * len(tokens) + prompt_token * sum(count for count in tokens if count > 1)


_LATE = os.environ.get("PACE_LATE")
_PACE = tuple(map(float, os.environ.get("PACE", "0.08 0.002 0.0003").split()))
