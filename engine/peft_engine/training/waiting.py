"""Waiting for the run's turn, and giving the device up when the run's schedule says so. Light: torch is not loaded."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from peft_engine.queue.devices import claim, narrowed
from peft_engine.queue.schedule import Gate
from peft_engine.queue.turn import Turn, leave, try_turn
from peft_engine.rundir import RunDirectory
from peft_engine.training.control import Control
from peft_engine.training.journal import Journal
from peft_schemas.config import ComputeConfig

_LOOK = 0.25
"""Seconds between two looks whether the run's turn has come."""

_CLOSING_LOOK = 2.0
"""Seconds between two looks whether the schedule lets a run go on that computes."""


@contextmanager
def its_turn(
    run: RunDirectory, compute: ComputeConfig, journal: Journal, control: Control, gate: Gate
) -> Iterator[None]:
    """Wait until the run may compute, and hold its devices meanwhile.

    Leave this only when the run has had its last word: another may begin at that moment. A schedule that closes while
    the run computes asks `control` to put it back into the queue.

    Args:
        run: The run.
        compute: Its `compute` section.
        journal: Told what is waited for.
        control: Heard while waiting.
        gate: The run's schedule.

    Raises:
        Interrupted: Somebody wants the run to end or to rest before its turn has come.
        WorkbenchError: The user's settings cannot be used (`config-invalid`).
    """
    try:
        turn = _await(run, compute, journal, control, gate)
    finally:
        leave(run)
    visible = narrowed(turn.devices)
    before = {name: os.environ.get(name) for name in visible}
    os.environ.update(visible)
    if not gate.always_open:
        control.heed(_Closing(gate))
    try:
        yield
    finally:
        # The process may start anew for the run's next turn, and must then see all devices again.
        for name, value in before.items():
            os.environ.pop(name)
            os.environ.update({} if value is None else {name: value})
        turn.release()


def _await(run: RunDirectory, compute: ComputeConfig, journal: Journal, control: Control, gate: Gate) -> Turn:
    wanted = claim(compute)
    said: str | None = None
    while True:
        control.check()
        reason: Turn | str | None = gate.closed()
        if reason is None:
            reason = try_turn(run, wanted)
        else:
            leave(run)
        if isinstance(reason, Turn):
            return reason
        if reason != said:
            journal.enter("queued", reason)
            said = reason
        time.sleep(_LOOK)


class _Closing:
    """Tells a run that computes when its schedule closes, and asks the schedule no more often than is of use."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._looked = time.monotonic()

    def __call__(self) -> bool:
        if time.monotonic() - self._looked < _CLOSING_LOOK:
            return False
        self._looked = time.monotonic()
        return self._gate.closed(begun=True) is not None
