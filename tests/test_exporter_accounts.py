import math
import subprocess
from collections import Counter
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from sre.usage.accounts import Accounts
from sre.usage.bounds import OUTPUT_TOKENS
from sre.usage.identity import Identity
from sre.usage.keys import KeyMap, common_salt, hash_key
from sre.usage.labels import OTHER, UNASSIGNED
from sre.usage.record import ERROR_TYPES, FINISH_REASONS, TOKEN_CLASSES, Tokens, UsageRecord
from sre.usage.seen import Seen

TEAMS, MODELS = ("search", "support"), ("llama", "mistral")
SALT = bytes(range(16))


def success(team: str | None = "search", model: str | None = "llama", **fields: object) -> UsageRecord:
    tokens = Tokens(uncached_input=11, cached_input=7, cache_write=5, output=3, reasoning=2)
    given = {
        "tokens": tokens,
        "ttft_seconds": 0.25,
        "duration_seconds": 3.5,
        "finish_reason": "stop",
    } | fields
    return UsageRecord("id", 1_790_000_000.0, "success", team, model, **given)


def failure(error: str, **fields: object) -> UsageRecord:
    return UsageRecord("id", 1_790_000_000.0, "error", "search", "llama", error_type=error, **fields)


def count(accounts: Accounts, identity: Identity, records: list[UsageRecord], key: str | None = None) -> None:
    for record in records:
        accounts.add(record, identity.team(record.team, key))


def samples(page: bytes) -> dict[tuple[str, ...], float]:
    """Every sample by its name and its label values, in the order of their names."""
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            labels = (f"{name}={value}" for name, value in sorted(sample.labels.items()))
            assert found.setdefault((sample.name, *labels), sample.value) is sample.value
    return found


def total(page: bytes, name: str, *labels: str) -> float:
    return sum(v for key, v in samples(page).items() if key[0] == name and set(labels) <= set(key))


def test_one_record_is_counted_in_every_metric_that_it_belongs_to():
    """A success shows in tokens by class, requests, lengths, times and reasons, under its team and model."""
    accounts = Accounts(TEAMS, MODELS)
    accounts.add(success(), "search")
    page, where = accounts.expose(), ("model=llama", "team=search")
    tokens = {name: total(page, "llm_tokens_total", f"class={name}", *where) for name in TOKEN_CLASSES}
    assert tokens == {"uncached_input": 11, "cached_input": 7, "cache_write": 5, "output": 3, "reasoning": 2}
    assert (
        total(page, "llm_requests_total") == total(page, "llm_requests_total", "outcome=success", *where) == 1
    )
    assert total(page, "llm_output_tokens_sum", "model=llama") == 5
    assert total(page, "llm_output_tokens_bucket", "le=5.0") == 1
    assert total(page, "llm_output_tokens_bucket", "le=2.0") == 0
    assert total(page, "llm_time_to_first_token_seconds_sum", "model=llama") == 0.25
    assert total(page, "llm_request_duration_seconds_sum", "model=llama") == 3.5
    assert total(page, "llm_request_finishes_total", "model=llama", "reason=stop") == 1
    assert total(page, "llm_request_errors_total") == total(page, "llm_usage_missing_total") == 0


def test_a_failure_counts_with_what_it_used():
    """A failed request shows its type and its tokens; it is no reply, so it has no length."""
    accounts = Accounts(TEAMS, MODELS)
    accounts.add(failure("oom", tokens=Tokens(uncached_input=64), duration_seconds=0.4), "search")
    page = accounts.expose()
    assert (
        total(page, "llm_request_errors_total")
        == total(page, "llm_request_errors_total", "error_type=oom")
        == 1
    )
    assert total(page, "llm_requests_total", "outcome=error") == 1
    assert total(page, "llm_tokens_total") == 64
    assert total(page, "llm_output_tokens_count") == 0
    assert total(page, "llm_request_duration_seconds_count") == 1


def test_usage_that_nobody_reported_is_missing_and_not_zero():
    """Successes without tokens and streams that their client left are counted apart; other failures are not."""
    accounts = Accounts(TEAMS, MODELS)
    for record in (success(tokens=None), failure("client_cancelled"), failure("timeout"), success()):
        accounts.add(record, "search")
    page = accounts.expose()
    assert total(page, "llm_usage_missing_total", "model=llama") == 2
    assert total(page, "llm_output_tokens_count") == 1


def test_known_series_start_at_zero():
    """Every team and model of the roster, `other` and `unassigned` are there before their first request."""
    found = samples(Accounts(TEAMS, MODELS).expose())
    assert set(found.values()) == {0}
    pairs = [(t, m) for t in (*TEAMS, OTHER, UNASSIGNED) for m in (*MODELS, OTHER)]
    for team, model in pairs:
        label = (f"model={model}", f"team={team}")
        assert all(("llm_tokens_total", f"class={c}", *label) in found for c in TOKEN_CLASSES)
        assert all(("llm_request_errors_total", f"error_type={e}", *label) in found for e in ERROR_TYPES)
        assert ("llm_requests_total", label[0], "outcome=success", label[1]) in found
    assert all(("llm_request_finishes_total", "model=other", f"reason={r}") in found for r in FINISH_REASONS)


