"""Files: writing them whole or not at all, and telling whether they changed."""

import fcntl
import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

Stamp = tuple[int, int]
"""A file's size and time of change, which tell one state of it from another without reading it."""

_PART = ".peftw-part"
"""How the names of files end that are being written, to be renamed when they are whole."""


def write_atomic(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace `path` by `text` so that a reader, or a crash at any moment, sees the old text or the new, never a part.

    What a writer that was killed left in the folder is removed by whoever writes there next.

    Raises:
        OSError: The disk is full or the folder cannot be written; the old file is untouched and nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    part, file = _begin(path)
    try:
        with file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            # While the lock is held: nobody takes the part for one that was left.
            part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    fsync_dir(path.parent)


def _begin(path: Path) -> tuple[Path, IO[str]]:
    """Make the file that is to become `path`, and lock it for as long as it is open and this process lives."""
    while True:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_PART, dir=path.parent)
        file = os.fdopen(handle, "w", encoding="utf-8")
        fcntl.flock(file, fcntl.LOCK_EX)
        # Between being made and being locked it looked like one that was left, and may have been removed as such.
        if os.fstat(file.fileno()).st_nlink:
            return Path(name), file
        file.close()


def _sweep(folder: Path) -> None:
    """Remove the parts of files whose writers were killed, told by their locks, which the kernel has released."""
    with suppress(OSError), os.scandir(folder) as entries:
        for part in [entry.path for entry in entries if entry.name.startswith(".") and entry.name.endswith(_PART)]:
            # Another who sweeps may be faster, and what another user left is theirs to remove.
            with suppress(OSError), open(part) as file:  # noqa: PTH123  (a str from scandir)
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(part)  # noqa: PTH108


def fsync_dir(folder: Path) -> None:
    """Make a rename inside `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of some bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


def stamp(path: str | Path) -> Stamp | None:
    """Return the stamp of a file or folder, None when it is not there or cannot be looked at."""
    try:
        found = os.stat(path)  # noqa: PTH116  (called for hundreds of paths in a row)
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns


def folder_bytes(folder: str | Path) -> int:
    """Return the bytes of all files under a folder; what goes away meanwhile counts nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            found = stamp(f"{parent}/{name}")
            total += 0 if found is None else found[0]
    return total
