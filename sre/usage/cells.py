"""Where counts lie: one row for each pair of team and model, and what is known by model alone."""

from sre.usage import bounds, families
from sre.usage.families import Family
from sre.usage.histogram import MICRO, Histogram
from sre.usage.labels import pair
from sre.usage.record import ERROR_TYPES, FINISH_REASONS, TOKEN_CLASSES

OUTCOMES = ("success", "error")
COLUMNS = (*TOKEN_CLASSES, *OUTCOMES, *ERROR_TYPES)
"""Of a row."""
SUCCESS = len(TOKEN_CLASSES)
ERROR = SUCCESS + 1
FIRST_ERROR = ERROR + 1
ERROR_COLUMN: dict[str, int] = {name: FIRST_ERROR + index for index, name in enumerate(ERROR_TYPES)}
FINISH_COLUMN: dict[str, int] = {name: index for index, name in enumerate(FINISH_REASONS)}


class ModelCell:
    """What is counted by model alone."""

    __slots__ = ("_finishes", "_missing", "duration", "finishes", "lengths", "missing", "name", "ttft")

    def __init__(self, name: str, *, lengths: bool) -> None:
        self.name, label = name, pair("model", name)
        self.ttft = Histogram(families.TTFT, label, bounds.TTFT_SECONDS, MICRO)
        self.duration = Histogram(families.DURATION, label, bounds.DURATION_SECONDS, MICRO)
        self.lengths = lengths_of(label) if lengths else None
        self.finishes, self.missing = [0] * len(FINISH_REASONS), 0
        self._finishes = _lines(families.FINISHES, label, "reason", FINISH_REASONS)
        self._missing = f"{families.USAGE_MISSING.name}{{{label}}} "

    def clear(self) -> None:
        self.finishes[:], self.missing = [0] * len(FINISH_REASONS), 0
        for histogram in (self.ttft, self.duration, self.lengths):
            if histogram:
                histogram.clear()

    def finished(self) -> str:
        """Lines of the reasons why replies ended."""
        return self._finishes % tuple(self.finishes)

    def unreported(self) -> str:
        """The line of requests without usage."""
        return f"{self._missing}{self.missing}\n"


Parts = tuple[
    list[int], Histogram, list[int], Histogram, list[int], Histogram, list[int], list[int], ModelCell
]
"""Row; lengths, first tokens and durations, each with its counts; reasons; the model."""


class PairCell:
    """What is counted by team and model. ``lengths`` is the pair's own histogram, or its model's.

    ``parts`` is all that one record changes, as one tuple: to take it apart is faster than to look up attributes.
    """

    __slots__ = ("_errors", "_requests", "_tokens", "lengths", "model", "names", "parts", "row")

    def __init__(self, team: str, model_name: str, model: ModelCell) -> None:
        label = f"{pair('team', team)},{pair('model', model_name)}"
        self.names, self.model, self.row = (team, model_name), model, [0] * len(COLUMNS)
        self.lengths = model.lengths or lengths_of(label)
        lengths, ttft, duration = self.lengths, model.ttft, model.duration
        times = (ttft, ttft.counts, duration, duration.counts)
        self.parts: Parts = (self.row, lengths, lengths.counts, *times, model.finishes, model)
        self._tokens = _lines(families.TOKENS, label, "class", TOKEN_CLASSES)
        self._requests = _lines(families.REQUESTS, label, "outcome", OUTCOMES)
        self._errors = _lines(families.ERRORS, label, "error_type", ERROR_TYPES)

    def clear(self) -> None:
        self.row[:] = [0] * len(COLUMNS)
        self.lengths.clear()

    def tokens(self) -> str:
        """Lines of tokens by class."""
        return self._tokens % tuple(self.row[:SUCCESS])

    def requests(self) -> str:
        """Lines of requests by outcome."""
        return self._requests % tuple(self.row[SUCCESS:FIRST_ERROR])

    def errors(self) -> str:
        """Lines of failed requests by type."""
        return self._errors % tuple(self.row[FIRST_ERROR:])


def lengths_of(label: str) -> Histogram:
    """An empty histogram of the lengths of replies."""
    return Histogram(families.OUTPUT_TOKENS, label, bounds.OUTPUT_TOKENS)


def _lines(family: Family, label: str, name: str, values: tuple[str, ...]) -> str:
    """A template: one line for each value, the numbers left open. Made once, so that a scrape only fills in."""
    safe = label.replace("%", "%%")
    return "".join(f"{family.name}{{{safe},{pair(name, value)}}} %d\n" for value in values)
