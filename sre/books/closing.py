"""Closing a month: a copy in the books that nothing here ever writes again."""

import json
import os
import shutil
import stat
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp

from sre.books.folder import CLOSED, MANIFEST, Built, open_folder
from sre.finance.bill import Bill
from sre.finance.manifest import digest
from sre.findings import Finding, Refused


def close(built: Built, books: Path, now: datetime) -> tuple[Path, bool]:
    """Put a built month into the books: all of it, in one step. The folder, and whether it was new.

    Closing the same bytes again changes nothing. Raises ``Refused`` for another bill of a closed month, for a
    month whose days of grace are not over, and where the disk does not take it.
    """
    target = books / str(built.manifest["month"])
    if target.exists():
        if open_folder(target).files == built.files:
            return target, False
        raise Refused([_closed_already(target)])
    _ripe(built, now)
    try:
        books.mkdir(parents=True, exist_ok=True)
        stage = Path(mkdtemp(prefix=".closing-", dir=books))
        try:
            _fill(stage, built)
            # One step: a run that is killed leaves a hidden folder, never half a month.
            stage.rename(target)
        finally:
            with suppress(OSError):
                shutil.rmtree(stage)
    except OSError as error:
        raise Refused(
            [
                Finding(
                    str(books),
                    f"cannot be written to: {error.strerror}",
                    "the month is not closed",
                    "name a folder that can be written to with --books",
                )
            ]
        ) from None
    return target, True


def closed_bills(books: Path | None) -> list[Bill]:
    """The bills of all closed months, the earliest first. Raises ``Refused`` where one was changed."""
    if books is None or not books.is_dir():
        return []
    # What a closing that was killed has left begins with a point, and is no month.
    months = sorted(path for path in books.glob("[!.]*") if (path / CLOSED).is_file())
    return [open_folder(path).bill for path in months]


def is_closed(folder: Path) -> bool:
    """Whether a folder is a closed month of some books."""
    return (folder / CLOSED).exists()


def _fill(stage: Path, built: Built) -> None:
    mark = {
        "month": built.manifest["month"],
        "total": built.manifest["total"],
        "tool": built.manifest["tool"],
        "currency": built.manifest["currency"],
        "manifest": digest(built.files[MANIFEST]),
    }
    files = {**built.files, CLOSED: (json.dumps(mark, indent=2) + "\n").encode()}
    for name, content in files.items():
        path = stage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        path.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
    stage.chmod(0o755)


def _ripe(built: Built, now: datetime) -> None:
    until = built.bill.end + timedelta(days=built.costs.grace_days)
    if now < until:
        raise Refused(
            [
                Finding(
                    str(built.folder),
                    f"may not be closed before {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
                    f"late records are waited for: grace_days is {built.costs.grace_days}",
                    "close it then",
                )
            ]
        )


def _closed_already(target: Path) -> Finding:
    return Finding(
        str(target),
        "is closed with another bill",
        "a closed month is never written again",
        "build a later month with --corrects and this folder: the difference becomes Correction rows",
    )
