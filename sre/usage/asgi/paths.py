"""Which requests ask for inference. Everything else passes unseen."""

from typing import Any

_PATHS = frozenset({
    "/v1/chat/completions", "/v1/chat/completions/batch", "/v1/completions", "/v1/responses", "/v1/messages",
    "/v1/embeddings", "/v1/rerank", "/v2/rerank", "/rerank", "/v1/score", "/score", "/classify", "/pooling",
    "/v2/embed", "/cohere/v2/chat", "/generative_scoring", "/inference/v1/generate", "/invocations", "/v1/systemone",
})  # fmt: skip
"""Of vLLM 0.32.0's routes those that generate or embed and report tokens; audio reports seconds and is left out."""


def asks_for_inference(scope: Any) -> bool:
    """Tell from an ASGI scope, whatever prefix the server is mounted under."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return False
    path = scope["path"]
    return path in _PATHS or path.removeprefix(scope.get("root_path", "")) in _PATHS
