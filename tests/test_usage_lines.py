"""Lines as they should not be: what each becomes, that it costs no other, and that nothing of a line stays."""

import gc
import json
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.usage.formats import INVALID_REASONS, Format, Invalid, Read, format_names, load_format
from sre.usage.record import ERROR_TYPES, FINISH_REASONS, TOKEN_CLASSES, Tokens, UsageRecord, to_line

FIXTURES = Path(__file__).parent / "fixtures" / "gateways"
NAMES = format_names()
MARKERS = ("FIXTURE PROMPT", "FIXTURE ANSWER", "FIXTURE-SECRET")
"""Stand in the captured records wherever a gateway writes prompts, answers, keys and headers."""


@cache
def form(name: str) -> Format:
    return load_format(name, trusted=True)


def captured(name: str) -> list[bytes]:
    return (FIXTURES / f"{name}.jsonl").read_bytes().splitlines()


def lines(found: Iterator[Read | Invalid]) -> list[object]:
    """What a body gave: ids of records, and reasons."""
    return [one.reason if isinstance(one, Invalid) else one[0].id for one in found]


def usage(**changes: object) -> bytes:
    """A good usage line, changed."""
    line = {
        "id": "r-17",
        "time": "2026-10-01T08:00:00.250Z",
        "model": "llama",
        "tokens": {"uncached_input": 821, "output": 184},
        "outcome": "success",
    }
    return json.dumps(line | changes).encode()


