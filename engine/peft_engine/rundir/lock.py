"""Speaking for a run whose worker is not there, one at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from peft_engine.rundir.directory import RunDirectory


@contextmanager
def speaking_for(run: RunDirectory) -> Iterator[None]:
    """Hold off every other process that judges a run, gives it a command, or brings it a new worker.

    A worker that lives takes this only to arrive: whoever holds it and finds none may write in its place.
    """
    with (run.path / ".judge.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
