"""Traces of real requests: what is read, what is refused and in which words, and how they are replayed."""

import gzip
from pathlib import Path
from random import Random

import pytest

from sre.findings import Refused
from sre.lab.trace_file import load_trace, replayed
from sre.simulate.arrivals import Replay
from sre.simulate.demand import flat
from sre.simulate.draws import Mix
from sre.simulate.traces import Asked, length, read_trace

HEAD = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
AZURE = f"""{HEAD}\
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:47.1805900,396,109

2023-11-16 18:16:46.6805900,879,55
"""
MOONCAKE = """{"timestamp": 500, "input_length": 374, "output_length": 44, "hash_ids": [0, 1]}
{"timestamp": 1000, "input_length": 396, "output_length": 109}
{"timestamp": 60500, "input_length": 879, "output_length": 55}
"""
CHANCE = Random(1)  # noqa: S311 - no secret
ASKED = (Asked(0.0, 374, 44), Asked(0.5, 396, 109), Asked(60.0, 879, 55))


def refused(text: str) -> list[tuple[str, str]]:
    """Where and what of everything that is wrong."""
    with pytest.raises(Refused) as refused:
        read_trace("t", text.splitlines())
    assert all(finding.why and finding.fix for finding in refused.value.findings)
    return [(finding.where, finding.what) for finding in refused.value.findings]


@pytest.mark.parametrize("text", [AZURE, MOONCAKE, "\ufeff" + AZURE])
def test_both_formats_say_the_same(text: str) -> None:
    """Azure's CSV and Mooncake's JSON Lines become requests with seconds from the first on."""
    found = read_trace("t", text.splitlines())
    assert [(one.prompt, one.reply) for one in found] == [(one.prompt, one.reply) for one in ASKED]
    assert [one.second for one in found] == pytest.approx([one.second for one in ASKED], abs=1e-5)


def test_a_gzipped_trace_is_read_as_it_is(tmp_path: Path) -> None:
    """The published traces are large, and stay packed; the name of the file says nothing."""
    (tmp_path / "trace").write_bytes(gzip.compress(MOONCAKE.encode()))
    assert load_trace(tmp_path / "trace") == ASKED


def test_times_with_a_zone_are_the_moments_that_they_name() -> None:
    """Half past six in Berlin is half past five in London, and so it is where no zone is named."""
    text = f"{HEAD}2023-11-16T18:30:00+01:00,1,1\n2023-11-16 17:30:01Z,2,2\n2023-11-16 17:30:02.5,3,3\n"
    assert [one.second for one in read_trace("t", text.splitlines())] == [0.0, 1.0, 2.5]


