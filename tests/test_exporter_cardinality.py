"""Names that somebody makes up by the million: series stay at the cap, totals exact, memory flat."""

import gc
import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from sre.usage.accounts import Accounts
from sre.usage.formats import load_format
from sre.usage.identity import Identity
from sre.usage.intake import Intake, Route
from sre.usage.keys import hash_key

ROUTE = Route("/ingest/litellm", load_format("litellm"))
TEAMS, MODELS = ("search", "support"), ("llama",)
AT_ONCE, BODIES = 2000, 24
"""Records with values that were never seen before: 48,000 of them take some seconds; nothing changes with more."""


def attack() -> Iterator[bytes]:
    """Bodies in which every team, key, model, user agent and id is a new one."""
    for body in range(BODIES):
        yield b"\n".join(record(body * AT_ONCE + number) for number in range(AT_ONCE))


def record(number: int) -> bytes:
    metadata = {
        "user_api_key_hash": f"key-{number}",
        "user_agent": f"agent/{number}",
        "user_api_key_end_user_id": f"u{number}",
    }
    if number % 2:
        metadata["user_api_key_team_alias"] = f"team-{number}-" + "x" * (number % 300)
    given = {
        "id": f"id-{number}",
        "status": "success",
        "endTime": 1790000000.0 + number,
        "metadata": metadata,
    }
    return json.dumps(
        given | {"model": f"model-{number}", "prompt_tokens": 10, "completion_tokens": 3}
    ).encode()


def series(page: bytes) -> int:
    return sum(not line.startswith(b"#") for line in page.splitlines())


def resident() -> float:
    """Megabytes that the process holds."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def total(page: bytes, name: str, label: str = "") -> float:
    lines = page.decode().splitlines()
    return sum(
        float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + "{") and label in line
    )


@pytest.mark.parametrize("roster", [True, False])
def test_a_million_names_make_no_series(roster):
    """With a roster none of the names is shown; without one only the first, under the cap. Every token is counted."""
    teams, models = (TEAMS, MODELS) if roster else (None, None)
    keys = {hash_key(f"own-{number}", bytes(16)): "search" for number in range(20)}
    intake = Intake(
        Identity(teams, keys), Accounts(teams, models, label_sets=700), [ROUTE.name], lambda: 0.0, 5000
    )
    bodies, known = attack(), series(intake.expose())
    for body in islice(bodies, BODIES // 4):
        intake.take_body(ROUTE, body)
    before, after_some = resident(), series(intake.expose())
    for body in bodies:
        intake.take_body(ROUTE, body)
    page, records = intake.expose(), AT_ONCE * BODIES
    assert series(page) == after_some
    assert (after_some == known) is roster
    assert resident() < before + 10
    assert total(page, "llm_requests_total") == records
    assert total(page, "llm_tokens_total", 'class="output"') == 3 * records
    assert total(page, "llm_output_tokens_count") == records
    assert total(page, "llm_requests_total", 'team="unassigned"') <= records / 2
    assert total(page, "llm_exporter_label_overflow_total", 'label="model"') > records * 0.98
    assert max(len(line) for line in page.splitlines()) < 400
    assert b"agent/" not in page


def test_a_key_of_the_map_is_found_among_a_million():
    """Whoever holds a mapped key is counted for its team, however many others come."""
    entry = hash_key("own", bytes(16))
    intake = Intake(Identity(TEAMS, {entry: "support"}), Accounts(TEAMS, MODELS), [ROUTE.name], lambda: 0.0)
    own = [record(number).replace(f'"key-{number}"'.encode(), b'"own"') for number in range(0, 40, 2)]
    others = [record(number) for number in range(1000, 2000, 2)]
    intake.take_body(ROUTE, b"\n".join((*own, *others)))
    assert total(intake.expose(), "llm_requests_total", 'team="support"') == 20
    assert total(intake.expose(), "llm_requests_total", 'team="unassigned"') == 500
