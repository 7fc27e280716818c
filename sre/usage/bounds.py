"""Upper bounds of the histograms' buckets, so chosen that ours and an engine's can be laid side by side."""

OUTPUT_TOKENS = (
    *(1, 2, 5, 10, 20, 50, 100, 128, 200, 256, 500, 512, 1000, 1024, 2000, 2048),
    *(4096, 5000, 8192, 10000, 16384, 20000, 32768),
)
"""vLLM's own 1-2-5 steps, and between them the powers of two from 128 on: limits on replies are mostly such
numbers, and replies that pile up at one are seen only where a bucket ends there."""

TTFT_SECONDS = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5),
    *(10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
"""Those of vLLM's `vllm:time_to_first_token_seconds` (0.32)."""

DURATION_SECONDS = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0),
    *(120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0),
)
"""Those of vLLM's `vllm:e2e_request_latency_seconds` (0.32)."""
