"""The early signal in the exporter: it tells what river's ADWIN tells, in little memory."""

import json
import re
from math import log, log2
from pathlib import Path
from random import Random

import msgspec
import pytest

from sre.usage.accounts import Accounts
from sre.usage.adwin import Adwin
from sre.usage.record import Tokens, UsageRecord

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


def accounts():
    return Accounts(["search"], ["calm", "moved"], early=True)


def reply(model, tokens):
    return UsageRecord("", 0.0, "success", model=model, tokens=Tokens(output=tokens))


def counts(found):
    return dict(
        re.findall(r'llm_output_shift_detected_total\{model="(\w+)"\} (\d+)', found.expose().decode())
    )


def test_each_model_has_its_own_window():
    """The exporter counts one model's change and not the other's; each model's count begins at 0."""
    found = accounts()
    assert counts(found) == {"calm": "0", "moved": "0", "other": "0"}
    for before, after in zip(lengths("steady", 1), lengths("twice", 1), strict=True):
        found.add(reply("calm", before), "search")
        found.add(reply("moved", after), "search")
    assert counts(found) == {"calm": "0", "moved": "1", "other": "0"}


def test_it_is_off_unless_asked_for():
    """Without the option there is no such metric."""
    assert counts(Accounts(["search"], ["calm"])) == {}


def test_a_restart_forgets_nothing():
    """Stopped in the middle and gone on from the state file, it speaks at the same reply."""
    stream, first, second = list(lengths("twice", 1)), accounts(), accounts()
    for tokens in stream[: QUIET + 40]:
        first.add(reply("moved", tokens), "search")
    second.restore(msgspec.json.decode(msgspec.json.encode(first.snapshot())))
    found = list[int]()
    for number, tokens in enumerate(stream[QUIET + 40 :], QUIET + 40):
        second.add(reply("moved", tokens), "search")
        if counts(second)["moved"] == "1":
            found.append(number)
            break
    assert found == [RIVER["streams"][3]["detected"][0][0]]


def test_a_reply_of_no_tokens_is_a_reply():
    """An empty reply counts as one token, and breaks nothing."""
    found = accounts()
    for _ in range(100):
        found.add(reply("calm", 0), "search")
    assert counts(found)["calm"] == "0"