def test_names_off_the_roster_become_other_and_absent_ones_unassigned():
    """A stranger's name is never shown, and what it used is counted all the same."""
    accounts, identity = Accounts(TEAMS, MODELS), Identity(TEAMS)
    count(accounts, identity, [success("evil", "evil"), success(None, None), success("", "llama")])
    page = accounts.expose()
    assert b"evil" not in page
    assert total(page, "llm_requests_total", "team=other", "model=other") == 1
    assert total(page, "llm_requests_total", "team=unassigned", "model=other") == 1
    assert total(page, "llm_requests_total", "team=unassigned", "model=llama") == 1
    assert accounts.overflow == {"team": 1, "model": 1}


def test_a_request_that_found_no_model_counts_for_the_one_it_asked_for():
    """A gateway that failed before it chose a model knows only what was asked."""
    accounts = Accounts(TEAMS, MODELS)
    record = UsageRecord("1", 0.0, "error", requested_model="mistral", error_type="overloaded")
    accounts.add(record, "search")
    assert total(accounts.expose(), "llm_requests_total", "model=mistral") == 1


@pytest.mark.parametrize("label_sets", [0, 14, 100, 280])
def test_strangers_stay_under_the_cap_and_totals_stay_exact(label_sets):
    """Without a roster names are shown as they come, until some metric would have too many label sets."""
    accounts, identity = Accounts(None, MODELS, label_sets=label_sets), Identity(None)
    before = Counter(key[0] for key in samples(accounts.expose()))
    records = [success(f"team-{n}", f"model-{n % 7}") for n in range(500)]
    count(accounts, identity, records)
    page = accounts.expose()
    more = Counter(key[0] for key in samples(page)) - before
    labelled = {
        name: n
        for name, n in more.items()
        if not name.startswith(("llm_output", "llm_time", "llm_request_d"))
    }
    assert max(labelled.values(), default=0) <= label_sets
    assert total(page, "llm_requests_total") == 500
    assert total(page, "llm_tokens_total", "class=output") == 3 * 500
    assert sum(accounts.overflow.values()) > 0


def test_the_roster_stands_outside_the_cap():
    """A cap of nothing keeps strangers out, and no name of the roster."""
    accounts = Accounts(TEAMS, MODELS, label_sets=0)
    accounts.add(success(), "search")
    assert total(accounts.expose(), "llm_requests_total", "team=search", "model=llama") == 1


def test_lengths_are_split_by_team_where_that_is_switched_on():
    """The histogram then has the team as well, and summed over teams it is what it was."""
    apart, together = Accounts(TEAMS, MODELS, by_team=True), Accounts(TEAMS, MODELS)
    for accounts in (apart, together):
        accounts.add(success(), "search")
        accounts.add(success(tokens=Tokens(output=40_000)), "support")
    assert total(apart.expose(), "llm_output_tokens_sum", "team=search") == 5
    assert total(apart.expose(), "llm_output_tokens_count", "team=support") == 1
    for page in (apart.expose(), together.expose()):
        assert total(page, "llm_output_tokens_sum", "model=llama") == 40_005
        assert total(page, "llm_output_tokens_bucket", "le=32768.0") == 1
        assert total(page, "llm_output_tokens_bucket", "le=+Inf") == 2


def test_buckets_hold_vllms_own_bounds():
    """Lengths can be laid beside the engine's own histogram: its steps are among the 23."""
    assert len(OUTPUT_TOKENS) == 23
    steps = {n * 10**e for n in (1, 2, 5) for e in range(5)} & set(range(1, 20_001))
    assert steps <= set(OUTPUT_TOKENS)
    assert (OUTPUT_TOKENS[0], OUTPUT_TOKENS[-1]) == (1, 32768)


def test_counts_survive_a_restart():
    """A snapshot that went through a file gives the same page again, whatever was counted in between."""
    accounts = Accounts(TEAMS, MODELS)
    for record in (success(), failure("auth"), success(model="strange")):
        accounts.add(record, "search")
    page, saved = accounts.expose(), msgspec.msgpack.encode(accounts.snapshot())
    accounts.add(success(), "support")
    fresh = Accounts(TEAMS, MODELS)
    for one in (accounts, fresh):
        one.restore(msgspec.msgpack.decode(saved))
        assert one.expose() == page
        assert one.overflow == {"team": 0, "model": 1}


def test_a_team_that_leaves_the_roster_keeps_what_it_had():
    """Its series stand still; what it goes on to use is counted as `other`."""
    old, new, identity = Accounts(TEAMS, MODELS), Accounts(("support",), MODELS), Identity(("support",))
    old.add(success(), "search")
    new.restore(old.snapshot())
    count(new, identity, [success("search")])
    assert total(new.expose(), "llm_requests_total", "team=search") == 1
    assert total(new.expose(), "llm_requests_total", "team=other") == 1


