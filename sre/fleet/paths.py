"""Paths inside a fleet file: relative to the file itself, never to where the command was started."""

from collections.abc import Iterator
from pathlib import Path

from sre.fleet.models import Fleet
from sre.fleet.problem import Problem

COUNTER_LISTS = ("image", "chart")
"""Counter lists that the GPU exporter ships; anything else is a path."""


def resolve(fleet: Fleet, folder: Path) -> tuple[Fleet, list[Problem]]:
    """The fleet with its paths made absolute from ``folder``, and what does not exist."""
    # Absolute, so that whoever joins them to the folder again still gets the same file.
    folder = folder.absolute()
    update: dict[str, object] = {
        key: folder / path for key in ("catalogue", "receivers") if (path := getattr(fleet, key)) is not None
    }
    exporter = fleet.gpu_exporter
    if exporter and exporter.counters not in COUNTER_LISTS:
        counters = str(folder / exporter.counters)
        update["gpu_exporter"] = exporter.model_copy(update={"counters": counters})
    resolved = fleet.model_copy(update=update)
    return resolved, list(_missing(resolved))


def _missing(fleet: Fleet) -> Iterator[Problem]:
    if fleet.catalogue and not _is(fleet.catalogue, folder=True):
        yield _absent(("catalogue",), fleet.catalogue, "folder")
    if fleet.receivers and not _is(fleet.receivers):
        yield _absent(("receivers",), fleet.receivers, "file")
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
