"""The processes of a run: its worker, and whatever that started."""

import os
import signal
import time
from contextlib import suppress

import psutil

from peft_engine.rundir import RunDirectory

MARK = "PEFTW_RUN_DIRECTORY"
"""Environment variable of a worker and of all that it starts. By it a process is known whose parent is gone and that
leads a session of its own."""

_LOOK = 0.05
"""Seconds between two looks whether processes have ended."""

_KILL_SECONDS = 10.0
"""In which the kernel must have ended what was killed. A process in an uninterruptible read may take longer."""


def end_processes(run: RunDirectory, attempt: int, *, patience: float, politely: bool) -> None:
    """End the worker and every process that it started, whatever they are doing.

    Args:
        run: The run.
        attempt: Which worker of the run; one that somebody starts meanwhile is left alone.
        patience: Seconds that they get to end by themselves before they are killed.
        politely: Tell them to end, by SIGTERM, before the wait; else they were told already.
    """
    found = processes_of(run)
    if politely and (worker := run.worker()) is not None:
        worker.signal(signal.SIGTERM)
    deadline = time.monotonic() + patience
    while any(map(_lives, found)) and time.monotonic() < deadline:
        time.sleep(_LOOK)
    deadline = time.monotonic() + _KILL_SECONDS
    # Again and again, because one may start another before it is killed.
    while run.read_state().attempt == attempt and (left := processes_of(run)) and time.monotonic() < deadline:
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        time.sleep(_LOOK)


def processes_of(run: RunDirectory) -> list[psutil.Process]:
    """Return the live processes of a run."""
    found: set[psutil.Process] = set()
    with suppress(psutil.Error):
        identity = run.worker()
        if identity is not None and identity.alive():
            worker = psutil.Process(identity.pid)
            found |= {worker, *worker.children(recursive=True)}
    # Those of other users cannot be looked into, and are not ours.
    for process in psutil.process_iter(["environ"]):
        environment = process.info["environ"]
        if environment and environment.get(MARK) == str(run.path) and process.pid != os.getpid():
            found.add(process)
    return [process for process in found if _lives(process)]


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False
