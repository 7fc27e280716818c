"""The lab's programs: real ones, on free ports, watched while they run and gone afterwards."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from sre.findings import Refused, Unreachable
from sre.lab.clock import Clock
from sre.lab.deliveries import Deliveries, pages
from sre.lab.pages import BROKEN, HUNG_UP, Page, free_port, listens, serve
from sre.lab.programs import find, folder
from sre.lab.scaling import Pace
from sre.lab.stack import stack
from sre.lab.targets import Place, exposed

ROUTES = "route: {receiver: page}\nreceivers: [{name: page}]\n"


def test_missing_programs_are_told_with_the_command_that_installs_them(tmp_path: Path) -> None:
    """One finding names all of them, and one command."""
    with pytest.raises(Refused) as refused:
        find("prometheus", "alertmanager", "promtool", path=str(tmp_path))
    (finding,) = refused.value.findings
    assert finding.what == "prometheus and alertmanager and promtool are not on PATH"
    assert "apt-get install --no-install-recommends prometheus prometheus-alertmanager" in finding.fix


def test_a_program_that_dies_is_told_with_its_last_words(until: Callable[..., None]) -> None:
    """A Prometheus that is killed in the middle ends the run with a reason, and its ports and folder are free again."""
    with folder() as where:
        with stack(where, find("prometheus", "alertmanager"), Pace(60), 30, ROUTES) as programs:
            programs.check()
            ports = [int(programs.server.url.rpartition(":")[2])]
            os.kill(programs.programs[0].process.pid, signal.SIGKILL)
            until(lambda: programs.programs[0].process.poll() is not None, "the death of Prometheus")
            with pytest.raises(Unreachable, match="killed by signal 9 in the middle of the run"):
                programs.check()
        assert all(program.process.poll() is not None for program in programs.programs)
    assert not where.exists()
    assert not any(map(listens, ports))


def test_a_program_that_cannot_start_is_told_with_its_log(tmp_path: Path) -> None:
    """Alertmanager's own objection to a configuration is what a person reads."""
    with (
        pytest.raises(Unreachable, match=r"(?s)alertmanager: it ended with exit code 1.*no routes? provided"),
        stack(tmp_path, find("prometheus", "alertmanager"), Pace(60), 30, "receivers: []\n"),
    ):
        pass


def test_pages_answer_fail_or_hang_up(fetch: Callable[..., bytes]) -> None:
    """A target of the lab does on the socket what its story says."""
    posted = list[tuple[str, bytes]]()
    known = {"/up": Page(b"x 1\n"), "/broken": BROKEN, "/away": HUNG_UP}
    with serve(known.get, post=lambda path, body: posted.append((path, body))) as address:
        assert fetch(f"{address}/up?from=here") == b"x 1\n"
        for path in ("/broken", "/away", "/unknown"):
            with pytest.raises(OSError, match=r"500|closed|404"):
                fetch(address + path)
        fetch(f"{address}/page", b"{}")
    assert posted == [("/page", b"{}")]


def test_a_taken_port_is_refused() -> None:
    """Nothing is served half."""
    port = free_port()
    with (
        serve({}.get, port),
        pytest.raises(Refused, match="cannot be listened on"),
        serve({}.get, port),
    ):
        pass


def test_a_target_shows_what_it_would_before_prometheus_relabels() -> None:
    """The labels of service discovery are not in the page, and a pod that would clash goes under its own name."""
    named = 'x{UUID="a,b",exported_pod="replica-1",instance="i",job="dcgm",pod="dcgm-1"}'
    place = Place("/", {"job": "dcgm", "instance": "i", "pod": "dcgm-1"})
    assert exposed(named, place) == 'x{UUID="a,b",pod="replica-1"}'


def test_a_target_keeps_its_place_in_the_interval() -> None:
    """A scrape that comes a little early or late neither repeats a sample nor leaves one out."""
    moments = iter([100.0, 100.24, 100.76, 101.2, 101.8])
    clock = Clock(lambda: next(moments), Pace(60).real(30), rest=7)
    assert clock.scrape("/a") == 7
    clock.start(10)
    assert [clock.scrape("/a") for _ in range(4)] == [10, 11, 12, 13]


def test_only_what_fires_is_counted_as_told() -> None:
    """Notifications of what has resolved wake nobody, and one for two alerts of a group is one."""
    taken = Deliveries()
    alert = '{"status": "%s", "labels": {"alertname": "%s", "pool": "p", "severity": "page"}}'
    for alerts in ([("firing", "A"), ("firing", "A")], [("resolved", "A")], [("firing", "B")]):
        body = ", ".join(alert % one for one in alerts)
        taken.take("/platform%2Fpage", f'{{"alerts": [{body}]}}'.encode())
    assert [one.receiver for one in taken.all] == ["platform/page"] * 2
    assert pages(taken.all, {"pool": "p"}) == ("A", "B")
    assert pages(taken.all, {"pool": "other"}) == ()
