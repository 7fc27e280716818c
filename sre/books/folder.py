"""The folder of one built month: what is in it, and reading it back."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sre.finance.bill import Bill
from sre.finance.costs import Costs, load_text
from sre.finance.exports import BILL
from sre.finance.saved import from_json
from sre.finance.stored import bill_from_json
from sre.finance.usage import Usage
from sre.findings import Finding, Refused
from sre.swap import safe

MANIFEST, CLOSED = "manifest.json", "closed.json"
COSTS, USAGE, CONTEXT = "inputs/costs.yaml", "inputs/usage.json", "inputs/context.json"
"""What the bill was computed from, beside it: the cost file, the measured usage, earlier months' figures."""


@dataclass(frozen=True)
class Built:
    """A built month: its manifest as data, and the bytes of the manifest and of all files that it lists."""

    folder: Path
    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]

    @property
    def bill(self) -> Bill:
        """The bill as it was written. Raises ``Refused``."""
        return bill_from_json(self._text(BILL), str(self.folder / BILL))

    @property
    def usage(self) -> Usage:
        """The usage that it was computed from. Raises ``Refused``."""
        return from_json(self._text(USAGE), str(self.folder / USAGE))

    @property
    def costs(self) -> Costs:
        """The cost file that it was computed from. Raises ``Refused``."""
        return load_text(str(self.folder / COSTS), self._content(COSTS))[0]

    @property
    def context(self) -> Mapping[str, Any]:
        """What else it was computed from; see ``sre.books.recomputing``. Raises ``Refused``."""
        data: dict[str, Any] = json.loads(self._text(CONTEXT))
        return data

    def _text(self, name: str) -> str:
        return self._content(name).decode()

    def _content(self, name: str) -> bytes:
        if name not in self.files:
            raise Refused([_not_a_month(self.folder, f"it lacks {name}")])
        return self.files[name]


def open_folder(folder: Path) -> Built:
    """Read a built month and compare every file with its hash. Raises ``Refused`` for one that was changed."""
    try:
        raw = (folder / MANIFEST).read_bytes()
        manifest = json.loads(raw)
        listed = dict(manifest["artefacts"])
        if not all(safe(name) for name in listed):
            raise ValueError("it lists paths outside")
        files = {name: (folder / name).read_bytes() for name in listed}
    except FileNotFoundError as error:
        raise Refused([_not_a_month(folder, f"{error.filename} is not there")]) from None
    except OSError as error:
        raise Refused([_not_a_month(folder, f"{error.filename}: {error.strerror}")]) from None
    except (ValueError, TypeError, KeyError) as error:
        raise Refused([_not_a_month(folder, f"its manifest cannot be read: {error}")]) from None
    changed = [name for name, content in files.items() if hashlib.sha256(content).hexdigest() != listed[name]]
    if changed:
        raise Refused(_changed(folder / name) for name in changed)
    return Built(folder, manifest, {**files, MANIFEST: raw})


def _not_a_month(folder: Path, why: str) -> Finding:
    return Finding(
        str(folder),
        f"is no built month: {why}",
        "nothing there can be relied on",
        "name a folder that `sre chargeback build -o` has written",
    )


def _changed(path: Path) -> Finding:
    return Finding(
        str(path),
        "is not what was built: its hash is another than the manifest's",
        "somebody has changed it since",
        "build the month anew, or restore the file",
    )
