"""Telling files from what only has a name like one: a pipe is waited for without end, and a device never ends."""

import errno
import os
import stat
from pathlib import Path

_OPENED = (".json", ".jinja", ".model", ".safetensors", ".txt")
"""How the names end of what the libraries open in a folder unasked."""


def special_file(folder: Path) -> Path | None:
    """Return what a loader would open in a model's folder and is no file, None when there is no such thing."""
    for path in sorted(one for one in folder.iterdir() if one.suffix in _OPENED):
        try:
            mode = path.stat().st_mode
        except OSError:
            # A link that leads nowhere is not there.
            continue
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            return path
    return None


def stat_file(path: Path) -> os.stat_result:
    """Return the state of a file, or of the one that a link leads to.

    Raises:
        OSError: It is not there, or is no regular file.
    """
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    return state
