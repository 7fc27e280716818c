"""Usage seen from inside an engine: ``vllm serve --middleware sre.usage.asgi.UsageMiddleware``."""

from sre.usage.asgi.middleware import UsageMiddleware

__all__ = ["UsageMiddleware"]
