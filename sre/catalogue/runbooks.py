"""Runbook pages: what to ask, as data in the front matter; what to know, as Markdown behind it."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from sre import source
from sre.catalogue import folders, placeholders
from sre.catalogue.amounts import Line
from sre.catalogue.commands import COMMANDS
from sre.catalogue.entries import read_entry
from sre.explain import LOADED, objection
from sre.findings import Finding, Refused
from sre.promql import quote
from sre.units import parse_number

SECTIONS = (
    "Meaning", "Who is hurt and how soon to act", "Confirm", "Hypotheses", "Stop the bleeding", "Escalate",
    "False positives", "Related",
)  # fmt: skip
"""Headings of a page, in the order in which they are needed at three in the morning."""

ASKED = ("pool", "replica", "uuid", "host", "model")
"""Words that a query may take from the alert's labels, as ``"{pool}"``."""

FIELDS = ("threshold", "for", "keep", "within", "severity", "confirm", "hypotheses", "dashboard", *COMMANDS)
"""Words that a page may take from the fleet and the catalogue, as ``{{threshold}}`` or ``{{threshold:ttft_p95}}``."""

CONDITIONS = ("kubernetes", "host")
"""``{{#host}}...{{/host}}`` is for fleets of that identity only."""

_NUMBER = r"-?(?:[0-9]{1,15}(?:\.[0-9]{1,15})?|\.[0-9]{1,15})"
_SHOWS = re.compile(rf"(>=|<=|==|!=|>|<) (?:\$([a-z][a-z0-9_]*)|({_NUMBER})): (.+)", re.DOTALL)
_ASK = re.compile(r'"\{(\w+)\}"')
_STEP = re.compile(r"- \*\*(?:safe|unsafe)\*\*[,:] \S")

_WHY = "the person who was woken needs it"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Expectation(_Model):
    """What an answer must be for a hypothesis to hold: ``> 0.9: the cache is nearly full``.

    The bound is a number in the series' base unit, or ``$name``: the threshold of the pool that is asked about.
    """

    op: Literal[">", "<", ">=", "<=", "==", "!="]
    bound: Decimal | None = None
    threshold: str | None = None
    words: str

    def holds(self, value: Decimal, limit: Decimal | None = None) -> bool:
        """Whether one sample of the answer is as expected; ``limit`` is the value of ``threshold``."""
        bound = self.bound if self.bound is not None else limit
        if bound is None:
            raise ValueError(f"the limit {self.threshold} is needed to judge an answer")
        order = (value > bound) - (value < bound)
        return (
            order in {">": (1,), "<": (-1,), ">=": (0, 1), "<=": (-1, 0), "==": (0,), "!=": (-1, 1)}[self.op]
        )


def _expectation(text: object) -> object:
    found = _SHOWS.fullmatch(text.strip()) if isinstance(text, str) else None
    if not found:
        raise objection(
            f"{source.show(text)} is no expectation",
            "write an operator, a number (or $threshold), a colon and what that means: "
            "`> 0.9: the cache is nearly full`",
            "a program compares the answer with it",
        )
    op, threshold, number, words = found.groups()
    bound = parse_number(number) if number else None
    return Expectation(op=op, bound=bound, threshold=threshold, words=words)  # type: ignore[arg-type]


Shows = Annotated[Expectation, BeforeValidator(_expectation)]


class Question(_Model):
    """One query and what its answer must be; true when any sample of the answer is so."""

    query: Line = Field(description="a question without a query is left to guessing")
    shows: Shows = Field(description="without an expected answer a query decides nothing")

    def asked(self) -> frozenset[str]:
        """The words that are taken from the alert's labels."""
        return frozenset(_ASK.findall(self.query))

    def filled(self, values: Mapping[str, str]) -> str:
        """The query for one alert; ``values`` by word. A label that the alert does not have is the empty text."""
        return _ASK.sub(lambda m: quote(values.get(m[1], "")), self.query)


class Hypothesis(Question):
    """One thing that may be wrong."""

    name: Line = Field(description="what may be wrong, in a few words")
    action: Line = Field(description="what to do when it is so")
    verify: Line = Field(description="how to know that it worked")
    safe: bool | None = Field(None, description="whether the action can make things worse")


