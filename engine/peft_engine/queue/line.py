"""The line of runs that wait, in the order in which they will go: higher priority first, then who came first.

A file in `queue/` says no more than that a run may be waiting. Whether it is, stands in its `state.json`: a run that
was killed, or has ended, is passed over and its file removed.
"""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from peft_engine.home import queue_dir
from peft_engine.rundir import RunDirectory, find_run
from peft_engine.rundir.directory import written
from peft_engine.rundir.moves import move
from peft_engine.rundir.presence import may_have_worker
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import StateFile


@dataclass(frozen=True)
class _Place:
    order: tuple[int, str, str]
    devices: frozenset[str]
    """Which the run could take; empty while its worker has not said so, when it could be any."""


class Line:
    """The line, while this process holds it and nobody else comes, goes or takes a turn."""

    def __init__(self, folder: Path) -> None:
        """Use `line()` to make one."""
        self._folder = folder

    def time(self) -> str:
        """Return the time of a run that joins now: later than that of any other, even when the clock was put back."""
        moment = datetime.now(UTC)
        for _, state in self._waiting():
            moment = max(moment, datetime.fromisoformat(_since(state)) + timedelta(milliseconds=1))
        return written(moment)

    def join(self, run: RunDirectory, devices: Sequence[str] = ()) -> None:
        """Put a run that is queued into the line, or say which devices it could take."""
        (self._folder / run.id).write_text("\n".join(devices), encoding="utf-8")

    def leave(self, run: RunDirectory) -> None:
        """Take a run out of the line, if it is in it."""
        (self._folder / run.id).unlink(missing_ok=True)

    def before(self, run: RunDirectory, devices: Sequence[str]) -> str | None:
        """Return the id of the run whose turn on any of these devices it is before this one's, None for nobody's."""
        own = _order(run.read_state())
        others = [
            place
            for path, state in self._waiting()
            if path.name != run.id and (place := _place(path, state)).order < own
            if not place.devices or place.devices & set(devices)
        ]
        return min(others, key=lambda place: place.order).order[2] if others else None

    def _waiting(self) -> Iterator[tuple[Path, StateFile]]:
        """Yield every run that really waits, and forget the others."""
        for path in self._folder.iterdir():
            if path.name.startswith("."):
                continue
            state = _state_of_waiting(path.name)
            if state is None:
                path.unlink(missing_ok=True)
            else:
                yield path, state


@contextmanager
def line() -> Iterator[Line]:
    """Hold the line. What is done with it takes milliseconds, so others just wait."""
    folder = queue_dir()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Line(folder)


def enqueue(run: RunDirectory, state: StateFile) -> StateFile:
    """Write that a run waits from now on for a worker and its turn, and put it into the line.

    Args:
        run: The run; its state may not have been written yet.
        state: The state that it comes from.

    Raises:
        WorkbenchError: From that state it cannot (`move-illegal`).
    """
    with line() as queue:
        queued = move(state, "queued", queued=queue.time(), pid=None, started=None, detail=None)
        run.write_state(queued)
        queue.join(run)
    return queued


def _state_of_waiting(run_id: str) -> StateFile | None:
    """Return the state of a run that waits and whose worker lives or is on its way, None for any other."""
    with suppress(WorkbenchError):
        run = find_run(run_id)
        state = run.read_state()
        if state.state == "queued" and may_have_worker(run, state):
            return state
    return None


def _place(path: Path, state: StateFile) -> _Place:
    try:
        devices = path.read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        # Damaged, or gone at this moment; the run writes it anew at its next look.
        devices = []
    return _Place(_order(state), frozenset(devices))


def _order(state: StateFile) -> tuple[int, str, str]:
    return -state.priority, _since(state), state.run_id


def _since(state: StateFile) -> str:
    return state.queued or state.created
