"""Pictures of a fleet's dashboards: compiled, filled with one incident by backfill.py, and shot by a browser.

    python tools/render/look.py examples/fleet.yaml pictures --shoot ../render/shoot.py

Grafana's front end is not shipped here (its Prometheus part is AGPL-3.0): ``--shoot`` names a program that is called as
``shoot.py DASHBOARD.json OUT --from T --to T --prom URL`` and writes OUT.png. Needs promtool and prometheus.
"""

import argparse
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backfill import END, HOURS

from sre import content, fleet
from sre.catalogue.load import load
from sre.compile import grafana
from sre.compile.planning import make_plan


def main() -> int:
    """One picture per dashboard; 1 when the program complained about one of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("fleet")
    parser.add_argument("out", type=Path)
    parser.add_argument("--shoot", type=Path, required=True)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    plan = make_plan(fleet.load(asked.fleet)[0], load(content.root()))
    pages = {Path(a.path).stem: a.text for a in grafana.render(plan) if a.path.endswith(".json")}
    with tempfile.TemporaryDirectory() as folder, filled(asked.fleet, Path(folder)) as server:
        return max(shoot(asked.shoot, text, asked.out / uid, server) for uid, text in pages.items())


@contextmanager
def filled(fleet_file: str, folder: Path) -> Iterator[str]:
    """A Prometheus that holds the incident; the value is its address."""
    backfill = Path(__file__).with_name("backfill.py")
    subprocess.run([sys.executable, backfill, fleet_file, folder / "incident.om"], check=True)
    blocks = [
        "promtool",
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        folder / "incident.om",
        folder / "data",
    ]
    subprocess.run(blocks, check=True, stdout=subprocess.DEVNULL)
    (folder / "prometheus.yml").write_text("{}\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    process = subprocess.Popen(
        ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={address}",
         "--storage.tsdb.retention.time=100y", "--log.level=error"], cwd=folder,
    )  # fmt: skip
    try:
        wait_for(f"http://{address}/-/ready")
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()


def wait_for(url: str) -> None:
    """Return once it answers. Raises ``TimeoutError`` after half a minute."""
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        try:
            urllib.request.urlopen(url, timeout=1).close()  # noqa: S310
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(url)


def shoot(program: Path, text: str, out: Path, server: str) -> int:
    """Hand one dashboard to the program; its exit code."""
    page = out.with_suffix(".dashboard.json")
    page.write_text(text)
    end = datetime.fromtimestamp(END, UTC)
    start, stop = (moment.strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (end - timedelta(hours=HOURS), end))
    asked = [page.resolve(), out.resolve(), "--from", start, "--to", stop, "--prom", server]
    return subprocess.run([sys.executable, program.resolve(), *asked], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