class Runbook(_Model):
    """One page. What a person wrote stands beside its line in ``file``, for findings."""

    confirm: Question = Field(description="the one query that says whether the alert is right")
    hypotheses: tuple[Hypothesis, ...] = Field(
        min_length=3, max_length=5, description="fewer than three is no search, more than five no plan"
    )
    name: Annotated[str, LOADED] = ""
    file: Annotated[str, LOADED] = ""
    body: Annotated[str, LOADED] = ""
    line: Annotated[int, LOADED] = Field(1, description="where the body begins")
    query_lines: Annotated[tuple[int, ...], LOADED] = Field((), description="one for each of `questions`")
    texts: Annotated[tuple[tuple[int, str], ...], LOADED] = Field(
        (), description="(line, template) of everything people read"
    )

    @property
    def questions(self) -> tuple[Question, ...]:
        return (self.confirm, *self.hypotheses)

    def sections(self) -> dict[str, tuple[int, str]]:
        """Heading -> (line of the heading in the file, text below it)."""
        found: dict[str, tuple[int, str]] = {}
        parts = re.split(r"^## (.*)\n", self.body, flags=re.MULTILINE)
        line = self.line + parts[0].count("\n")
        for heading, text in zip(parts[1::2], parts[2::2], strict=True):
            found.setdefault(heading.strip(), (line, text))
            line += 1 + text.count("\n")
        return found


def load_runbooks(folder: Path) -> tuple[dict[str, Runbook], list[Finding]]:
    """Every ``NAME.md`` of a folder as a page, and what is wrong with those that are none. No folder, no pages."""
    pages, findings = dict[str, Runbook](), list[Finding]()
    for path in folders.files(folder.parent, folder.name):
        try:
            page = _read(path, folders.called(path))
        except Refused as refused:
            findings += refused.findings
            continue
        findings += _review(page)
        pages[page.name] = page
    return pages, findings


def _read(path: Path, name: str) -> Runbook:
    front, body = _split(path, name)
    data = source.parse(name, front.encode())
    if not isinstance(data.data, dict):
        raise Refused([data.finding((), "the front matter is no mapping", _WHY, "begin with `confirm:`")])
    page, findings = read_entry(Runbook, data, (), data.data)
    if page is None:
        raise Refused(findings)
    asked = [data.place.inside["confirm"], *data.place.inside["hypotheses"].inside.values()]
    line = front.count("\n") + 2
    return page.model_copy(
        update={
            "name": path.stem,
            "file": name,
            "body": body,
            "line": line,
            "query_lines": tuple(place.inside["query"].line for place in asked),
            "texts": ((line, body), *_texts(data)),
        }
    )


def _texts(data: source.Source) -> Iterator[tuple[int, str]]:
    """What the front matter tells people, beside the queries."""
    answers = data.data
    for question, place in zip(
        (answers["confirm"], *answers["hypotheses"]),
        (data.place.inside["confirm"], *data.place.inside["hypotheses"].inside.values()),
        strict=True,
    ):
        told = (key for key in question if key not in ("query", "safe"))
        yield from ((place.inside[key].line, question[key]) for key in told)


def _split(path: Path, name: str) -> tuple[str, str]:
    """The front matter (with its opening line, so that lines count) and what follows it."""
    text = folders.read_text(path)
    front, found, body = text.partition("\n---\n")
    if not (found and front.startswith("---\n")):
        fix = "begin with a line `---`, the questions as YAML, and another line `---`"
        raise Refused([Finding(f"{name}:1", "the page has no front matter", "the questions live there", fix)])
    return front + "\n", body


def _review(page: Runbook) -> Iterator[Finding]:
    """What can be said about one page without knowing the catalogue."""
    yield from _headings(page)
    yield from _marks(page)
    for name, field in (("Confirm", "confirm"), ("Hypotheses", "hypotheses")):
        line, text = page.sections().get(name, (page.line, ""))
        if (field, "") not in placeholders.fields(text):
            yield _finding(
                page, line, f"`{name}` does not show its questions", f"write `{{{{{field}}}}}` there"
            )
    line, text = page.sections().get("Stop the bleeding", (page.line, ""))
    for number, step in enumerate(text.split("\n")):
        if step.startswith("- ") and not _STEP.match(step):
            yield _finding(page, line + 1 + number, "a step is marked neither safe nor unsafe",
                           "begin it with `- **safe**, ` or `- **unsafe**, ` and why")  # fmt: skip


def _headings(page: Runbook) -> Iterator[Finding]:
    found = page.sections()
    missing = [name for name in SECTIONS if name not in found]
    if missing:
        yield _finding(
            page, page.line, f"has no section {', '.join(missing)}", "add `## ` and the section's name"
        )
    for name in found.keys() - set(SECTIONS):
        yield _finding(page, found[name][0], f"has a section `{name}`", source.suggest(name, SECTIONS))
    if not missing and [name for name in found if name in SECTIONS] != list(SECTIONS):
        yield _finding(
            page, page.line, "has its sections in another order", "order them " + ", ".join(SECTIONS)
        )


def _marks(page: Runbook) -> Iterator[Finding]:
    known = "known here: " + ", ".join(f"{{{{{name}}}}}" for name in FIELDS)
    for start, text in page.texts:
        for line, what in placeholders.objections(text, FIELDS, CONDITIONS):
            yield _finding(page, start + line, f"has {what}", known)


def _finding(page: Runbook, line: int, what: str, fix: str) -> Finding:
    return Finding(f"{page.file}:{line}", f"the runbook {what}", _WHY, fix)
