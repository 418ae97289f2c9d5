"""Starting a worker that outlives us."""

import os
from pathlib import Path

from peft_daemon.runs.processes import MARK
from peft_engine.process import spawn_detached
from peft_engine.rundir import RunDirectory


def start_worker(run: RunDirectory, python: str | Path) -> None:
    """Start the worker of a run that waits in the queue.

    Args:
        run: The run.
        python: The interpreter that trains.

    Raises:
        OSError: The interpreter is not there, or the disk is full.
    """
    # The worker's log must not wait in a buffer when it is killed, and its processes must be found then.
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", MARK: str(run.path)}
    spawn_detached(
        [str(python), "-m", "peft_engine.training", str(run.path)], log=run.log, cwd=run.path, env=environment
    )