def test_a_model_that_is_served_no_longer_stands_still_too():
    """The series of a model that left the roster are still there, and do not grow."""
    old, new = Accounts(TEAMS, MODELS), Accounts(TEAMS, ("mistral",))
    old.add(success(), "search")
    new.restore(old.snapshot())
    new.add(success(), "search")
    assert total(new.expose(), "llm_requests_total", "model=llama") == 1
    assert total(new.expose(), "llm_requests_total", "model=other") == 1


def test_a_foreign_snapshot_is_refused():
    """Counts that are not of this kind are an error, not zero."""
    for wrong in (
        {},
        [],
        None,
        {"columns": ["x"], "finishes": [], "models": [], "pairs": [], "strangers": 0},
    ):
        with pytest.raises(ValueError, match="not counts of this release"):
            Accounts(TEAMS, MODELS).restore(wrong)


NAMES = {key[0] for key in samples(Accounts().expose())}
hostile = st.text(max_size=40) | st.sampled_from(
    [
        '"',
        "\\",
        "\n",
        '\\"',
        'a"} 1\nllm_fake_total 5',
        "%d%s%%",
        "\u2028",
        "\x00",
        "{}",
        "\ud800",
        "\u202eevil",
        "é" * 300,
    ]
)
names = st.none() | hostile
records = st.lists(st.tuples(names, names), max_size=12)


@given(records, st.lists(hostile.filter(str.strip), max_size=2, unique=True), st.integers(0, 60))
def test_whatever_a_name_holds_the_page_can_be_read(pairs, teams, label_sets):
    """Hostile names of teams and models neither break a line nor make a sample that is not ours."""
    accounts, identity = Accounts(None, tuple(teams), label_sets=label_sets), Identity(None)
    count(accounts, identity, [success(team, model) for team, model in pairs])
    page = accounts.expose()
    assert total(page, "llm_requests_total") == len(pairs)
    assert {key[0] for key in samples(page)} == NAMES
    assert len(page.splitlines()) == page.count(b"\n")
    assert all(len(line) < 128 * 4 * 2 + 200 for line in page.splitlines())


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 1e4)), max_size=30), st.randoms())
def test_the_order_of_records_makes_no_difference(observed, shuffled):
    """Counts are a function of what is in the logs: sums too are the same to the last digit in any order."""
    many = [success(tokens=Tokens(output=n), ttft_seconds=s, duration_seconds=s) for n, s in observed]
    pages = []
    for _ in range(2):
        accounts = Accounts(TEAMS, MODELS)
        count(accounts, Identity(TEAMS), many)
        pages.append(accounts.expose())
        shuffled.shuffle(many)
    assert pages[0] == pages[1]
    assert math.isclose(
        total(pages[0], "llm_request_duration_seconds_sum"), sum(s for _, s in observed), abs_tol=1e-3
    )


def test_promtool_has_nothing_to_say():
    """Prometheus' own linter accepts every metric: each with help and type, none with a doubtful name."""
    page = Accounts(TEAMS, MODELS).expose()
    linted = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
    assert (linted.stdout, linted.stderr, linted.returncode) == (b"", b"", 0)
    assert b"_created" not in page


def test_a_mapped_key_decides_before_the_name_does():
    """Whoever shows a key of the map is its team, whatever the record says; an unknown key is nobody's."""
    identity = Identity(TEAMS, {hash_key("sk-support", SALT): "support"})
    assert identity.team("search", "sk-support") == identity.team(None, "Bearer sk-support") == "support"
    assert identity.team("search", "sk-unknown") == "search"
    assert identity.team(None, "sk-unknown") == identity.team(None, None) == UNASSIGNED


def test_litellms_hash_of_a_key_finds_the_same_team():
    """LiteLLM passes on the SHA-256 of a key; an entry made from the key itself finds it, and the other way round."""
    assert hash_key(sha256(b"sk-1").hexdigest(), SALT) == hash_key("sk-1", SALT)


def test_an_entry_tells_nothing_of_its_key():
    """The same key under another salt is another entry, and the salt of a file is found again."""
    one, two = hash_key("sk-1", SALT), hash_key("sk-1", bytes(16))
    assert one != two
    assert common_salt(["rubbish", one]) == SALT
    teams = KeyMap({one: "search", two: "support", hash_key("sk-2", bytes(16)): "legal"})
    assert (teams.team("sk-1"), teams.team("sk-2"), teams.team("sk-3")) == ("search", "legal", None)
    with pytest.raises(ValueError, match="hash-key"):
        KeyMap({"sk-1": "search"})


def test_ids_are_remembered_in_bounds_and_over_a_restart():
    """At least the last so many are known, at most twice as many; an id means its route's request alone."""
    seen = Seen(100)
    assert all(seen.take("/a", str(number)) for number in range(1000))
    assert not any(seen.take("/a", str(number)) for number in range(900, 1000))
    assert seen.take("/b", "999")
    saved = msgspec.msgpack.decode(msgspec.msgpack.encode(seen.snapshot()))
    assert sum(map(len, saved)) <= 8 * 2 * 100
    fresh = Seen(100)
    fresh.restore(saved)
    assert not fresh.take("/a", "999")
    assert not fresh.take("/b", "999")
    assert fresh.take("/a", "1")
