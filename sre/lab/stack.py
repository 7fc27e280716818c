"""A Prometheus and an Alertmanager of the lab, on loopback, at the lab's pace."""

import json
import signal
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sre.compile.prometheus import dump
from sre.findings import Finding, Unreachable
from sre.lab.pages import HOST, listens, usable_port
from sre.lab.programs import Program, running
from sre.lab.scaling import Pace
from sre.lab.targets import Place
from sre.prometheus import Server
from sre.units import format_duration

_LOOKBACK, _RESEND = 300, 60
"""Seconds: Prometheus' own defaults of how long a sample is good, and after which an alert is sent again."""
_POLL = 0.1


@dataclass(frozen=True)
class Stack:
    """The running programs. ``server`` answers for the Prometheus, ``alertmanager`` is an address."""

    folder: Path
    server: Server
    programs: tuple[Program, ...]
    alertmanager: str

    def check(self) -> None:
        """Raise ``Unreachable`` where one of them has died."""
        for program in self.programs:
            program.check()

    def discover(self, places: Iterable[Place], address: str) -> None:
        """Let these targets be all that there are."""
        by_job: dict[bool, list[dict[str, object]]] = {False: [], True: []}
        for place in places:
            labels = {**place.labels, "__metrics_path__": place.path}
            by_job[place.honor_labels].append({"targets": [address], "labels": labels})
        for honor, found in by_job.items():
            # Prometheus reads the file when it is there under its name, so that it never sees half of it.
            half = self.folder / "half"
            half.write_text(json.dumps(found), encoding="utf-8")
            half.rename(self.folder / _targets(honor))

    def await_scrapes(self, wanted: int, patience: float, late: Finding) -> None:
        """Until so many targets are up; raises ``Unreachable`` with ``late`` after so many seconds without."""
        end = time.monotonic() + patience
        while sum(one.value for one in self.server.query('sum(up{job!="lab"})')) < wanted:
            self.check()
            if time.monotonic() > end:
                raise Unreachable([late])
            time.sleep(_POLL)

    def load(self, groups: Collection[Mapping[str, object]]) -> None:
        """Let Prometheus evaluate these rules from now on."""
        (self.folder / "all.rules.yaml").write_text(dump({"groups": list(groups)}), encoding="utf-8")
        self.programs[0].process.send_signal(signal.SIGHUP)


@contextmanager
def stack(
    where: Path,
    files: Mapping[str, str],
    pace: Pace,
    interval: int,
    routes: str,
    ports: tuple[int, int] = (0, 0),
) -> Iterator[Stack]:
    """Both programs run until the block ends; nothing is scraped and no rule is loaded yet.

    ``ports``: Prometheus' and Alertmanager's; 0 is any free one. Raises ``Refused`` where one cannot be had.
    """
    port, alerts = map(usable_port, ports)
    (where / "alertmanager.yml").write_text(routes, encoding="utf-8")
    (where / "prometheus.yml").write_text(
        dump(_configuration(pace, interval, alerts, port)), encoding="utf-8"
    )
    server = Server(f"http://{HOST}:{port}", timeout=30)
    with ExitStack() as started:
        manager = started.enter_context(
            running(
                "alertmanager", _alertmanager(files["alertmanager"], alerts), where, lambda: listens(alerts)
            )
        )
        prometheus = started.enter_context(
            running("prometheus", _prometheus(files["prometheus"], port, pace), where, lambda: _ready(server))
        )
        yield Stack(where, server, (prometheus, manager), f"http://{HOST}:{alerts}")


def _ready(server: Server) -> bool:
    try:
        server.buildinfo()
    except Unreachable:
        return False
    return True


def _configuration(pace: Pace, interval: int, alerts: int, port: int) -> dict[str, object]:
    step = format_duration(pace.real(interval))
    return {
        "global": {"scrape_interval": step, "scrape_timeout": step, "evaluation_interval": step},
        "rule_files": ["*.rules.yaml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"{HOST}:{alerts}"]}]}]},
        "scrape_configs": [
            _itself(port),
            *(
                {
                    "job_name": "own-labels" if honor else "targets",
                    "honor_labels": honor,
                    "file_sd_configs": [{"files": [_targets(honor)], "refresh_interval": "1s"}],
                }
                for honor in (False, True)
            ),
        ],
    }


def _itself(port: int) -> dict[str, object]:
    """Whether it keeps up with its rules."""
    keep = {"source_labels": ["__name__"], "regex": "prometheus_rule_group_iterations.*", "action": "keep"}
    return {
        "job_name": "lab",
        "scrape_interval": "1s",
        "static_configs": [{"targets": [f"{HOST}:{port}"]}],
        "metric_relabel_configs": [keep],
    }


def _targets(honor: bool) -> str:
    return "own-labels.json" if honor else "targets.json"


def _prometheus(file: str, port: int, pace: Pace) -> list[str]:
    return [
        file,
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        f"--web.listen-address={HOST}:{port}",
        f"--query.lookback-delta={format_duration(pace.real(_LOOKBACK))}",
        f"--rules.alert.resend-delay={format_duration(pace.real(_RESEND))}",
        "--log.level=warn",
    ]


def _alertmanager(file: str, port: int) -> list[str]:
    return [
        file,
        "--config.file=alertmanager.yml",
        "--storage.path=told",
        f"--web.listen-address={HOST}:{port}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
