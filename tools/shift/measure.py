"""Real traces through the compiled rules and through ADWIN: docs/shift.md and its picture.

python tools/shift/measure.py TRACES         the folder that holds azure_llm_2023/ and mooncake_fast25/
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from random import Random

from lengths import TRACES, Exact, Reply, calm, exact, load
from picture import Line, Panel, draw
from play import FIRING, Played, Stage, make

from sre.usage.adwin import Adwin

ROOT = Path(__file__).parents[2]
PAGE, PICTURE = ROOT / "docs/shift.md", ROOT / "docs/shift.svg"
BEGIN, END = "<!-- tools/shift/measure.py writes from here -->", "<!-- to here -->"

PAST, MINUTES, SEED, LIMIT = 2 * 3600, 59, 1, 0.15

ASKED = (FIRING, "pool:output_tokens:ks10m", "pool:output_tokens:ks1h")
SHORT = {"Azure conversation": "conversation", "Azure code": "code", "Mooncake conversation": "mooncake"}
"""Team of each trace where the three share a model."""

QUIET, AFTER, SEEDS = 20_000, 3_000, range(10)
SHIFTS = {
    "twice as long": lambda tokens, _: 2 * tokens,
    "a fifth longer": lambda tokens, _: 1.2 * tokens,
    "a tenth longer": lambda tokens, _: 1.1 * tokens,
    "one in twenty runs to 4096": lambda tokens, chance: 4096 if chance < 0.05 else tokens,
    "one in ten stuck at 4096": lambda tokens, chance: 4096 if chance < 0.1 else tokens,
}


@dataclass(frozen=True)
class Result:
    """One trace: what raw replies say, the rules without and with a frozen baseline, and when ADWIN spoke."""

    name: str
    replies: Sequence[Reply]
    exact: Exact
    first: Played
    frozen: Played
    spoken: Sequence[float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("traces", type=Path)
    folder, stage = parser.parse_args().traces, Stage(make())
    results = [measured(stage, folder, name) for name in TRACES]
    lines = [*table(results), "", *shared(stage, folder), "", *early(results), "", *synthetic()]
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    text = "\n".join(lines)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    picture = draw("Distance of reply lengths from a calm past", list(map(panel, results)))
    PICTURE.write_text(picture, encoding="utf-8")


def measured(stage: Stage, folder: Path, name: str) -> Result:
    replies = load(folder, name)
    past = calm(replies, PAST, SEED)
    both = [*past, *replies]
    return Result(
        name,
        replies,
        exact(replies, past, LIMIT, MINUTES),
        stage.play(both, PAST, MINUTES, ASKED),
        stage.play(both, PAST, MINUTES, ASKED, stage.freeze(past, PAST)),
        [reply.second / 60 for reply in spoken(replies)],
    )


def spoken(replies: Sequence[Reply]) -> Iterator[Reply]:
    window = Adwin()
    return (reply for reply in replies if window.add(log(max(1, reply.tokens))))


def table(results: Sequence[Result]) -> Iterator[str]:
    head = "trace|replies|largest distance, 10 min / 1 h|raw replies begin to move / pass 0.15"
    yield _row(*head.split("|"), "fires, first week", "fires, frozen", "false alarms")
    yield _row(*["---"] * 7)
    for one in results:
        largest = [max(value or 0 for value in one.frozen.line(expr)) for expr in ASKED[1:]]
        fired = [played.of_pool() for played in (one.first, one.frozen)]
        passed = MINUTES + 1 if one.exact.passed is None else one.exact.passed
        wrong = sum(minute < passed for minutes in fired for minute in minutes)
        cells = [
            one.name,
            str(len(one.replies)),
            " / ".join(f"{value:.2f}" for value in largest),
            " / ".join("never" if minute is None else f"minute {minute}" for minute in one.exact),
            *map(_first, fired),
            str(wrong),
        ]
        yield _row(*cells)


def shared(stage: Stage, folder: Path) -> Iterator[str]:
    """All three on one model: whose replies moved."""
    teams = {name: load(folder, name, team) for name, team in SHORT.items()}
    past = [one for replies in teams.values() for one in calm(replies, PAST, SEED)]
    played = stage.play(
        [*past, *(one for replies in teams.values() for one in replies)], PAST, MINUTES, ASKED
    )
    fired = {team: played.firing(by="consumer", consumer=team) for team in SHORT.values()}
    yield "| all three on one model | fires |"
    yield "|---|---|"
    yield f"| the pool | {_first(played.of_pool())} |"
    for team, minutes in fired.items():
        yield f"| team {team} | {_first(minutes)} |"


def early(results: Sequence[Result]) -> Iterator[str]:
    yield "| trace | ADWIN speaks at minute | before the move |"
    yield "|---|---|---|"
    for one in results:
        began = one.exact.began
        before = sum(1 for minute in one.spoken if began is None or minute < began - 10)
        said = ", ".join(f"{minute:.0f}" for minute in one.spoken) or "never"
        yield f"| {one.name} | {said} | {before} |"


def synthetic() -> Iterator[str]:
    """The shifts of replies that are drawn: 20,000 quiet ones, then 3,000 that moved."""
    yield f"| {QUIET:,} quiet replies, then | found, of {len(SEEDS)} seeds | after replies, median | false alarms |"
    yield "|---|---|---|---|"
    for name, shift in SHIFTS.items():
        delays, wrong = list[int](), 0
        for seed in SEEDS:
            window, random, found = Adwin(), Random(seed), list[int]()  # noqa: S311
            for number in range(QUIET + AFTER):
                tokens, chance = random.lognormvariate(5, 1), random.random()
                value = shift(tokens, chance) if number >= QUIET else tokens
                if window.add(log(max(1, round(value)))):
                    found.append(number)
            wrong += sum(number < QUIET for number in found)
            delays += [number - QUIET + 1 for number in found if number >= QUIET][:1]
        middle = f"{sorted(delays)[len(delays) // 2]:,}" if delays else "-"
        yield f"| {name} | {len(delays)} | {middle} | {wrong} |"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _first(minutes: Sequence[int]) -> str:
    return f"minute {minutes[0]}" if minutes else "never"


def panel(one: Result) -> Panel:
    lines = [
        Line("last 10 minutes", one.frozen.line(ASKED[1])),
        Line("last hour", one.frozen.line(ASKED[2])),
    ]
    return Panel(one.name, lines, LIMIT, one.frozen.of_pool(), one.spoken)


if __name__ == "__main__":
    main()
