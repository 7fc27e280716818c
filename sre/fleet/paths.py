"""Paths inside a fleet file: relative to the file itself, never to where the command was started."""

from collections.abc import Iterator
from pathlib import Path

from sre.fleet.holidays import MOST_BYTES, Unreadable, holidays
from sre.fleet.models import Fleet
from sre.fleet.problem import Problem

COUNTER_LISTS = ("image", "chart")
"""Counter lists that the GPU exporter ships; anything else is a path."""


def resolve(fleet: Fleet, folder: Path) -> tuple[Fleet, list[Problem]]:
    """The fleet with its paths made absolute from ``folder``, and what does not exist."""
    # Absolute, so that whoever joins them to the folder again still gets the same file.
    folder = folder.absolute()
    update: dict[str, object] = {
        key: folder / path
        for key in ("catalogue", "receivers", "holidays")
        if (path := getattr(fleet, key)) is not None
    }
    exporter = fleet.gpu_exporter
    if exporter and exporter.counters not in COUNTER_LISTS:
        counters = str(folder / exporter.counters)
        update["gpu_exporter"] = exporter.model_copy(update={"counters": counters})
    resolved = fleet.model_copy(update=update)
    problems = list(_missing(resolved))
    if resolved.holidays and not any(problem.loc == ("holidays",) for problem in problems):
        return _with_holidays(resolved, resolved.holidays, problems)
    return resolved, problems


def _with_holidays(fleet: Fleet, path: Path, problems: list[Problem]) -> tuple[Fleet, list[Problem]]:
    """Holidays are days without business hours, wherever they are written."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise Unreadable(f"is larger than {MOST_BYTES >> 20} MiB", "name the file of the holidays alone")
        days = holidays(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        return fleet, [*problems, _unread(path, Unreadable(f"cannot be read: {error}", "name another file"))]
    except Unreadable as error:
        return fleet, [*problems, _unread(path, error)]
    hours = fleet.business_hours
    all_days = tuple(sorted({*hours.holidays, *days}))
    return fleet.model_copy(
        update={"business_hours": hours.model_copy(update={"holidays": all_days})}
    ), problems


def _unread(path: Path, error: Unreadable) -> Problem:
    return Problem(
        ("holidays",),
        f"`holidays`: {path.name} {error.what}",
        "business hours would not know its days",
        error.fix,
    )


def _missing(fleet: Fleet) -> Iterator[Problem]:
    if fleet.catalogue and not _is(fleet.catalogue, folder=True):
        yield _absent(("catalogue",), fleet.catalogue, "folder")
    if fleet.receivers and not _is(fleet.receivers):
        yield _absent(("receivers",), fleet.receivers, "file")
    if fleet.holidays and not _is(fleet.holidays):
        yield _absent(("holidays",), fleet.holidays, "file")
    exporter = fleet.gpu_exporter
    if exporter and exporter.counters not in COUNTER_LISTS and not _is(Path(exporter.counters)):
        yield _absent(
            ("gpu_exporter", "counters"), Path(exporter.counters), "file (or the word image or chart)"
        )


def _is(path: Path, *, folder: bool = False) -> bool:
    try:
        return path.is_dir() if folder else path.is_file()
    except (OSError, ValueError):
        # A name too long for the system, or one with a NUL inside.
        return False


def _absent(loc: tuple[str, ...], path: Path, kind: str) -> Problem:
    return Problem(
        loc,
        f"`{'.'.join(loc)}`: there is no such {kind}: {str(path)!r}",
        "paths start at the folder of the fleet file",
        "correct the path, or leave the key out",
    )
