"""Gateway formats: what each gateway's own records become, and what no line can do."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sre import content
from sre.findings import Finding, Refused
from sre.usage.formats import Format, Invalid, format_names, list_formats, load_format
from sre.usage.formats.load import load_gateways
from sre.usage.record import ERROR_TYPES, FINISH_REASONS, Tokens, UsageRecord, to_line

FIXTURES = Path(__file__).parent / "fixtures" / "gateways"
NAMES = format_names()


@cache
def form(name: str, *, trusted: bool = True) -> Format:
    return load_format(name, trusted=trusted)


def captured(name: str) -> list[bytes]:
    return (FIXTURES / f"{name}.jsonl").read_bytes().splitlines()


def expected(name: str) -> list[bytes]:
    return (FIXTURES / f"{name}.usage.jsonl").read_bytes().splitlines()


def records(name: str, *, trusted: bool = True) -> list[UsageRecord]:
    return [form(name, trusted=trusted).decode(line)[0] for line in captured(name)]


def lines(given: Iterator[object]) -> list[object]:
    """What a body gave, records as lines and the rest as reasons."""
    return [one.reason if isinstance(one, Invalid) else to_line(one[0]) for one in given]  # type: ignore[index]


def litellm(**changes: object) -> bytes:
    """A failed call through LiteLLM."""
    line = json.loads(captured("litellm")[2])
    return json.dumps(line | changes).encode()


@pytest.mark.parametrize("name", NAMES)
def test_a_gateway_s_own_records_become_usage_records(name: str) -> None:
    """A format is its file and its captured records: each record gives the usage line that stands beside it."""
    assert [to_line(record) for record in records(name)] == expected(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_body_gives_what_its_lines_give(name: str) -> None:
    """Posted as lines, as an array, as one object or as objects in a row, records are the same."""
    alone, body = captured(name), form(name).decode_body
    assert lines(body(b"\n".join(alone))) == expected(name)
    assert lines(body(b" [\n" + b",\n".join(alone) + b"]\n")) == expected(name)
    assert lines(body(b"".join(alone))) == expected(name)
    assert lines(body(json.dumps(json.loads(alone[0]), indent=2).encode())) == expected(name)[:1]


@pytest.mark.parametrize("name", NAMES)
def test_a_usage_line_is_read_back_as_the_record_that_wrote_it(name: str) -> None:
    """Whatever gateway a record came from, its line holds all of it, to the microsecond."""
    for line in expected(name):
        if b'"id":""' not in line:
            record, key = form("usage").decode(line)
            assert (to_line(record), key) == (line, None)


def test_every_captured_record_belongs_to_a_format() -> None:
    """No record lies beside the formats unread, and no usage line without its record."""
    stems = {path.name.split(".")[0] for path in FIXTURES.iterdir()}
    assert stems == set(NAMES)


def test_real_records_of_litellm(captures: Path) -> None:
    """Seven records that a LiteLLM 1.106.2 posted: tokens, teams, first tokens and error types as they were made."""
    read = [form("litellm").decode(line) for line in _beside(captures, "litellm")]
    seen = [record for record, _ in read]
    assert [record.team for record in seen] == ["search", "search", *["ads"] * 4, None]
    assert [record.tokens for record in seen[:3]] == [Tokens(7, 7, 0, 37, 0), Tokens(6, 5, 0, 60, 0), None]
    assert [record.ttft_seconds for record in seen] == [None, 0.280531, None, None, None, None, None]
    assert [record.finish_reason for record in seen[:3]] == ["stop", "length", None]
    kinds = [None, None, "oom", "context_length", "timeout", "model_not_found", "auth"]
    assert [record.error_type for record in seen] == kinds
    assert all(key and len(key) == 64 for _, key in read)


def test_records_of_other_gateways_as_captured(captures: Path) -> None:
    """Envoy AI Gateway, Higress and NGINX lines: the README beside them says what each one shows."""
    kinds = {
        "envoy_ai_gateway": [None, None, "timeout", "upstream_unreachable", "client_cancelled"],
        "higress": [None, None, "timeout"],
        "nginx": [None, None, "server_error", "timeout", "upstream_unreachable", None],
    }
    for name, types in kinds.items():
        found = [form(name).decode(line)[0] for line in _beside(captures, name)]
        assert [record.error_type for record in found] == types
        assert [record.outcome for record in found] == ["error" if kind else "success" for kind in types]
    envoy, higress = (form(n).decode(_beside(captures, n)[1])[0] for n in ("envoy_ai_gateway", "higress"))
    assert envoy.tokens == Tokens(300, 512, 0, 256, 0)
    assert higress.tokens == Tokens(20, 80, 0, 25, 25)


def _beside(captures: Path, name: str) -> list[bytes]:
    return (captures / "gateways" / f"{name}.jsonl").read_bytes().splitlines()


@pytest.mark.parametrize(
    "response", ["redacted-by-litellm", [{"embedding": [0.1]}], None, 7, {"choices": []}]
)
def test_an_answer_that_litellm_withholds_costs_the_finish_reason_alone(response: object) -> None:
    """`turn_off_message_logging` writes a text where the answer was: its tokens count as before."""
    line = json.loads(captured("litellm")[0]) | {"response": response}
    record, _ = form("litellm").decode(json.dumps(line).encode())
    assert (record.tokens, record.finish_reason) == (Tokens(14, 7, 3, 26, 11), None)


# Who it was.


def test_a_header_is_believed_on_a_trusted_route_alone() -> None:
    """A client can write any team into a header; only where the edge strips such headers is it taken for one."""
    assert [record.team for record in records("envoy_ai_gateway", trusted=False)] == [None] * 7
    assert records("envoy_ai_gateway")[0].team == "search"
    assert [record.team for record in records("openai", trusted=False)] == [
        "search",
        *[None] * 3,
        "ads",
        None,
    ]


def test_what_a_gateway_authenticated_needs_no_trust() -> None:
    """LiteLLM's and Kong's teams come from their own keys and consumers, whatever headers a client sent."""
    assert [record.team for record in records("litellm", trusted=False)[:3]] == ["search", "team-1", "ads"]
    assert [record.team for record in records("kong", trusted=False)] == ["search", "search", "ads", None]


def test_the_key_comes_beside_the_record() -> None:
    """The API key, or the gateway's hash of it, is given to whoever looks up teams, and is no part of the record."""
    record, key = form("litellm").decode(captured("litellm")[0])
    assert key == "hash-of-sk-FIXTURE-SECRET"
    assert b"SECRET" not in to_line(record)


