"""Ending a run before its time."""

import signal
import time

from peft_daemon.runs.judge import settle
from peft_engine.process import ProcessIdentity
from peft_engine.rundir import RunDirectory
from peft_schemas.events import FINAL_STATES, ControlFile


def ask_to_stop(run: RunDirectory) -> None:
    """Ask the worker to write a checkpoint and end at its next step edge; a run that has ended stays as it is."""
    if settle(run).state not in FINAL_STATES:
        run.write_control(ControlFile(command="stop"))


def kill(run: RunDirectory, *, patience: float = 10.0) -> None:
    """End the worker and every process it started, whatever it is doing; its last checkpoint stays.

    Args:
        run: The run.
        patience: Seconds between the polite signal and the one that cannot be refused.
    """
    worker = run.worker()
    if worker is None:
        return
    worker.signal(signal.SIGTERM)
    if not _gone(worker, patience):
        worker.signal(signal.SIGKILL)
        _gone(worker, patience)
    settle(run)


def _gone(worker: ProcessIdentity, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while worker.alive():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
