"""The alert on the lengths of replies, over replies one by one: whose moved, and how soon it is seen."""

import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

ROOT = Path(__file__).parents[1]
TOOLS, TRACES = ROOT / "tools" / "shift", ROOT.parent / "shared" / "traces"
PAST, MINUTES = 2 * 3600, 40


@pytest.fixture(scope="module", autouse=True)
def tools() -> Iterator[None]:
    """The tools import each other by name, as scripts of one folder do."""
    sys.path.insert(0, str(TOOLS))
    yield
    sys.path.remove(str(TOOLS))


@pytest.fixture(scope="module")
def stage():
    from play import Stage, make

    return Stage(make())


def drawn(team, hourly, factor):
    """Replies of a team from two hours before to forty minutes after the moment at which they become longer."""
    from lengths import Reply

    random = Random(team)  # noqa: S311
    for _ in range(round(hourly * (PAST + MINUTES * 60) / 3600)):
        second = -PAST + random.random() * (PAST + MINUTES * 60)
        tokens = random.lognormvariate(5, 1) * (factor if second > 0 else 1)
        yield Reply(second, max(1, round(tokens)), team)


def test_on_a_shared_model_the_team_that_moved_is_named(stage):
    """One of three teams gets replies twice as long: it is named within half an hour, and no other team ever."""
    from play import FIRING

    teams = {"search": (900, 2), "support": (3000, 1), "legal": (40, 2)}
    replies = sorted(one for team, (hourly, factor) in teams.items() for one in drawn(team, hourly, factor))
    played = stage.play(replies, PAST, MINUTES, [FIRING])
    first = {team: next(iter(played.firing(by="consumer", consumer=team)), None) for team in teams}
    assert first.pop("search") <= 30
    # Twice as long as well, but nothing is concluded from forty replies an hour.
    assert first == {"support": None, "legal": None}
    # In the sum of the three it is too little for the pool.
    assert played.of_pool() == []


def test_real_traces_fire_where_they_move_and_nowhere_else(stage):
    """Azure's conversations are told ten minutes after they pass the limit; its code and Mooncake never are."""
    if not TRACES.is_dir():
        pytest.skip("no traces beside the checkout")
    from lengths import TRACES as NAMES
    from lengths import calm, load
    from play import FIRING

    fired = dict[str, list[int]]()
    for name in NAMES:
        replies = load(TRACES, name)
        fired[name] = stage.play([*calm(replies, PAST, 1), *replies], PAST, 59, [FIRING]).of_pool()
    assert fired.pop("Azure conversation")[0] == pytest.approx(36, abs=2)
    assert fired == {"Azure code": [], "Mooncake conversation": []}
