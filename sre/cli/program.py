"""The command by which the person at the terminal can start this program again."""

import shutil
import sys
from pathlib import Path
from shlex import quote

_NAME = "sre"


def started_as() -> str:
    """`sre` where the shell finds this very program under that name; else as it was started this time."""
    start, found = Path(sys.argv[0]), shutil.which(_NAME)
    if found and Path(found).exists() and start.exists() and start.samefile(found):
        return _NAME
    if start.name == "__main__.py":
        return f"{quote(sys.executable)} -m sre.cli"
    return quote(sys.argv[0])
