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
        return _is_new(state)
    # While it starts anew to wait for its next turn, it has let go of its place and not yet taken it again.
    return ProcessIdentity(state.pid, state.started).alive()


def _is_new(state: StateFile) -> bool:
    """Tell whether a run was put into the queue so lately that its worker may not have said yet who it is.

    By either clock: the one on the wall may have been set since, and the monotonic one is another on another machine.
    From the future is what a clock says that was put back or that began anew: nobody waits for it to come by again.
    """
    if state.queued_uptime is not None and 0 <= time.monotonic() - state.queued_uptime < _BIRTH_SECONDS:
        return True
    age = datetime.now(UTC) - datetime.fromisoformat(state.queued or state.created)
    return abs(age.total_seconds()) < _BIRTH_SECONDS
