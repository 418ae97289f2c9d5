"""What becomes of a run that leaves its loop before the last step because somebody asked. Light."""

import shutil

from peft_engine.rundir import RunDirectory
from peft_engine.rundir.checkpoints import intact_checkpoints
from peft_engine.training.control import Control
from peft_engine.training.journal import Journal

REQUEUED = 75
"""The worker's exit code when it shall start anew, to wait for the run's next turn; that of a temporary failure."""


def end_as_asked(run: RunDirectory, journal: Journal, control: Control) -> int:
    """Write the last word that what was asked comes to.

    Returns:
        The worker's exit code: 0, or `REQUEUED`.
    """
    step = journal.step
    match control.command():
        case "cancel":
            removes = control.removes()
            if removes:
                shutil.rmtree(run.checkpoints, ignore_errors=True)
            journal.cancel(step=step, removed=removes)
        case "pause":
            checkpoint = next(intact_checkpoints(run), None)
            journal.pause(
                step=step,
                checkpoint=None if checkpoint is None else checkpoint.path.relative_to(run.path).as_posix(),
                elapsed_seconds=0.0 if checkpoint is None else checkpoint.elapsed_seconds,
            )
        case "requeue":
            journal.requeue(step=step, detail="left its device, and waits for its next turn")
            return REQUEUED
        case _:
            journal.stop(step=step)
    return 0
