"""What keeps a log from being read, in a sentence that says what to do."""

import errno
from pathlib import Path

from sre.usage.tail.generations import Unsettled

_CURES = {
    errno.ENOENT: "it does not exist (yet, or any more); it is read from its beginning once it appears",
    errno.ENOTDIR: "a file stands where its folder should be: correct the route's path",
    errno.EACCES: "this user may not read it: give it the log's group, and read and search permission on the folder",
    errno.EPERM: "this user may not read it: give it the log's group, and read and search permission on the folder",
    errno.ELOOP: "its symbolic links lead in a circle",
    errno.EMFILE: "this process has too many files open: raise `ulimit -n` (LimitNOFILE)",
    errno.EISDIR: "it is no regular file: name a log file in the route's path",
    errno.EIO: "the disk cannot be read",
    errno.ESTALE: "the network file system lost it: it is tried again",
}


def sentence(log: Path, error: OSError) -> str:
    """For the operator: which file, why, what to do."""
    if isinstance(error, Unsettled):
        return f"{log}: waiting: {error}"
    where = f" ({error.filename})" if error.filename and str(error.filename) != str(log) else ""
    return f"{log}{where}: {_CURES.get(error.errno or 0, error.strerror or type(error).__name__)}"
