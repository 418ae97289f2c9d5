"""The line of runs that wait, in the order in which they will go: higher priority first, then who came first.

A person may give a run another place. A file in `queue/` says no more than that a run may be waiting. Whether it is,
stands in its `state.json`: a run that was killed, or has ended, is passed over and its file removed.
"""

import fcntl
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from peft_engine.home import queue_dir
from peft_engine.queue.places import Places, place_after, place_before
from peft_engine.rundir import RunDirectory, find_run
from peft_engine.rundir.directory import written
from peft_engine.rundir.moves import move
from peft_engine.rundir.presence import may_have_worker
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import StateFile
from peft_schemas.runs import QueueMove


class Line:
    """The line, while this process holds it and nobody else comes, goes or takes a turn."""

    def __init__(self, folder: Path) -> None:
        """Use `line()` to make one."""
        self._folder = folder
        self._places = Places(folder)

    def time(self) -> str:
        """Return the time of a run that joins now: later than that of any other, even when the clock was put back."""
        moment = datetime.now(UTC)
        for _, state in self._waiting():
            moment = max(moment, self._places.of(state).moment() + timedelta(milliseconds=1))
        return written(moment)

    def join(self, run: RunDirectory, devices: Sequence[str] = ()) -> None:
        """Put a run that is queued into the line, or say which devices it could take."""
        (self._folder / run.id).write_text("\n".join(devices), encoding="utf-8")

    def leave(self, run: RunDirectory) -> None:
        """Take a run out of the line, if it is in it."""
        (self._folder / run.id).unlink(missing_ok=True)

    def forget(self, run: RunDirectory) -> None:
        """Let a run have the place of its own priority and time, wherever a person put it when it waited before."""
        self._places.forget(run.id)

    def move(self, run: RunDirectory, to: QueueMove) -> list[str]:
        """Give a run that waits another place.

        It goes from there with the priority of the run that it was put before or, on its way back, behind.

        Returns:
            The ids of the runs that wait, in the order in which they will go as far as one device is wanted by all.

        Raises:
            WorkbenchError: The run does not wait (`move-illegal`).
        """
        state = _state_of_waiting(run.id)
        if state is None:
            raise WorkbenchError(
                "move-illegal",
                f"Run {run.id} is {run.read_state().state}, so it has no place among the runs that wait.",
                "Only a queued run can be moved; `peftw runs list --where state=queued` shows them.",
            )
        own = self._places.of(state)
        others = sorted(self._places.of(other) for _, other in self._waiting() if other.run_id != run.id)
        now_at = bisect_left(others, own)
        at = {"first": 0, "up": max(now_at - 1, 0), "down": min(now_at + 1, len(others)), "last": len(others)}[to]
        if at != now_at:
            own = place_before(others, at, run.id) if at < now_at else place_after(others, at - 1, run.id)
            self._places.give(own, {run.id, *(other.run_id for other in others)})
        return [place.run_id for place in (*others[:at], own, *others[at:])]

    def before(self, run: RunDirectory, devices: Sequence[str]) -> str | None:
        """Return the id of the run whose turn on any of these devices it is before this one's, None for nobody's."""
        own = self._places.of(run.read_state())
        ahead = [
            place
            for path, state in self._waiting()
            if path.name != run.id and (place := self._places.of(state)) < own
            if not (wanted := _devices(path)) or wanted & set(devices)
        ]
        return min(ahead).run_id if ahead else None

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
        queued = move(
            state,
            "queued",
            queued=queue.time(),
            queued_uptime=time.monotonic(),
            pid=None,
            started=None,
            detail=None,
        )
        run.write_state(queued)
        queue.forget(run)
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


def _devices(path: Path) -> frozenset[str]:
    """Return the devices that a run could take; none while its worker has not said so, when it could be any."""
    try:
        return frozenset(path.read_text(encoding="utf-8").split())
    except (OSError, ValueError):
        # Damaged, or gone at this moment; the run writes it anew at its next look.
        return frozenset()
