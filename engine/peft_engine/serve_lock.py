"""One inference process a user: who holds the lock serves."""

import fcntl
import json
import os
from pathlib import Path
from typing import IO, Self

from peft_engine.home import serve_file
from peft_engine.process import ProcessIdentity

ALREADY_SERVED = "another process serves this user already"
"""What a second process logs before it leaves with exit code 0."""


class ServeLock:
    """The lock, held until the process ends. The kernel lets go of it whatever way that happens."""

    def __init__(self, file: IO[str]) -> None:
        """Keep the locked file open."""
        self._file = file

    @classmethod
    def take(cls) -> Self | None:
        """Take the lock and say in it who we are; None when another process holds it."""
        path = _lock_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        identity = ProcessIdentity.current()
        file.truncate(0)
        json.dump({"pid": identity.pid, "started": identity.started}, file)
        file.flush()
        return cls(file)


def serve_owner() -> ProcessIdentity | None:
    """Return the process that last took the lock, if it still runs. It may not answer yet, or no longer."""
    try:
        value = json.loads(_lock_file().read_bytes())
        owner = ProcessIdentity(int(value["pid"]), float(value["started"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return owner if owner.alive() else None


def _lock_file() -> Path:
    return serve_file().with_suffix(".lock")
