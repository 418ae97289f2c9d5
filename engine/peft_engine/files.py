"""Files: writing them whole or not at all, and telling whether they changed."""

import hashlib
import os
import tempfile
from pathlib import Path

Stamp = tuple[int, int]
"""A file's size and time of change, which tell one state of it from another without reading it."""


def write_atomic(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace `path` by `text` so that a reader, or a crash at any moment, sees the old text or the new, never a part.

    Raises:
        OSError: The disk is full or the folder cannot be written; the old file is untouched and nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)  # noqa: PTH105  (a str from mkstemp)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    fsync_dir(path.parent)


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
