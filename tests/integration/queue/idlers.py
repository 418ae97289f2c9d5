"""Workers that do all that a worker does but train: `learn` makes steps without work, heard like any others.

The clock and the sensors are files in the state folder.
"""

import fcntl
import json
import os
import time
from datetime import datetime
from pathlib import Path

from peft_engine.home import home
from peft_engine.queue.schedule import Readings, wall_clock
from peft_engine.rundir import RunDirectory
from peft_engine.training import waiting, worker
from peft_engine.training.control import Control, Interrupted
from peft_engine.training.endings import REQUEUED
from peft_engine.training.journal import Journal
from tests.integration.nursery import apart

STEP_SECONDS = 0.01
LOOK_SECONDS = 0.02


def learn(run: RunDirectory, _request: object, journal: Journal, control: Control, *_: object) -> None:
    """Hold a place among those that compute, and make steps until the test says that it is enough."""
    witness = _witness(run)
    try:
        journal.enter("running")
        step = journal.step
        while not (run.path / "finish").exists():
            step += 1
            journal.metric(step, 0.0, {"loss": 1.0}, eta_seconds=None, elapsed_seconds=0.0)
            if control.requested():
                journal.enter("stopping")
                raise Interrupted
            time.sleep(STEP_SECONDS)
        journal.complete(step=step, adapter=None, gguf=None)
    finally:
        os.close(witness)


def _witness(run: RunDirectory) -> int:
    """Take one of as many locks as runs may compute at once; that none is free is what must never happen."""
    for number in range(int((home() / "limit").read_text())):
        witness = os.open(home() / f"witness-{number}", os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(witness, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(witness)
        else:
            return witness
    (home() / "too-many").write_text(run.id)
    raise AssertionError("more runs compute than may")


def _clock() -> datetime:
    file = home() / "clock"
    return datetime.fromisoformat(file.read_text()) if file.exists() else wall_clock()


def _sensors() -> Readings:
    on_battery, temperature = json.loads((home() / "sensors").read_text())
    return Readings(on_battery, temperature)


def idle(path: str, home: str) -> None:
    """Be a run's worker."""
    worker._train = learn  # type: ignore[assignment]
    waiting._LOOK = waiting._CLOSING_LOOK = LOOK_SECONDS

    def body() -> int:
        code = REQUEUED
        while code == REQUEUED:
            code = worker.work(Path(path), clock=_clock, sensors=_sensors)
        return code

    apart(body, home, Path(path) / "worker.log")
