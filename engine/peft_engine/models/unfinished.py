"""Where a conversion writes before its result has its name: a folder that one process has at a time, and that goes.

The lock is on the folder itself, so nothing else is left beside the output, and whatever ends a process lets go of it.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from peft_schemas.errors import WorkbenchError


def place_of_unfinished(output: Path) -> Path:
    """Return the folder, beside the output, in which it is made."""
    return output.with_name(f".{output.name}.making")


@contextmanager
def unfinished(output: Path) -> Iterator[Path]:
    """Have an empty folder to make an output in, alone. It is removed at the end, with all that is still in it.

    Args:
        output: The file or folder that is to be made; the folder that it is in exists.

    Raises:
        WorkbenchError: Another process makes the same output (`conversion-active`).
        OSError: The folder cannot be made.
    """
    place = place_of_unfinished(output)
    lock = _lock(place)
    if lock is None:
        raise WorkbenchError(
            "conversion-active",
            f"{output} is being made by another conversion.",
            "Wait until that one is done, or choose another name.",
        )
    try:
        _empty(place)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(lock)


def remove_unfinished(output: Path) -> None:
    """Remove what a conversion left that was killed. One that is at work is left alone."""
    if place_of_unfinished(output).is_dir():
        with suppress(WorkbenchError, OSError), unfinished(output):
            pass


def _lock(place: Path) -> int | None:
    """Return an open descriptor that holds the lock on the folder, which is made; None when another holds it."""
    while True:
        place.mkdir(exist_ok=True)
        try:
            folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if place.is_dir() and os.path.samestat(os.fstat(folder), place.stat()):
                return folder
        except BlockingIOError:
            os.close(folder)
            return None
        except FileNotFoundError:
            pass
        # Whoever held it has removed the folder, so what is locked is no longer in anybody's way.
        os.close(folder)


def _empty(place: Path) -> None:
    for left in place.iterdir():
        shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
