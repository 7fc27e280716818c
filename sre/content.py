"""Where the built-in content lies: the one place that knows a wheel from a checkout."""

from pathlib import Path

FOLDERS = ("exporters", "rules", "dashboards", "runbooks")
"""What a catalogue folder holds, built in or a team's own."""


def root(package: Path = Path(__file__).parent) -> Path:
    """Return the folder that holds ``FOLDERS``.

    A wheel carries them inside ``package`` as ``_content``; in a checkout, also an editable install,
    they stand beside it.
    """
    shipped = package / "_content"
    return shipped if shipped.is_dir() else package.parent
