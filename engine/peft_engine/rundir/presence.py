"""Whether a run's worker lives, told by a lock that the kernel releases when it dies, however it dies.

A process id and a start time tell it too, but the start time is reckoned from the wall clock: when that is set while
the worker trains, the worker looks like another process. The lock knows no clock, and no machine that restarted.
"""

import fcntl
import time
from datetime import UTC, datetime
from typing import IO

from peft_engine.process import ProcessIdentity
from peft_engine.rundir.directory import RunDirectory
from peft_schemas.events import StateFile

_BIRTH_SECONDS = 120
"""In which a worker must have said who it is. A loaded machine needs up to twenty for the interpreter."""

_PATIENCE = 2.0
"""Seconds after which who has the run's place is taken for another worker."""


def appear(run: RunDirectory) -> IO[str] | None:
    """Take the place of the run's worker, for as long as the returned file is open and the process lives.

    Returns:
        None where another worker has it.
    """
    file = (run.path / ".worker.lock").open("w")
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Whoever asks `is_present` holds it too, but only for the time of the question.
            if time.monotonic() > deadline:
                file.close()
                return None
            time.sleep(_PATIENCE / 100)
        else:
            return file


def is_present(run: RunDirectory) -> bool:
    """Tell whether a worker has the run's place."""
    try:
        with (run.path / ".worker.lock").open() as file:
            # Shared, so that two who ask at once do not take each other for the worker.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def may_have_worker(run: RunDirectory, state: StateFile) -> bool:
    """Tell whether a worker lives that the run's state, as it was read, tells of or that is on its way."""
    if is_present(run):
        return True
    if state.pid is None or state.started is None:
        age = datetime.now(UTC) - datetime.fromisoformat(state.queued or state.created)
        # From the future, when the clock was put back since: nobody waits for it to come by again.
        return abs(age.total_seconds()) < _BIRTH_SECONDS
    # While it starts anew to wait for its next turn, it has let go of its place and not yet taken it again.
    return ProcessIdentity(state.pid, state.started).alive()
