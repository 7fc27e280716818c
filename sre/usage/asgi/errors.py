"""Stand-in until the rules of exporters/gateways are there."""

from sre.usage.asgi.shapes import Problem

FINISHES = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "end_turn": "stop",
    "max_tokens": "length",
    "completed": "stop",
    "max_output_tokens": "length",
}


def classify(problem: Problem, status: int) -> str:
    """By status."""
    return {401: "auth", 404: "model_not_found", 400: "invalid_input"}.get(status, "server_error")
