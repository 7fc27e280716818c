"""What an engine's answer says, event by event or as a whole: usage, finish, model, error, first content."""

from collections.abc import Mapping

from sre.usage.asgi.errors import Classify
from sre.usage.asgi.kept import last_member
from sre.usage.asgi.problem import problem_of
from sre.usage.asgi.shapes import (
    UNREADABLE,
    Answer,
    Choice,
    Delta,
    Inner,
    Usage,
    decode_answer,
    decode_usage,
)
from sre.usage.asgi.tally import billed, tokens_of
from sre.usage.record import Tokens

NEEDLES = (b'"usage"', b'"finish_reason":"', b'"finish_reason": "', b'"stop_reason":"', b'"error"')
"""Once the first content was seen, only events that hold one of these are decoded."""

_EMPTY = (b"", b"null", b'""', b"[]")
_CONTENT_EVENTS = ("content_block_delta", "content-delta", "tool-call-delta")
_MOST_TELLING = ("error", "abort", "content_filter", "repetition", "length", "other", "tool_calls", "stop")


class Reply:
    """Grows with what is read; holds counts, words of closed lists and the model's name, never a text."""

    __slots__ = (
        "_finishes",
        "_start",
        "_usage",
        "classify",
        "error_type",
        "finish_reason",
        "model",
        "started",
    )

    def __init__(self, classify: Classify, finishes: Mapping[str, str]) -> None:
        """``classify``: the error type of a problem and a status; ``finishes``: the finish reason for an API's word."""
        self.classify, self._finishes = classify, finishes
        self._usage: Usage | None = None
        self._start: Usage | None = None
        self.error_type: str | None = None
        self.finish_reason: str | None = None
        self.model: str | None = None
        self.started = False

    def tokens(self) -> Tokens | None:
        """From the usage that was reported last: where every event repeats it, it is cumulative."""
        return tokens_of(self._usage, self._start) if self._usage else None

    def read_event(self, data: bytes) -> None:
        """Take the data of one event in."""
        if not self.started or any(needle in data for needle in NEEDLES):
            self.read(data)

    def read(self, data: bytes) -> None:
        """Take an answer in, whole or one event of it; of what is no JSON (the end of a long one) the usage."""
        try:
            answer = decode_answer(data)
        except UNREADABLE:
            self._read_end(data)
        else:
            self._take(answer)

    def read_error(self, body: bytes, status: int) -> None:
        """Take the body of an answer with an error's status in."""
        self.error_type = self.classify(problem_of(body), status)

    def _read_end(self, data: bytes) -> None:
        if found := last_member(data, "usage"):
            try:
                self._usage = decode_usage(found)
            except UNREADABLE:
                return

    def _take(self, answer: Answer) -> None:
        if answer.type == "message_start" and isinstance(answer.message, Inner):
            self._start, answer.message.usage = answer.message.usage, None
        for part in (answer, answer.response, answer.message):
            if isinstance(part, Inner):
                self._take_part(part)
        for choice in answer.choices or ():
            self._finish(choice.finish_reason)
        self._finish(answer.stop_reason or answer.finish_reason)
        if isinstance(answer.delta, Delta):
            self._finish(answer.delta.stop_reason or answer.delta.finish_reason)
            self._usage = answer.delta.usage or self._usage
        self._usage = billed(answer) or self._usage
        self.started = self.started or _has_content(answer)

    def _take_part(self, part: Inner) -> None:
        self.model = part.model or self.model
        self._usage = part.usage or self._usage
        if part.incomplete_details:
            self._finish(part.incomplete_details.reason)
        elif isinstance(part.status, str):
            self._finish(part.status if part.status in self._finishes else None)
        if bytes(part.error) not in _EMPTY:
            problem = problem_of(b'{"error":' + bytes(part.error) + b"}")
            self.error_type = self.classify(problem, problem.code if isinstance(problem.code, int) else 500)

    def _finish(self, word: str | None) -> None:
        # A request of several choices ends for several reasons; one is counted, the one that tells most.
        if word:
            reason = self._finishes.get(word.casefold(), "other")
            known = [reason, self.finish_reason]
            self.finish_reason = next(reason for reason in _MOST_TELLING if reason in known)


def _has_content(answer: Answer) -> bool:
    if answer.choices:
        return any(map(_choice_has_content, answer.choices))
    if isinstance(answer.delta, str):
        return bool(answer.delta)
    return answer.type in _CONTENT_EVENTS


def _choice_has_content(choice: Choice) -> bool:
    texts = [choice.text, choice.token_ids]
    if choice.delta:
        delta = choice.delta
        texts += [delta.content, delta.reasoning, delta.reasoning_content, delta.tool_calls, delta.refusal]
    return any(bytes(text) not in _EMPTY for text in texts)