BAD = {
    "torn": [usage()[:-9], b"{", b"", b'{"id":"r'],
    "not_json": [b"GET /v1/models 200", usage() + b"}", b'{"id":r}', usage()[:40] + usage()],
    "encoding": [usage().replace(b"r-17", b"r-\xff"), usage().decode().encode("utf-16"), b"\xfe\x00"],
    "too_long": [usage(x="a" * 1_000_000), usage(id="r" * 257), b"x" * 1_000_001],
    "wrong_type": [
        b"[]", b"null", b"7", b'"text"',
        usage(time=5), usage(time="yesterday"), usage(time=None, tokens=[1]), usage(id=1.5), usage(id=True),
        usage(tokens="many"), usage(tokens={"output": "12"}), usage(tokens={"output": 1.5}), usage(model=["m"]),
        usage(tokens={"output": True}), usage(duration_seconds="1"), usage(outcome="maybe"), usage(team=7),
        usage(outcome={"success": True}), usage(ttft_seconds=[0.1]), usage(finish_reason=4),
    ],
    "negative": [usage(tokens={"uncached_input": -1}), usage(time="1969-12-31T23:59:59Z")],
    "not_finite": [
        usage(tokens={"output": float("nan")}), usage(ttft_seconds=float("inf")), usage(x=float("-inf")),
    ],
    "too_large": [
        usage(tokens={"output": 2**63}), usage(tokens={"output": 2**53, "uncached_input": 1}),
        usage(tokens={"output": 10**400}), usage(duration_seconds=1e300), usage().replace(b"184", b"1e999"),
        usage(x=1).replace(b"1}", b"[" * 5000 + b"]" * 5000 + b"}"), usage(tokens={"output": 1e30}),
    ],
    "missing": [
        usage(id=None), usage(id=""), usage(time=None), usage(outcome=None), b"{}", usage(tokens={}),
        *(json.dumps({k: v for k, v in json.loads(usage()).items() if k != gone}).encode()
          for gone in ("id", "time", "outcome", "model", "tokens")),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("reason", "line"), [(reason, line) for reason in BAD for line in BAD[reason]])
def test_a_bad_line_is_told_by_its_reason(reason: str, line: bytes) -> None:
    """Whatever is wrong with a line, it ends as one counted reason: alone, and between good ones in a body."""
    with pytest.raises(Invalid) as caught:
        form("usage").decode(line)
    assert caught.value.reason == reason
    if line.strip() and line != b"[]" and len(line) < 1_000_000:
        body = usage(id="before") + b"\n" + line + b"\n" + usage(id="after") + b"\n"
        first, *between, last = lines(form("usage").decode_body(body))
        assert (first, last) == ("before", "after")
        assert set(between) & set(INVALID_REASONS)


def test_one_bad_record_of_an_array_costs_no_other() -> None:
    """Python writes NaN into JSON: the record that has it is counted as such, those around it are kept."""
    body = b"[" + b",".join([usage(id="a"), usage(tokens={"output": math.nan}), usage(id="c")]) + b"]"
    assert lines(form("usage").decode_body(body)) == ["a", "not_finite", "c"]
    assert lines(form("usage").decode_body(b"[" + usage(id="a") + b',{"id":"b"')) == ["a", "torn"]


@pytest.mark.parametrize("body", [b"", b"  \n\n", b"[]", b" [ ] \n"])
def test_an_empty_body_holds_no_record(body: bytes) -> None:
    """A sender that has nothing to say is answered, not counted."""
    assert lines(form("usage").decode_body(body)) == []


def test_a_negative_duration_is_dropped_alone() -> None:
    """A clock that was set back costs the duration, not the tokens."""
    record = form("usage").decode(usage(duration_seconds=-3, ttft_seconds=-0.5))[0]
    assert (record.duration_seconds, record.ttft_seconds) == (None, None)
    assert record.tokens == Tokens(821, 0, 0, 184, 0)


def test_more_cached_tokens_than_input_is_no_record() -> None:
    """What a gateway counts inside the input cannot be more than the input."""
    line = captured("envoy_ai_gateway")[0].replace(b'cached_input_tokens":512', b'cached_input_tokens":813')
    with pytest.raises(Invalid, match="negative"):
        form("envoy_ai_gateway").decode(line)


def test_a_key_written_twice_counts_once() -> None:
    """As every reader of JSON does, the last one is taken."""
    line = usage().replace(b'"output": 184', b'"output": 5, "output": 184')
    assert form("usage").decode(line)[0].tokens == Tokens(821, 0, 0, 184, 0)


def test_bytes_that_are_no_text_in_a_field_that_nobody_reads_cost_nothing() -> None:
    """A client's user agent cannot make its own request uncounted."""
    line = usage(user_agent="curl").replace(b"curl", b"\xff\xfe")
    assert form("usage").decode(line)[0].id == "r-17"


def test_embedded_json_is_judged_like_a_line() -> None:
    """Higress writes JSON as text inside JSON: where that is torn or wrong, the line is too."""
    for text, reason in (
        ('{"model":"m', "torn"),
        ("nonsense", "not_json"),
        ("[]", "wrong_type"),
        (7, "wrong_type"),
    ):
        line = json.dumps(json.loads(captured("higress")[0]) | {"ai_log": text}).encode()
        with pytest.raises(Invalid, match=reason):
            form("higress").decode(line)
        assert lines(form("higress").decode_body(line)) == [reason]


# What outlives a line.


def held(root: object) -> Iterator[str]:
    """Every text that can be reached from an object, as Python's own memory management sees it."""
    seen, queue = set[int](), [root]
    while queue:
        found = queue.pop()
        module = isinstance(found, dict) and "__name__" in found
        if id(found) in seen or module or isinstance(found, ModuleType | type):
            continue
        seen.add(id(found))
        if isinstance(found, str | bytes):
            yield str(found)
        elif isinstance(found, UsageRecord):
            yield to_line(found).decode()  # has no part in garbage collection, so it is asked itself
        else:
            queue += gc.get_referents(found)


@pytest.mark.parametrize("name", NAMES)
def test_no_prompt_no_answer_and_no_secret_outlives_its_line(name: str) -> None:
    """Neither the records, nor what the format remembers, nor what is said of bad lines holds any of it."""
    reader, kept = load_format(name, trusted=True), list[object]()
    for line in captured(name):
        kept.append(reader.decode(line)[0])
        kept += [
            one if isinstance(one, Invalid) else one[0] for one in reader.decode_body(b"[" + line + b",{]")
        ]
        kept += reader.decode_body(line[:-2])
    assert len(kept) == 4 * len(captured(name))
    texts = list(held([reader, kept]))
    assert any("llama" in text or "qwen" in text or name == "nginx" for text in texts)
    assert [text for text in texts for marker in MARKERS if marker in text] == []


@pytest.mark.parametrize(
    "line", [captured("litellm")[0][:-1], b'{"id":"FIXTURE PROMPT', b"\xffFIXTURE PROMPT"]
)
def test_an_error_about_a_line_knows_nothing_of_it(line: bytes) -> None:
    """The exception carries a reason, and no other exception that carries the line."""
    with pytest.raises(Invalid) as caught:
        form("litellm").decode(line)
    error = caught.value
    assert (error.__context__, error.__cause__) == (None, None)
    assert error.args == (error.reason,)


def test_a_reason_given_for_a_body_knows_nothing_of_it() -> None:
    """What is given instead of a record was never raised where it is: it has no frames that hold the line."""
    bad = [usage(tokens={"output": -1}), usage(id=""), b'{"id":', b"\xff"]
    found = [one for line in bad for one in form("usage").decode_body(line)]
    assert [one.reason for one in found if isinstance(one, Invalid)] == [
        "negative",
        "missing",
        "torn",
        "encoding",
    ]
    assert [(one.__traceback__, one.__context__) for one in found if isinstance(one, Invalid)] == [
        (None, None)
    ] * 4


def test_names_that_clients_make_up_are_not_remembered_for_ever() -> None:
    """A hundred thousand models in an hour leave the format as small as before."""
    reader, line = load_format("usage"), usage(model="made-up-0000000")
    for number in range(20_000):
        reader.decode(line.replace(b"0000000", b"%07d" % number))
    assert sum("made-up" in text for text in held(reader)) <= 4096


def test_a_long_name_is_cut_and_a_long_one_costs_no_memory() -> None:
    """No roster holds a name of 300 characters, and none is remembered."""
    reader = load_format("usage")
    record = reader.decode(usage(model="m" * 100_000, team="t" * 300))[0]
    assert (record.model, record.team) == ("m" * 256, "t" * 256)
    assert max(map(len, held(reader))) < 10_000


# Whatever comes.

NUMBERS = st.one_of(
    st.integers(), st.floats(), st.sampled_from([2**53, 2**63, -1, 1e308, 0.5, True, None, "12", "NaN", "-"])
)
ANYTHING = st.recursive(
    NUMBERS | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def judge(read: Read | Invalid) -> None:
    """A record that can be counted, or a reason of the list."""
    if isinstance(read, Invalid):
        assert read.reason in INVALID_REASONS
        return
    record, _ = read
    amounts = [record.time, record.ttft_seconds, record.duration_seconds]
    amounts += [getattr(record.tokens, name) for name in TOKEN_CLASSES] if record.tokens else []
    assert all(math.isfinite(one) and one >= 0 for one in amounts if one is not None)
    assert record.finish_reason in (None, *FINISH_REASONS)
    assert record.error_type in (ERROR_TYPES if record.outcome == "error" else (None,))
    assert all(word is None or (word and len(word) <= 256) for word in (record.team, record.model))


def attempt(name: str, line: bytes) -> Read | Invalid:
    try:
        return form(name).decode(line)
    except Invalid as invalid:
        return invalid


@given(st.binary(max_size=200), st.sampled_from(NAMES))
@settings(max_examples=300)
def test_any_bytes_are_a_record_or_a_reason(line: bytes, name: str) -> None:
    """Nothing that a log may hold stops the exporter."""
    judge(attempt(name, line))
    for read in form(name).decode_body(line):
        judge(read)


@st.composite
def bent(draw: st.DrawFn) -> tuple[str, bytes]:
    """A captured record with some of its values exchanged, and a format."""
    name = draw(st.sampled_from(NAMES))
    line = json.loads(draw(st.sampled_from(captured(name))))
    for _ in range(draw(st.integers(1, 4))):
        around: object = line
        while isinstance(around, dict) and around:
            key = draw(st.sampled_from(sorted(around)))
            if not isinstance(around[key], dict) or draw(st.integers(0, 3)) == 0:
                around[key] = draw(ANYTHING)
                break
            around = around[key]
    text = json.dumps(line).encode()
    start, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
    torn = draw(st.integers(0, 4)) == 0
    return name, text[start:end] if torn else text


@given(bent())
@settings(max_examples=200)
def test_any_value_in_any_field_is_a_record_or_a_reason(given_line: tuple[str, bytes]) -> None:
    """Wrong types, absurd numbers and torn lines of every gateway: never a negative count, never another error."""
    name, line = given_line
    judge(attempt(name, line))
    for read in form(name).decode_body(b"[" + line + b"]"):
        judge(read)


COUNTS = st.integers(0, 2**50)
SECONDS = st.none() | st.floats(0, 1e9)
WORDS = st.none() | st.text(st.characters(codec="utf-8"), min_size=1, max_size=40).filter(
    lambda text: text == text.strip() and text not in ("-", "None")
)


@st.composite
def good(draw: st.DrawFn) -> UsageRecord:
    outcome = draw(st.sampled_from(["success", "error"]))
    return UsageRecord(
        id=draw(WORDS.filter(bool)),
        time=draw(st.integers(0, 4_000_000_000_000_000)) / 1e6,
        outcome=outcome,
        team=draw(WORDS),
        model=draw(WORDS),
        requested_model=draw(WORDS),
        pool=draw(WORDS),
        tokens=draw(st.none() | st.builds(Tokens, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)),
        ttft_seconds=draw(SECONDS),
        duration_seconds=draw(SECONDS),
        finish_reason=draw(st.none() | st.sampled_from(FINISH_REASONS)),
        error_type=draw(st.sampled_from(ERROR_TYPES)) if outcome == "error" else None,
    )


@given(good())
@settings(max_examples=100)
def test_a_record_survives_its_line(record: UsageRecord) -> None:
    """What one program writes as a usage line, another one reads as the same record."""
    line = to_line(record)
    assert b"\n" not in line
    assert form("usage").decode(line) == (record, None)
    assert list(form("usage").decode_body(line)) == [(record, None)]