def test_an_id_that_a_client_can_choose_does_not_hide_requests() -> None:
    """Envoy passes a client's x-request-id on: two requests with the same one are still two."""
    line = captured("envoy_ai_gateway")[0]
    first, again = form("envoy_ai_gateway").decode(line)[0], form("envoy_ai_gateway").decode(line)[0]
    other = form("envoy_ai_gateway").decode(line.replace(b"00.894Z", b"01.894Z"))[0]
    assert first.id == again.id != other.id


# Why it failed.


@pytest.mark.parametrize(
    ("kind", "code", "message", "error_type"),
    [
        ("InternalServerError", "500", "OpenAIException - CUDA out of memory. Tried to allocate", "oom"),
        ("InternalServerError", 500, "EngineCore encountered an issue. See stack trace", "engine_dead"),
        ("ContextWindowExceededError", "400", "", "context_length"),
        ("Timeout", "408", "", "timeout"),
        ("ProxyModelNotFoundError", "400", "", "model_not_found"),
        ("Exception", "", "Authentication Error, Invalid proxy server token passed", "auth"),
        ("InternalServerError", "500", "", "server_error"),
        ("litellm.exceptions.RateLimitError", "429", "", "rate_limited"),
        ("ContentPolicyViolationError", "400", "", "content_filter"),
        ("ServiceUnavailableError", "503", "", "overloaded"),
        ("APIConnectionError", "500", "Connection refused", "upstream_unreachable"),
        ("BadRequestError", "400", "", "invalid_input"),
        ("", "499", "", "client_cancelled"),
        ("", "", "", "unknown"),
        ("SomethingNew", "", "nobody has seen this", "unknown"),
    ],
)
def test_the_type_of_an_error(kind: str, code: object, message: str, error_type: str) -> None:
    """Planted faults arrive at LiteLLM under such classes, codes and texts; each is told by its type."""
    information = {"error_class": kind, "error_code": code, "error_message": message}
    line = litellm(error_information=information, error_str=None)
    assert form("litellm").decode(line)[0].error_type == error_type


def test_a_client_s_words_in_an_error_do_not_decide() -> None:
    """An error that quotes the prompt is no out-of-memory because the prompt says so."""
    information = {
        "error_class": "BadRequestError",
        "error_code": "400",
        "error_message": "CUDA out of memory",
    }
    assert form("litellm").decode(litellm(error_information=information))[0].error_type == "invalid_input"


