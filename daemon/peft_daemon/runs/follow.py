"""Following a run: its events as they come, folded into the summary that lists and panels show."""

from peft_daemon.runs.fold import Place
from peft_daemon.runs.judge import settle
from peft_engine.notes import read_notes
from peft_engine.process import ProcessIdentity
from peft_engine.rundir import EventTail, RunDirectory
from peft_schemas.events import RESTING_STATES, AnyEvent, StateFile
from peft_schemas.runs import RunSummary


class RunFollower:
    """One reader's view of a run. Each `read` costs only what was written since the last."""

    def __init__(self, run: RunDirectory, place: Place | None = None) -> None:
        """Begin to follow.

        Args:
            run: The run.
            place: How far its events were read already; None for nowhere.
        """
        place = place or Place()
        self.run = run
        self._tail = EventTail(run.events, place.offset, place.seq)
        # Not only read: a damaged state is mended, and a run whose worker is gone judged.
        self._state: StateFile = settle(run)
        self._notes = read_notes(run)
        self._fold = place.fold

    @property
    def last_seq(self) -> int:
        """The number of the newest event that was read."""
        return self._tail.last_seq

    def read(self) -> list[AnyEvent]:
        """Judge the run, take in what it wrote since the last call, and return the new events."""
        self._state = settle(self.run)
        self._notes = read_notes(self.run)
        events = self._tail.read()
        for event in events:
            self._fold.take(event)
        return events

    def summary(self) -> RunSummary:
        """Return the run as of the last `read`."""
        return self._fold.summary(self.run, _with_standstill(self._state), self._notes, self.last_seq)


def _with_standstill(state: StateFile) -> StateFile:
    """Add that the worker was stopped by a signal: it cannot say so itself, and its heartbeat stands still with it."""
    if state.state in RESTING_STATES or state.pid is None or state.started is None:
        return state
    if not ProcessIdentity(state.pid, state.started).is_stopped():
        return state
    detail = f"its process {state.pid} was stopped by a signal; `kill -CONT {state.pid}` lets it go on"
    return state.model_copy(update={"detail": detail})


def summarise(run: RunDirectory) -> RunSummary:
    """Return a run's summary as it is now."""
    follower = RunFollower(run)
    follower.read()
    return follower.summary()
