"""Saved `/metrics` pages: which samples they hold, and of which pool they are said to be."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_fd_to_metric_families

from sre.findings import Finding, Refused
from sre.fleet import Fleet
from sre.source import show, suggest

MAX_BYTES = 64 << 20

Found = Mapping[str, Sequence[Mapping[str, str]]]
"""Sample name -> label sets."""

_WHY = "it is read as Prometheus' text format, as a target prints it"
_FIX = "save it with: curl -s http://target/metrics"


@dataclass(frozen=True)
class Exposed:
    """One file: what it exposes, and the pool that it was said to be of."""

    path: str
    samples: Found
    types: Mapping[str, str]
    pool: str | None = None


def read_files(arguments: Iterable[str], fleet: Fleet) -> list[Exposed]:
    """Files given as ``FILE`` or ``FILE=POOL``. Raises ``Refused`` with everything that is wrong with them."""
    read, findings = list[Exposed](), list[Finding]()
    for argument in arguments:
        try:
            read.append(_read(argument, [pool.name for pool in fleet.pools]))
        except Refused as refused:
            findings += refused.findings
    if findings:
        raise Refused(findings)
    return read


def _read(argument: str, pools: list[str]) -> Exposed:
    path, pool = _split(argument, pools)
    name = str(path)
    return _exposed(name, _families(name, _text(name, _content(path))), pool)


def _split(argument: str, pools: list[str]) -> tuple[Path, str | None]:
    if "=" not in argument or Path(argument).exists():
        return Path(argument), None
    name, _, pool = argument.rpartition("=")
    if pool not in pools:
        why = "the file's metrics are compared with what that pool declares"
        what = f"there is no pool {show(pool)} in the fleet file"
        raise Refused([Finding(name, what, why, suggest(pool, pools))])
    return Path(name), pool


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "no file can have this name"
        raise Refused([Finding(str(path), f"cannot be read: {said}", _WHY, _FIX)]) from None
    if len(content) > MAX_BYTES:
        what = f"cannot be read: it is larger than {MAX_BYTES >> 20} MiB"
        raise Refused([Finding(str(path), what, "no target prints that much", _FIX)])
    return content


def _text(name: str, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"cannot be read: byte {content[error.start]:#04x} there is no UTF-8 text"
        raise Refused([Finding(f"{name}:{line}", what, _WHY, _FIX)]) from None
    if text.lstrip().startswith("<"):
        what = "cannot be read: it is a web page (HTML) and no metrics"
        why = "it is the page of a login, or of another address than /metrics"
        raise Refused([Finding(name, what, why, f"{_FIX}, behind the login")])
    return text


def _families(name: str, text: str) -> list[Metric]:
    page = StringIO(text)
    try:
        return list(text_fd_to_metric_families(page))
    except (ValueError, IndexError, KeyError):
        # It reads line by line, and stands behind the one that it does not understand.
        line = text[: page.tell()].rstrip("\n").split("\n")
        what = f"cannot be read: this line is no metric: {show(line[-1].strip())}"
        raise Refused([Finding(f"{name}:{len(line)}", what, _WHY, _FIX)]) from None


def _exposed(path: str, families: Iterable[Metric], pool: str | None) -> Exposed:
    samples, types = defaultdict[str, list[Mapping[str, str]]](list), dict[str, str]()
    for family in families:
        for sample in family.samples:
            samples[sample.name].append(sample.labels)
            types[sample.name] = family.type
    return Exposed(path, samples, types, pool)
