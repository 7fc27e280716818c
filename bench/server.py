"""A real Prometheus of a bench's own, filled by remote write before it is given rules."""

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests
import yaml

_CONFIG = {"global": {"scrape_interval": "1h", "evaluation_interval": "30s"}}
# One head block that holds last week's hour as well as the minutes ahead, and is never compacted while it is measured.
_FLAGS = ("--storage.tsdb.min-block-duration=20d", "--storage.tsdb.retention.time=60d", "--log.level=warn")


class Prometheus:
    """A real one, alone on its port and folder."""

    def __init__(self, folder: Path, url: str, pid: int) -> None:
        self.folder, self.url, self._pid, self.session = folder, url, pid, requests.Session()
        self.session.trust_env = False  # no proxy stands before a server of one's own

    def get(self, path: str) -> requests.Response:
        answer = self.session.get(self.url + path, timeout=120)
        answer.raise_for_status()
        return answer

    def metric(self, name: str) -> float:
        """One of its own, summed over its labels."""
        lines = (line for line in self.get("/metrics").text.splitlines() if line.startswith(name))
        return sum(float(line.rpartition(" ")[2]) for line in lines if line[len(name)] in " {")

    def load(self, rules: Path) -> None:
        """Begin to evaluate."""
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump({**_CONFIG, "rule_files": [str(rules)]}))
        answer = self.session.post(f"{self.url}/-/reload", timeout=120)
        if not answer.ok:
            raise SystemExit(f"Prometheus refused the rules: {answer.text.strip()}")

    @property
    def peak(self) -> float:
        """The most memory that it held, in MB."""
        status = Path(f"/proc/{self._pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@contextmanager
def prometheus(folder: Path, flags: Sequence[str] = _FLAGS) -> Iterator[Prometheus]:
    """Run one until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    (folder / "prometheus.yml").write_text(yaml.safe_dump(_CONFIG))
    options = (
        "--web.enable-lifecycle",
        "--web.enable-remote-write-receiver",
        f"--web.listen-address={address}",
    )
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            ("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", *options, *flags),
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        try:
            server = Prometheus(folder, f"http://{address}", process.pid)
            while not _ready(server):
                if process.poll() is not None:
                    raise SystemExit(f"Prometheus ended:\n{(folder / 'log').read_text()}")
                time.sleep(0.1)
            yield server
        finally:
            process.kill()
            process.wait()


def _ready(server: Prometheus) -> bool:
    try:
        return server.session.get(f"{server.url}/-/ready", timeout=5).ok
    except requests.ConnectionError:
        return False
