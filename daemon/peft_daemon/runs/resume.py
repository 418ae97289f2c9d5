"""Going on with a run that was paused, was stopped, or failed."""

import errno
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from peft_daemon.runs.changes import changed_inputs, take_as_they_are
from peft_daemon.runs.judge import settle
from peft_daemon.runs.worker import start_worker
from peft_engine.queue.line import enqueue
from peft_engine.rundir import EventLog, RunDirectory
from peft_engine.rundir.events import last_seq
from peft_engine.rundir.lock import speaking_for
from peft_engine.rundir.moves import illegal
from peft_engine.rundir.presence import is_present
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import LEGAL_MOVES, RESTING_STATES, ControlFile, StateEvent, StateFile
from peft_schemas.runs import ChangedInput

_DEPARTURE_SECONDS = 30.0
"""In which a worker that has had its last word must have let go of the run. It takes milliseconds."""


class ResumeChanged(WorkbenchError):
    """Something that the run began with is another thing now, and nobody said yet that this is well."""

    def __init__(self, run: RunDirectory, changes: Sequence[ChangedInput]) -> None:
        names = ", ".join(change.name for change in changes)
        super().__init__(
            "resume-changed",
            f"Run {run.id} was not resumed, because this changed since it began: {names}.",
            f"Run the config again, or go on all the same with `peftw runs resume {run.id} --accept-changes`.",
        )
        self.changes = list(changes)


def resume(run: RunDirectory, *, python: str = sys.executable, accept_changes: bool = False) -> RunDirectory:
    """Put a run back into the queue, with a new worker that goes on from its newest intact checkpoint.

    The run keeps the config that it began with, whatever became of the file: a run is what its directory says. With
    `accept_changes`, data, base and packages are taken as they are now.

    Args:
        run: The run.
        python: The interpreter that trains.
        accept_changes: Go on although something changed.

    Raises:
        ResumeChanged: The config's file, its data, its base or the packages that train changed.
        WorkbenchError: The run is not one that rests and can go on (`move-illegal`), or the disk is full (`disk-full`).
    """
    # Told before anything that takes time, and decided below, where nobody else can resume it as well.
    _refuse_unless_it_rests(settle(run))
    changes = changed_inputs(run, python)
    if changes and not accept_changes:
        raise ResumeChanged(run, changes)
    with speaking_for(run):
        before = run.read_state()
        _refuse_unless_it_rests(before)
        _await_departure(run)
        try:
            if changes:
                take_as_they_are(run, changes)
            run.write_control(ControlFile())
            enqueue(
                run,
                before.model_copy(update={"attempt": before.attempt + 1, "since": last_seq(run.events), "error": None}),
            )
            start_worker(run, python)
            # The worker, which speaks from here on, waits until this lock is free.
            with EventLog(run.events) as log:
                log.append(StateEvent, state="queued")
        except OSError as error:
            with suppress(OSError):
                run.write_state(before)
            raise WorkbenchError(
                "disk-full" if error.errno == errno.ENOSPC else "internal",
                f"Run {run.id} could not be resumed: {error.strerror}.",
                "Free some space if the disk is full, and resume it again.",
            ) from error
    return run


def _refuse_unless_it_rests(state: StateFile) -> None:
    """See that no worker of the run lives, nor is on its way, and that the run can go on."""
    if state.state not in RESTING_STATES or "queued" not in LEGAL_MOVES[state.state]:
        raise illegal(state, "queued")


def _await_departure(run: RunDirectory) -> None:
    """Wait until the last worker has let go of the run, or the next one would find its place taken and leave."""
    deadline = time.monotonic() + _DEPARTURE_SECONDS
    while is_present(run) and time.monotonic() < deadline:
        time.sleep(0.01)
