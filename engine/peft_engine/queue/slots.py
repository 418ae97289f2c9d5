"""Slots: the right to compute on a device, held as a lock that the kernel takes back when its process has ended.

Only one process looks for slots at a time: whoever holds the line (see `line`).
"""

import fcntl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from peft_engine.home import slots_dir


@dataclass(frozen=True)
class Slot:
    """A slot that this process holds."""

    device: str
    file: IO[str]

    def release(self) -> None:
        """Let another have it. Children that were forked and still live hold on to it."""
        self.file.close()


@dataclass(frozen=True)
class Busy:
    """The runs that hold every slot of a device."""

    holders: tuple[str, ...]


def take(device: str, limit: int, holder: str) -> Slot | Busy:
    """Take a slot of a device unless as many as may be are held.

    A limit that was lowered while runs compute lets none of them go, and lets none in before enough have ended.

    Args:
        device: Its name.
        limit: How many slots it has.
        holder: The id of the run that takes it, for those who will wait for it.
    """
    folder = slots_dir()
    folder.mkdir(parents=True, exist_ok=True)
    holders: list[str] = []
    free: IO[str] | None = None
    for path in _paths(folder, device, limit):
        file = path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holders.append(_name_in(file))
            file.close()
            continue
        if free is None:
            free = file
        else:
            file.close()
    if free is None or len(holders) >= limit:
        if free is not None:
            free.close()
        return Busy(tuple(holders))
    free.truncate(0)
    free.write(holder)
    free.flush()
    return Slot(device, free)


def _paths(folder: Path, device: str, limit: int) -> Iterator[Path]:
    """Yield the files of a device's slots, those of a higher limit before included."""
    own = [folder / f"{device}-{number}.lock" for number in range(limit)]
    yield from own
    yield from sorted(set(folder.glob(f"{device}-*.lock")) - set(own))


def _name_in(file: IO[str]) -> str:
    file.seek(0)
    return file.read() or "another run"
