"""Whether compressed files are whole: what reads the records takes a torn one for a short one, and says nothing."""

import gzip
import zlib
from collections.abc import Iterable
from pathlib import Path

from sre.findings import Finding

_PIECE = 1 << 20


def find_torn(paths: Iterable[Path]) -> list[Finding]:
    """An error for each gzipped file that ends before its end, or is not what its checksum says; for zstd always."""
    found = [(path, _flaw(path)) for path in paths if path.name.endswith((".gz", ".zst"))]
    return [_torn(path, flaw) for path, flaw in found if flaw]


def _flaw(path: Path) -> str:
    if path.name.endswith(".zst"):
        return "is packed by zstd, of which nobody here can tell whether it is whole"
    try:
        with gzip.open(path) as file:
            while file.read(_PIECE):
                pass
    except EOFError:
        return "is torn: it ends in the middle of its compressed data"
    except (gzip.BadGzipFile, zlib.error):
        return "is damaged: it is no gzip, or not what its checksum says"
    return ""


def _torn(path: Path, flaw: str) -> Finding:
    why = "part of a month would be billed as the whole"
    return Finding(str(path), flaw, why, "copy it again, or pack the records anew, with gzip")
