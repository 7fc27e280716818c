"""YAML as this product reads it: exact text, YAML 1.2's words, and a finding for whatever cannot be read."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.findings import Finding, Refused
from sre.source import parse, read, show, suggest


def findings(content: str | bytes) -> list[Finding]:
    """What is said about content that is refused."""
    with pytest.raises(Refused) as refused:
        parse("f.yaml", content.encode() if isinstance(content, str) else content)
    return list(refused.value.findings)


BROKEN: dict[str, tuple[str | bytes, str, str]] = {
    "nothing": ("", "1", "the file is empty"),
    "only a comment": ("# fleet", "1", "the file is empty"),
    "a tab": ("version: 1\nname:\n\tx", "3", "not valid YAML"),
    "an open bracket": ("version: 1\nname: [x\npools: 1", "3", "not valid YAML"),
    "a key twice": ("version: 1\nname: a\nname: b", "3", "'name' stands here twice, first on line 2"),
    "two documents": ("x: 1\n---\ny: 2", "2", "not valid YAML"),
    "an unknown alias": ("version: *one", "1", "undefined alias"),
    "an alias to itself": ("version: &a [*a]", "1", "the value that it stands in"),
    "a python object": ("x: 1\ny: !!python/object:os.system {}", "2", "python/object:os.system' is not read"),
    "a tagged word": ("version: 1\nname: !secret x", "2", "'!secret' is not read"),
    "a list as key": ("version: 1\n? [a]\n: b", "2", "a key is a list"),
    "merging a word": ("version: 1\n<<: x", "2", "merges something"),
    "another encoding": (b"version: 1\nname: caf\xe9\n", "2", "not UTF-8"),
    "a NUL": (b"version: 1\nname: a\x00b\n", "2", "U+0000"),
    "a control character": (b"version: 1\nname: a\x1b[2Jb\n", "2", "U+001B"),
    "nesting": ("a: " + "[" * 100_000, "1", "nested more than 50 deep"),
    "nesting of blocks": ("- " * 100_000, "1", "nested more than 50 deep"),
    "much of it": ("a: " + "x" * 1_100_000, "", "larger than 1 MiB"),
    "aliases that multiply": (
        "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)),
        "",
        "expands to more than 200000 values",
    ),
}


@pytest.mark.parametrize(("text", "line", "what"), BROKEN.values(), ids=BROKEN.keys())
def test_what_cannot_be_read_says_where(text: str | bytes, line: str, what: str) -> None:
    """No file brings a traceback: broken YAML is a finding with its line."""
    said = findings(text)
    assert any(what in f.what and f.where.endswith(line) and f.why and f.fix for f in said), said


def test_tabs_are_explained() -> None:
    """The most common accident gets its own words."""
    assert "indent with spaces" in findings("version: 1\nname:\n\tx: 1")[0].fix


def test_a_file_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    """A missing file, a folder and an impossible path are told apart, never a traceback."""
    (tmp_path / "there").write_text("")
    for path, words in (
        ("gone.yaml", "No such file"),
        (".", "directory"),
        ("a\0b", "null"),
        ("x" * 300, "too long"),
        ("there/x", "Not a directory"),
    ):
        with pytest.raises(Refused) as refused:
            read(tmp_path / path)
        assert words in refused.value.findings[0].what


def test_words_and_numbers_are_those_of_yaml_1_2() -> None:
    """`no`, 18:00 and 2026-12-25 are text, as in the user's editor; digits stay as written."""
    text = "{a: no, b: 18:00, c: 2026-12-25, d: 0.10, e: 12, f: true, g: ~, h: 1e3, i: 0x1f, j: .inf, k: 1_0}"
    assert parse("f.yaml", text.encode()).data == {
        "a": "no",
        "b": "18:00",
        "c": "2026-12-25",
        "d": Decimal("0.10"),
        "e": 12,
        "f": True,
        "g": None,
        "h": Decimal(1000),
        "i": "0x1f",
        "j": ".inf",
        "k": "1_0",
    }
    assert str(parse("f.yaml", b"0.10").data) == "0.10"


def test_a_number_that_would_fill_the_memory_is_text() -> None:
    """An exponent of nine digits never becomes a number that somebody prints."""
    assert parse("f.yaml", b"1e999999999").data == "1e999999999"


def test_every_key_and_value_knows_its_line() -> None:
    """A finding points at the value, at its key, or at what is nearest around a place that is not there."""
    source = parse("f.yaml", b"a: 1\nb:\n  - x: 2\n    y:\n      3\n")
    assert source.where(("b", 0, "y")) == "f.yaml:5"
    assert source.where(("b", 0, "y"), key=True) == "f.yaml:4"
    assert source.where(("b", 0, "gone")) == "f.yaml:3"
    assert source.where() == "f.yaml:1"


def test_merged_keys_keep_the_line_where_they_are_written() -> None:
    """What comes in through `<<` is corrected where it stands; an earlier mapping wins over a later."""
    source = parse("f.yaml", b"a: &a {x: 1}\nb: &b\n  x: 2\n  y: 3\nc:\n  <<: [*a, *b]\n  z: 4\n")
    assert source.data["c"] == {"x": 1, "y": 3, "z": 4}
    assert (source.where(("c", "x")), source.where(("c", "y"))) == ("f.yaml:1", "f.yaml:4")


def test_suggestions_name_the_nearest_word_or_all_of_them() -> None:
    """A typing error gets one word; a guess gets the list, and a long list an end."""
    assert suggest("Timezon", ["timezone", "teams"]) == "did you mean `timezone`?"
    assert suggest("zzz", ["b", "a"]) == "known here: `a`, `b`"
    assert suggest("zzz", [f"a{n:02}" for n in range(30)]).endswith("`a19`, ...")
    assert suggest("zzz", []) == ""


def test_values_are_shown_so_that_a_terminal_stays_itself() -> None:
    """Escape sequences and very long values do not reach the screen."""
    assert show("\x1b[2J\u202e") == r"'\x1b[2J\u202e'"
    assert len(show("x" * 500)) == 60
    assert [show(v) for v in (None, True, [1], {"a": 1}, Decimal("0.10"))] == [
        "empty",
        "true",
        "a list",
        "a mapping",
        "0.10",
    ]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text("{}[]&*!<:-,#'\"\n\t ax1.~|>%@`?", max_size=60).map(str.encode))
def test_no_bytes_bring_a_traceback(content: bytes) -> None:
    """Any bytes at all are either data or refused with findings."""
    try:
        parse("f.yaml", content)
    except Refused as refused:
        found = refused.findings
    else:
        return
    assert all(finding.where.startswith("f.yaml") and finding.fix for finding in found)
