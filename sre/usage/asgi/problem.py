"""The problem that an answer tells of, out of the ways in which engines write it."""

from sre.usage.asgi.shapes import UNREADABLE, Failed, Problem, decode_failed, decode_problem

_LONGEST = 2048
"""Characters of a text without structure that are looked at."""


def problem_of(body: bytes) -> Problem:
    """Class, code and text of an error's body. They are matched and dropped: a text may quote the prompt."""
    try:
        failed = decode_failed(body)
        return _inside(failed) or decode_problem(body)
    except UNREADABLE:
        return Problem(message=body[:_LONGEST].decode("utf-8", "replace"))


def _inside(failed: Failed) -> Problem | None:
    if isinstance(failed.error, str):
        return Problem(message=failed.error)
    if failed.error is None and bytes(failed.detail):
        return Problem(message=bytes(failed.detail)[:_LONGEST].decode("utf-8", "replace"))
    return failed.error
