"""What every test finds prepared: hypothesis' profile, and real programs on loopback.

Each program runs on a free port, in a folder of its own, and is ended by its process id.
"""

import json
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import pytest
import yaml
from hypothesis import settings

from sre.lab.pages import Page, free_port, serve
from sre.lab.programs import running

# One profile everywhere: the same examples on each run, and no deadline on a machine that others use too.
settings.register_profile("steady", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("steady")

# Programs are interrupted as from a terminal, also where the suite itself runs in the background or under nohup:
# what is ignored here would be ignored by all of them.
for _ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
    if signal.getsignal(_ignored) == signal.SIG_IGN:
        signal.signal(_ignored, signal.default_int_handler if _ignored == signal.SIGINT else signal.SIG_DFL)

_PATIENCE = 30.0


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes are never a test's name: gzip writes the time into them, and two workers would collect two tests."""
    return f"{len(val)}-bytes" if isinstance(val, bytes) else None


class Scraped(TypedDict, total=False):
    """One scrape target: its exposition text, and the labels that service discovery would give it."""

    job: str
    text: str
    labels: Mapping[str, str]
    honor_labels: bool


@dataclass(frozen=True)
class Running:
    """A program that answers at ``url``."""

    url: str
    folder: Path


def wait_until(condition: Callable[[], bool], what: str, seconds: float = _PATIENCE) -> None:
    """Wait for something that another process does; fail when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds:g} s for {what}"
        time.sleep(0.05)


def working_in(folder: Path) -> dict[str, int]:
    found = dict[str, int]()
    for process in Path("/proc").glob("[0-9]*"):
        # Other users' processes, and those that have just ended, are not shown.
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder.resolve()):
                command = (process / "cmdline").read_text(errors="replace").partition("\0")[0]
                found[command.rpartition("/")[2]] = int(process.name)
    return found


def answers(url: str) -> bool:
    try:
        ask(url)
    except (urllib.error.URLError, OSError):
        return False
    return True


def ask(url: str, data: bytes | None = None) -> bytes:
    """The body of the answer; with data, of a POST (of JSON, where the server cares)."""
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
        return bytes(response.read())


@contextmanager
def program(arguments: list[str], ready: str, folder: Path) -> Iterator[None]:
    """Run until the block ends; ``ready`` is the address that answers 200 once it is up."""
    with running(Path(arguments[0]).name, arguments, folder, lambda: answers(ready), _PATIENCE):
        yield


@contextmanager
def pages(texts: Mapping[str, str]) -> Iterator[int]:
    """Serve exposition texts by path; the value is the port."""
    with serve(lambda path: Page(texts[path].encode()) if path in texts else None) as address:
        yield int(address.rpartition(":")[2])


@contextmanager
def prometheus(folder: Path, targets: Sequence[Scraped], rules: Sequence[Path]) -> Iterator[Running]:
    """A Prometheus that has scraped every page."""
    with ExitStack() as stack:
        texts = {f"/{index}": page["text"] for index, page in enumerate(targets)}
        served, port = stack.enter_context(pages(texts)), free_port()
        config = {
            # A scrape may take as long as the interval: machines that build in parallel need more than a second.
            "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [_job(index, page, served) for index, page in enumerate(targets)],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        url = f"http://127.0.0.1:{port}"
        arguments = [
            "prometheus",
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        stack.enter_context(program(arguments, f"{url}/-/ready", folder))
        wait_until(lambda: _scraped(url) == len(targets), "a scrape of every page")
        yield Running(url, folder)


def _job(index: int, page: Scraped, port: int) -> dict[str, object]:
    # One scrape job for each page: several of them share a job label, as the pods of a pool do.
    labels = {"job": page["job"], "instance": f"10.0.0.{index + 1}:8000", **page.get("labels", {})}
    return {
        "job_name": f"page-{index}",
        "honor_labels": page.get("honor_labels", False),
        "metrics_path": f"/{index}",
        "static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": labels}],
    }


def _scraped(url: str) -> int:
    answer = ask(f"{url}/api/v1/query?query=count(max_over_time(up[1h])==1)")
    result = json.loads(answer)["data"]["result"]
    return int(result[0]["value"][1]) if result else 0


@contextmanager
def victoria_metrics(folder: Path, targets: Sequence[Scraped]) -> Iterator[Running]:
    """A VictoriaMetrics that every page was pushed into."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = [
        "victoria-metrics",
        "-storageDataPath=data",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-search.latencyOffset=0s",
    ]
    with program(arguments, f"{url}/health", folder):
        for page in targets:
            labels = [
                f"extra_label={k}={v}" for k, v in {"job": page["job"], **page.get("labels", {})}.items()
            ]
            address = f"{url}/api/v1/import/prometheus?{'&'.join(labels)}"
            ask(address, page["text"].encode())
        ask(f"{url}/internal/force_flush")
        wait_until(
            lambda: b'"metric"' in ask(f"{url}/api/v1/query?query={{__name__!=''}}"), "the pushed series"
        )
        yield Running(url, folder)