@pytest.mark.parametrize(
    ("line", "error_type"),
    [
        ({"status": 503}, "overloaded"),
        ({"status_code": 404, "error": {"message": "The model `x` does not exist."}}, "model_not_found"),
        ({"status": "failed", "error": {"message": "CUDA out of memory", "code": "server_error"}}, "oom"),
        ({"status": "failed", "error": {"message": "EngineCore encountered an issue"}}, "engine_dead"),
        ({"error": {"type": "invalid_request_error", "code": "context_length_exceeded"}}, "context_length"),
        ({"error": {"type": "authentication_error", "message": "invalid x-api-key"}}, "auth"),
        ({"error": {"type": "overloaded_error", "message": "Overloaded"}}, "overloaded"),
        ({"error": {"message": "Connection error.", "type": "InternalServerError", "code": 500}},
         "upstream_unreachable"),
        ({"error": {"type": "BadRequestError", "code": 400, "message": "prompt (length 9000) is longer than the "
                    "maximum model length of 8192"}}, "context_length"),
    ],
)  # fmt: skip
def test_errors_as_engines_and_apis_write_them(line: dict[str, object], error_type: str) -> None:
    """vLLM, OpenAI and Anthropic have words of their own for the same failures."""
    record, _ = form("openai").decode(json.dumps({"id": "r-5", "created": 1790841600} | line).encode())
    assert (record.outcome, record.error_type) == ("error", error_type)


def test_every_type_of_the_list_can_be_decided() -> None:
    """No error type is listed that no rule gives, and finish reasons all have words."""
    gateways = load_gateways()
    assert {rule.type for rule in gateways.rules} | {"unknown"} == set(ERROR_TYPES)
    assert set(gateways.finishes.values()) | {"other"} == set(FINISH_REASONS)


# A catalogue of one's own.

OWN = """
title: Our proxy
source: its log
time: [{at: done, unit: ms}]
team: {authenticated: who}
model: llm
tokens: {input: {at: in}, output: {at: out}}
outcome: {code: status}
"""


def catalogue(folder: Path, **files: str) -> Path:
    """A catalogue folder with these files of gateways."""
    gateways = folder / "exporters" / "gateways"
    gateways.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (gateways / f"{name}.yaml").write_text(text)
    return folder


def findings(*folders: Path) -> list[Finding]:
    with pytest.raises(Refused) as refused:
        load_gateways(folders)
    return list(refused.value.findings)


def test_a_gateway_is_one_file(tmp_path: Path) -> None:
    """A format of one's own needs no code: its file lies in a catalogue folder, and a route can name it."""
    folder = catalogue(tmp_path, ours=OWN)
    assert format_names([folder]) == sorted([*NAMES, "ours"])
    line = b'{"done":1790841600250,"who":"legal","llm":"qwen3-32b","in":17,"out":4,"status":200}'
    record, key = load_format("ours", [folder]).decode(line)
    assert key is None
    assert record == UsageRecord(
        "", 1790841600.25, "success", "legal", "qwen3-32b", tokens=Tokens(17, 0, 0, 4, 0)
    )


def test_a_file_of_one_s_own_takes_the_place_of_a_built_in_one(tmp_path: Path) -> None:
    """The format is called as before, and reads what one's own file says."""
    folder = catalogue(tmp_path, nginx=OWN)
    line = b'{"done":1790841600250,"who":"legal","status":502}'
    assert load_format("nginx", [folder]).decode(line)[0].error_type == "upstream_unreachable"


def test_error_rules_of_one_s_own_are_asked_first(tmp_path: Path) -> None:
    """A team that knows better what its 503 means says so in one line; all other rules hold as before."""
    folder = catalogue(tmp_path, errors="rules: [{type: oom, code: [503], message: [HBM]}]")
    reader, information = (
        load_format("litellm", [folder]),
        {"error_class": "", "error_message": "no hbm left"},
    )
    for code, error_type in (("503", "oom"), ("504", "timeout")):
        line = litellm(error_information=information | {"error_code": code})
        assert reader.decode(line)[0].error_type == error_type


def test_all_mistakes_of_all_files_are_told_at_their_lines(tmp_path: Path) -> None:
    """Unknown keys with what was meant, wrong units, paths that lead nowhere: at once, each with its line."""
    folder = catalogue(
        tmp_path,
        ours=OWN.replace("title", "titel")
        .replace("unit: ms", "unit: hours")
        .replace("at: in", "at: in//put"),
        errors="rules:\n  - {type: out_of_memory, code: [500]}\n  - {type: oom}",
        finish_reasons="words: {stop: [done], gone: [went]}",
    )
    said = {(found.where.rpartition("/")[2], found.what) for found in findings(folder)}
    assert said >= {
        ("ours.yaml:2", "unknown key `titel`"),
        ("ours.yaml:4", "`time[1].unit` is 'hours', which means nothing here"),
        ("ours.yaml:7", "`tokens.input.at`: 'in//put' is no path"),
        ("errors.yaml:2", "`rules[1].type` is 'out_of_memory', which means nothing here"),
        ("errors.yaml:3", "`rules[2]`: the rule asks for nothing"),
    }
    assert any("finish_reasons.yaml:1" in found.where for found in findings(folder))
    fixes = {found.what: found.fix for found in findings(folder)}
    assert fixes["unknown key `titel`"] == "did you mean `title`?"


