"""The early signal in the exporter: it tells what river's ADWIN tells, in little memory."""

import json
from math import log, log2
from pathlib import Path
from random import Random

import pytest

from sre.usage.adwin import Adwin, LengthShifts

RIVER = json.loads((Path(__file__).parent / "fixtures/adwin/river.json").read_text(encoding="utf-8"))
"""What river found in the streams below: [number, size of the window that it kept] of each detection."""
QUIET, AFTER = 20_000, 3_000


def lengths(kind, seed):
    """Tokens of replies that are steady, and of some that then change."""
    random = Random(seed)  # noqa: S311
    for number in range(QUIET + AFTER):
        tokens, chance = random.lognormvariate(5, 1), random.random()
        if number >= QUIET:
            tokens *= {"twice": 2, "a fifth longer": 1.2}.get(kind, 1)
            if kind == "one in twenty long" and chance < 0.05:
                tokens = 4000 + 2000 * chance
        yield max(1, round(tokens))


@pytest.mark.parametrize("stream", RIVER["streams"], ids=lambda one: f"{one['kind']}-{one['seed']}")
def test_it_finds_what_river_finds(stream):
    """The same detections at the same replies, and the same window kept after each, as river's own class."""
    window, found = Adwin(), []
    for number, tokens in enumerate(lengths(stream["kind"], stream["seed"])):
        if window.add(log(tokens)):
            found.append([number, window.size])
    assert found == stream["detected"]
    assert (window.size, window.mean) == (stream["size"], pytest.approx(stream["mean"]))


def test_memory_grows_with_the_logarithm():
    """A hundred thousand replies are kept as fewer than a hundred numbers."""
    window, random = Adwin(), Random(5)  # noqa: S311
    for _ in range(100_000):
        window.add(random.gauss(0, 1))
    assert window.size == 100_000
    assert window.buckets <= 6 * (log2(100_000) + 1)


def test_false_alarms_are_rare():
    """On a hundred steady streams of two thousand replies no more detections than its bound allows."""
    found = 0
    for seed in range(100):
        window, random = Adwin(), Random(seed)  # noqa: S311
        found += any(window.add(random.gauss(5, 1)) for _ in range(2000))
    assert found <= 3


def test_each_model_has_its_own_window():
    """One model's change is not counted for another, and a model's count begins at 0."""
    shifts = LengthShifts()
    for before, after in zip(lengths("steady", 1), lengths("twice", 1), strict=True):
        shifts.add("calm", before)
        shifts.add("moved", after)
    assert shifts.detected == {"calm": 0, "moved": 1}


def test_a_reply_of_no_tokens_is_a_reply():
    """An empty reply counts as one token, and breaks nothing."""
    shifts = LengthShifts()
    for _ in range(100):
        shifts.add("chat", 0)
    assert shifts.detected == {"chat": 0}