def test_everything_that_is_wrong_is_told_at_once_with_its_line() -> None:
    """Holes, wrong order, negative lengths and bad numbers each stand at their line."""
    text = (
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:00:00.1,374,44\n"
        "2023-11-16 18:00:01,-5,44\n"
        "yesterday,374,44\n"
        "2023-11-16 18:00:02,374,many\n"
        "2023-11-16 17:59:00,374,44\n"
        "2023-11-16 18:30:00,374,44\n"
        "2023-11-16 18:30:01,374\n"
    )
    assert refused(text) == [
        ("t:3", "ContextTokens of -5 tokens"),
        ("t:4", "'yesterday' is no time"),
        ("t:5", "GeneratedTokens 'many' is no whole number"),
        ("t:6", "out of order: 60.1 s before the line above"),
        ("t:7", "a hole: 1860 s without any request"),
        ("t:8", "2 columns instead of 3"),
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "the trace holds no request"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n", "the trace holds no request"),
        ("time,tokens\n1,2\n", "no column TIMESTAMP, ContextTokens, GeneratedTokens"),
        (
            '{"timestamp": "now", "input_length": 1, "output_length": 1}',
            "timestamp 'now' is no number of milliseconds",
        ),
        (
            '{"timestamp": NaN, "input_length": 1, "output_length": 1}',
            "timestamp nan is no number of milliseconds",
        ),
        ('{"timestamp": 1, "input_length": 1.5, "output_length": 1}', "input_length 1.5 is no whole number"),
        (
            '{"timestamp": 1, "input_length": true, "output_length": 1}',
            "input_length true is no whole number",
        ),
        ('{"timestamp": 1, "input_length": 9999999, "output_length": 1}', "input_length of 9999999 tokens"),
        ('{"timestamp": 1}', "no input_length, output_length"),
        ('{"timestamp": 1', "no JSON object"),
        (f"{HEAD}2023-11-16 18:00:00.-5,1,1\n", "'2023-11-16 18:00:00.-5' is no time"),
        (f"{HEAD}2023-11-16 18:00:00,1_0,1\n", "ContextTokens '1_0' is no whole number"),
        pytest.param(
            f"{HEAD}{'9' * 200_000},1,1\n",
            "no line of CSV: field larger than field limit (131072)",
            id="a long field",
        ),
        pytest.param(
            f"{'9' * 200_000},1,1\n", "no column TIMESTAMP, ContextTokens, GeneratedTokens", id="a long head"
        ),
    ],
)
def test_what_is_no_trace_is_refused(text: str, what: str) -> None:
    """Whatever else is given is told apart, with what to give instead."""
    assert [said for _, said in refused(text)] == [what]


def test_a_file_that_is_wrong_everywhere_is_told_briefly() -> None:
    """Fifty lines are shown; the rest is a number."""
    text = "\n".join('{"timestamp": 1}' for _ in range(1000))
    assert ("t", "950 more lines are wrong in the same ways") in refused(text)
    assert len(refused(text)) == 51


@pytest.mark.parametrize(
    "content", [b"\x1f\x8b\x08\x00broken", gzip.compress(AZURE.encode())[:-12], b"\xff\xfe\x00"]
)
def test_a_broken_file_is_refused_and_named(tmp_path: Path, content: bytes) -> None:
    """A download that was cut off is no short trace."""
    (tmp_path / "trace.gz").write_bytes(content)
    with pytest.raises(Refused) as refused:
        load_trace(tmp_path / "trace.gz")
    assert refused.value.findings[0].where == str(tmp_path / "trace.gz")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """The path is named, and the reason."""
    with pytest.raises(Refused, match="No such file"):
        load_trace(tmp_path / "trace")


class TestReplay:
    def taken(self, rate: float, until: float, usual: float = 2.0) -> list[tuple[float, int]]:
        replay, found = Replay(CHANCE, ASKED, length(ASKED), usual), list[tuple[float, int]]()
        replay.change(0.0, rate, Mix.__new__(Mix))
        while replay.time <= until:
            found += [(one.arrived, one.prompt) for one in replay.take()]
        return found

    def test_requests_come_when_they_came(self) -> None:
        """At the usual rate the trace is repeated as it is, again and again."""
        assert self.taken(2.0, 89) == [(0.0, 374), (0.5, 396), (60.0, 879)]
        assert self.taken(2.0, 91) == [(0.0, 374), (0.5, 396), (60.0, 879), (90.0, 374), (90.5, 396)]

    def test_more_demand_repeats_requests_and_less_leaves_them_out(self) -> None:
        """A fault that changes arrivals changes how often each request of the trace comes."""
        assert len(self.taken(6.0, 89)) == 9
        assert self.taken(0.0, 1000) == []
        assert 30 < len(self.taken(1.0, 90 * 33)) < 70

    def test_replicas_share_a_trace(self) -> None:
        """A balancer deals requests out in turn; together the replicas get every one."""
        workloads = [replayed(ASKED, flat, number, 2, {"arrivals": 2.0}) for number in range(2)]
        assert [workload.arrivals(CHANCE).time for workload in workloads] == [0.0, 0.5]
        assert workloads[0].least_blocks * 16 >= 4 * (879 + 55)
