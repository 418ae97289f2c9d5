"""The daemon's eye on all runs: looks at the run directories and says what changed.

The worker owes the daemon nothing: what is told to the editor is read from disk, so a daemon that starts in the middle
of a run, or after a crash, sees what any other sees.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable

from peft_daemon.runs.fold import Place
from peft_daemon.runs.follow import RunFollower
from peft_daemon.runs.store import active_places, resting_runs
from peft_daemon.runs.store.stamp import stamp_of
from peft_engine.home import runs_dir
from peft_engine.rundir import RunDirectory, find_run
from peft_engine.rundir.events import events_after
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import RESTING_STATES, AnyEvent
from peft_schemas.runs import RunSummary

_INTERVAL = 0.25
"""Seconds between two looks at the runs that are at work: at each, two small reads."""

_QUIET = 1.0
"""Seconds between two looks for new runs while none is at work: an editor is open all day, and runs are rare."""

_REST = 2.0
"""Seconds between two looks at the runs that rest, which change when they are resumed: at each, three questions to the
disk, or a thirtieth of a second for ten thousand runs."""

_log = logging.getLogger(__name__)


class RunWatch:
    """Keeps the summaries of all runs and the subscriptions to their events."""

    def __init__(
        self,
        on_change: Callable[[list[RunSummary]], None],
        on_events: Callable[[RunSummary, list[AnyEvent]], None],
    ) -> None:
        """Remember whom to tell.

        Args:
            on_change: Called with the runs whose state changed, or that are new.
            on_events: Called with a subscribed run and its new events.
        """
        self._on_change = on_change
        self._on_events = on_events
        self._followers: dict[str, RunFollower] = {}
        self._resting: dict[str, tuple[str, RunSummary]] = {}
        """The runs without a worker: what their directories looked like, and what they came to."""

        self._places: dict[str, Place] = {}
        """How far the index had read the others at the start, so that nobody waits for a long one to be read here."""

        self._subscribed: set[str] = set()

    def subscribe(self, run_id: str, after_seq: int, place: Place | None = None) -> tuple[RunSummary, list[AnyEvent]]:
        """Return a run and its events after `after_seq`; all later ones go to `on_events`, with no gap and no repeat.

        Args:
            run_id: The run.
            after_seq: The newest event that the subscriber knows.
            place: How far the run was read already, so that a long one is not read again from its beginning.

        Raises:
            WorkbenchError: There is no such run (`run-missing`).
        """
        run = find_run(run_id)
        follower = self._followers.get(run_id)
        if follower is None:
            follower = self._followers[run_id] = RunFollower(run, place)
            follower.read()
        else:
            self._tell([self._look_at(run)])
        # A second reader takes the past while the shared follower stands still at the same place: between the two
        # reads the file may grow, so what is beyond the follower's place is left for the next look.
        past = [event for event in events_after(run.events, after_seq) if event.seq <= follower.last_seq]
        self._subscribed.add(run_id)
        return follower.summary(), past

    def unsubscribe(self, run_id: str) -> None:
        """Stop sending a run's events."""
        self._subscribed.discard(run_id)

    async def forever(self) -> None:
        """Look again and again until cancelled, having learnt of the runs that rest from the index."""
        try:
            self._resting = await asyncio.to_thread(resting_runs)
            self._places = await asyncio.to_thread(active_places)
        except Exception:
            _log.exception("the index cannot be read, so every run is")
        rested_at = -_REST
        while True:
            now = time.monotonic()
            is_due = now - rested_at >= _REST
            try:
                self.look(at_resting=is_due)
            except Exception:
                _log.exception("could not read the run directories")
            if is_due:
                rested_at = now
            await asyncio.sleep(_INTERVAL if self._is_any_at_work else _QUIET)

    def look(self, *, at_resting: bool = True) -> None:
        """Read what was written since the last look, and tell.

        Args:
            at_resting: Look also whether a run that had no worker has one again.
        """
        present = _ids()
        known = self._followers.keys() | self._resting.keys()
        for gone in known - present:
            self._followers.pop(gone, None)
            self._resting.pop(gone, None)
            self._subscribed.discard(gone)
        looked_at = {
            run_id for run_id in present if run_id not in self._resting or (at_resting and self._moved(run_id))
        }
        self._tell([self._look_at(run) for run_id in sorted(looked_at) if (run := _run(run_id)) is not None])

    @property
    def _is_any_at_work(self) -> bool:
        return bool(self._followers.keys() - self._resting.keys())

    def _moved(self, run_id: str) -> bool:
        return stamp_of(runs_dir() / run_id) != self._resting[run_id][0]

    def _look_at(self, run: RunDirectory) -> RunSummary | None:
        """Read what a run wrote, send it to who follows the run, and return the run when it changed."""
        stamp = stamp_of(run.path)
        follower = self._followers.get(run.id)
        before = self._resting[run.id][1] if run.id in self._resting else follower.summary() if follower else None
        try:
            if follower is None:
                follower = self._followers[run.id] = RunFollower(run, self._places.pop(run.id, None))
            events = follower.read()
        except (WorkbenchError, OSError):
            # A directory that is being made or removed at this moment: the next look decides.
            return None
        summary = follower.summary()
        if summary.state in RESTING_STATES:
            self._resting[run.id] = (stamp, summary)
        else:
            self._resting.pop(run.id, None)
        if events and run.id in self._subscribed:
            self._on_events(summary, events)
        return summary if before is None or _differs(before, summary) else None

    def _tell(self, looked_at: list[RunSummary | None]) -> None:
        changed = [summary for summary in looked_at if summary is not None]
        if changed:
            self._on_change(changed)


def _ids() -> set[str]:
    """Return the names of all that lies where the runs do; which of them are runs is asked only of the new ones."""
    try:
        return set(os.listdir(runs_dir()))  # noqa: PTH208  (names are all that is wanted of ten thousand)
    except FileNotFoundError:
        return set()


def _run(run_id: str) -> RunDirectory | None:
    try:
        return find_run(run_id)
    except WorkbenchError:
        return None


def _differs(before: RunSummary, after: RunSummary) -> bool:
    """Tell whether a list of runs would show another thing."""
    return _shown(before) != _shown(after)


def _shown(run: RunSummary) -> tuple[object, ...]:
    anomalies = [anomaly.id for anomaly in run.anomalies]
    return run.state, run.detail, run.step, run.attempt, run.chat_model, run.notes, run.tracker, anomalies