@pytest.fixture(scope="session")
def _started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ExitStack, Callable[[str], Path]]]:
    naming = threading.Lock()

    def folder(name: str) -> Path:
        # Servers are started side by side, and pytest numbers folders without a lock.
        with naming:
            return tmp_path_factory.mktemp(name)

    with ExitStack() as stack:
        yield stack, folder


@pytest.fixture(scope="session")
def start_prometheus(_started) -> Callable[..., Running]:
    """Start one with ``start_prometheus(page, page, rules=[path])``; it runs until the tests end."""
    stack, folder = _started

    def start(*targets: Scraped, rules: Sequence[Path] = ()) -> Running:
        return stack.enter_context(prometheus(folder("prometheus"), targets, rules))

    return start


@pytest.fixture(scope="session")
def start_victoria_metrics(_started) -> Callable[..., Running]:
    """Start one with ``start_victoria_metrics(page, page)``; it runs until the tests end."""
    stack, folder = _started

    def start(*targets: Scraped) -> Running:
        return stack.enter_context(victoria_metrics(folder("victoria"), targets))

    return start


@pytest.fixture(scope="session")
def start_program(_started) -> Callable[..., Running]:
    """Start any server with ``start_program(make)``, where ``make(folder, port)`` gives its arguments."""
    stack, folder = _started

    def start(make: Callable[[Path, int], list[str]], ready: str) -> Running:
        own, port = folder("program"), free_port()
        url = f"http://127.0.0.1:{port}"
        stack.enter_context(program(make(own, port), f"{url}{ready}", own))
        return Running(url, own)

    return start


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """``until(condition, "what")`` waits for what another process does, and fails when it does not come."""
    return wait_until


@pytest.fixture(scope="session")
def running_in() -> Callable[[Path], dict[str, int]]:
    """``running_in(folder)`` is who works in a folder or below it: processes by the name of their command."""
    return working_in


@pytest.fixture(scope="session")
def fetch() -> Callable[..., bytes]:
    """``fetch(url)`` and ``fetch(url, data)`` ask another process over HTTP."""
    return ask


DCGM_IMAGE = (
    "GPU_TEMP", "MEMORY_TEMP", "GPU_UTIL", "FB_USED", "FB_FREE", "FB_RESERVED", "POWER_USAGE", "XID_ERRORS",
    "UNCORRECTABLE_REMAPPED_ROWS", "CORRECTABLE_REMAPPED_ROWS", "ROW_REMAP_FAILURE", "NVLINK_BANDWIDTH_TOTAL",
)  # fmt: skip
"""Of dcgm-exporter's own list, without DCGM_FI_DEV_: what alerts read (etc/default-counters.csv, 4.8.2)."""
DCGM_PROFILING = ("GR_ENGINE_ACTIVE", "DRAM_ACTIVE", "PIPE_TENSOR_ACTIVE")


def dcgm_text(
    cards: Sequence[Mapping[str, str]],
    *,
    without: Sequence[str] = (),
    extra: Sequence[str] = (),
    host: str = "Hostname",
) -> str:
    """What a dcgm-exporter prints for cards with the given labels (UUID and, where they are in use, pod)."""
    names = [f"DCGM_FI_DEV_{name}" for name in (*DCGM_IMAGE, *extra) if name not in without]
    names += [f"DCGM_FI_PROF_{name}" for name in DCGM_PROFILING if name not in without]
    lines = list[str]()
    for number, name in enumerate(names):
        lines.append(f"# TYPE {name} gauge")
        for index, card in enumerate(cards):
            labels = {"gpu": str(index), "modelName": "NVIDIA H100 80GB HBM3", host: "node-a", **card}
            inside = ",".join(f'{key}="{value}"' for key, value in labels.items())
            lines.append(f"{name}{{{inside}}} {30 + number}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def dcgm() -> Callable[..., str]:
    """``dcgm([{"UUID": ..., "namespace": ..., "pod": ...}])`` is the text of an exporter that has these cards."""
    return dcgm_text


@pytest.fixture(scope="session")
def captures() -> Path:
    """Real and generated expositions beside the checkout; tests that want them skip where they are not."""
    folder = Path(__file__).parent.parent.parent / "shared" / "captures"
    if not folder.is_dir():
        pytest.skip("no captures beside the checkout")
    return folder
