"""New files where none are: nothing that somebody wrote is ever overwritten."""

from collections.abc import Mapping
from pathlib import Path

from sre.findings import Finding, Refused


def create(files: Mapping[str, str], folder: Path) -> list[Path]:
    """Write all files (name -> text) or none, and give their paths. Raises ``Refused`` where one exists already."""
    paths = {folder / name: text for name, text in files.items()}
    taken = [path for path in paths if path.exists() or path.is_symlink()]
    if taken:
        raise Refused(_taken(path) for path in taken)
    done = list[Path]()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in paths.items():
            # Exclusive: a file that appeared in between is not overwritten either.
            with path.open("x", encoding="utf-8", newline="\n") as file:
                done.append(path)
                file.write(text)
    except OSError as error:
        for path in done:
            path.unlink(missing_ok=True)
        reason = error.strerror or type(error).__name__
        why = "all files are written, or none"
        fix = "name a folder that can be written to with -o, and see that there is room"
        raise Refused([Finding(str(folder), f"cannot be written to: {reason}", why, fix)]) from None
    return done


def _taken(path: Path) -> Finding:
    return Finding(
        str(path),
        "is there already",
        "it may be somebody's work",
        "remove it, or name another folder with -o",
    )