@pytest.mark.parametrize(
    ("key", "instead", "what"),
    [
        ("model: llm", "model: [choices/0/model, choices/model]", "takes `choices` for no list"),
        ("model: llm", "model: [choices/0/model, choices]", "`choices` takes `choices` for no list"),
        ("model: llm", "model: 0/model", "begins with the number"),
        ("model: llm", "loose: answer", "no field is read in `answer`"),
        ("model: llm", "embedded: log\nmodel: log", "embedded JSON and read as a field"),
        ("outcome: {code: status}", "outcome: {success: [yes]}", "nothing tells success from failure"),
        ("unit: ms", "unit: ms, begin: [x]", "unknown key `begin`"),
        ("in}, output", "in, holds: [reasoning]}, output", "`tokens.input.holds[1]` is 'reasoning'"),
    ],
)
def test_a_format_that_cannot_work_is_refused(tmp_path: Path, key: str, instead: str, what: str) -> None:
    """What would silently find nothing is an error of the file, with its line and what to write instead."""
    assert key in OWN
    found = findings(catalogue(tmp_path, ours=OWN.replace(key, instead)))
    assert [what in one.what for one in found] == [True]
    assert found[0].fix
    assert "ours.yaml:" in found[0].where


WRONG: list[object] = [
    "", "nope", "a b", "id", "a//b", "/", "0", "a/0", "choices/0/x", 'a"b', "a\\b", "é", "ms", "iso", "400-200",
    "1-999", "-", "cached_input", "not_reported", None, True, 0, -5, 10**9, 1.5, [], [""], ["id", 5], [["id"]], {},
    {"at": "id"}, [{"at": "id", "unit": "ms"}], [{"at": "a/b", "unit": "iso", "of": "start"}], {"nope": 5},
    "x" * 300, "a/" * 20 + "b",
]  # fmt: skip
"""What people write by mistake, and what only a program would."""


def places(data: object, loc: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(data, dict | list):
        for key, inner in data.items() if isinstance(data, dict) else enumerate(data):
            yield (*loc, key)
            yield from places(inner, (*loc, key))


@st.composite
def broken(draw: st.DrawFn) -> tuple[str, str]:
    """A file of the built-in gateways with one value exchanged, or one key more."""
    name = draw(st.sampled_from([*NAMES, "errors", "finish_reasons"]))
    data = yaml.safe_load((content.root() / "exporters" / "gateways" / f"{name}.yaml").read_text())
    *around, last = draw(st.sampled_from(list(places(data))))
    inner: Any = data
    for key in around:
        inner = inner[key]
    inner[last] = draw(st.sampled_from(WRONG))
    return name, yaml.safe_dump(data, sort_keys=False)


def loaded(name: str, folder: Path) -> Format | tuple[Finding, ...]:
    try:
        return load_format(name, [folder], trusted=True)
    except Refused as refused:
        return refused.findings


@given(broken())
@settings(max_examples=60)
def test_whatever_stands_in_a_file_it_is_refused_or_it_works(file: tuple[str, str]) -> None:
    """A format of one's own is answered with findings at its lines, or reads lines without ever failing."""
    name, text = file
    reads = name if name in NAMES else "litellm"
    with tempfile.TemporaryDirectory() as folder:
        found = loaded(reads, catalogue(Path(folder), **{name: text}))
    if isinstance(found, tuple):
        assert found
        assert all(f"{name}.yaml:" in one.where and one.what for one in found)
        return
    for line in captured(reads):
        with suppress(Invalid):
            assert isinstance(found.decode(line)[0], UsageRecord)


def test_a_name_that_no_format_has_is_met_with_a_suggestion() -> None:
    """`format: litelm` in a configuration is a misspelling, and is told as one."""
    with pytest.raises(Refused) as refused:
        load_format("litelm")
    assert refused.value.findings[0].fix == "did you mean `litellm`?"


# The data side.


def test_the_list_says_what_each_format_can_say() -> None:
    """The table of the docs: team, tokens, first token and errors, by format."""
    found = {one.name: one for one in list_formats()}
    assert sorted(found) == NAMES
    assert (found["envoy_ai_gateway"].team, found["litellm"].team) == ("trusted route", "authenticated")
    assert found["nginx"].tokens == ()
    assert found["kong"].tokens == ("uncached_input", "output")
    assert found["litellm"].errors == ("class", "code", "message")
    assert (found["apisix"].ttft, found["kong"].ttft) == (True, False)
