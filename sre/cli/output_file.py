"""The one file that a command writes beside what it shows: whole or not at all."""

import os
from pathlib import Path

from sre.findings import Finding, Refused


def check_file(option: str, path: Path | None) -> None:
    """Raises ``Refused`` where the file could not be written in the end: told before the long work begins."""
    if path and not path.parent.is_dir():
        what, fix = f"there is no folder {path.parent}", "make it, or name a file elsewhere"
        raise Refused([Finding(option, what, "nobody could read the result there", fix)])


def write_file(path: Path | None, text: str) -> None:
    """Nothing where no file was asked for. Raises ``Refused`` where it cannot be written."""
    if not path:
        return
    # A pipe or /dev/stdout is written to, not replaced.
    whole = path.is_file() or not path.exists()
    part = path.with_name(f".{path.name}.{os.getpid()}") if whole else path
    try:
        part.write_text(text, encoding="utf-8", newline="")
        if whole:
            part.replace(path)
    except OSError as error:
        what, why = f"cannot be written: {error.strerror}", "the result would not be read there"
        raise Refused([Finding(str(path), what, why, "free space there, or name another file")]) from None
    finally:
        if whole:
            part.unlink(missing_ok=True)
