"""The daemon's eye on all runs: looks at the run directories and says what changed.

The worker owes the daemon nothing: what is told to the editor is read from disk, so a daemon that starts in the middle
of a run, or after a crash, sees what any other sees.
"""

import asyncio
import logging
from collections.abc import Callable

from peft_daemon.runs.follow import RunFollower
from peft_engine.rundir import find_run, list_runs
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import FINAL_STATES, AnyEvent
from peft_schemas.protocol import RunSummary

_INTERVAL = 0.25
"""Seconds between two looks. A look at a run that has ended costs nothing; at an active one, two small reads."""

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
        self._subscribed: set[str] = set()

    def summaries(self) -> list[RunSummary]:
        """Return all runs as they are now, newest first."""
        self.look()
        summaries = [follower.summary() for follower in self._followers.values()]
        return sorted(summaries, key=lambda run: (run.created, run.id), reverse=True)

    def subscribe(self, run_id: str, after_seq: int) -> tuple[RunSummary, list[AnyEvent]]:
        """Return a run and its events after `after_seq`; all later ones go to `on_events`, with no gap and no repeat.

        Raises:
            WorkbenchError: There is no such run (`run-missing`).
        """
        run = find_run(run_id)
        self.look()
        # A second reader takes the past while the shared follower stands still at the same place: between the two
        # reads the file may grow, so what is beyond the follower's place is left for the next look.
        follower = self._followers[run_id]
        reader = RunFollower(run)
        past = [event for event in reader.read() if after_seq < event.seq <= follower.last_seq]
        self._subscribed.add(run_id)
        return follower.summary(), past

    def unsubscribe(self, run_id: str) -> None:
        """Stop sending a run's events."""
        self._subscribed.discard(run_id)

    async def forever(self) -> None:
        """Look again and again until cancelled."""
        while True:
            try:
                self.look()
            except Exception:
                _log.exception("could not read the run directories")
            await asyncio.sleep(_INTERVAL)

    def look(self) -> None:
        """Read what was written since the last look, and tell."""
        present = {run.id: run for run in list_runs()}
        for gone in self._followers.keys() - present.keys():
            del self._followers[gone]
            self._subscribed.discard(gone)
        changed: list[RunSummary] = []
        for run_id, run in present.items():
            follower = self._followers.get(run_id)
            before = follower.summary() if follower else None
            if before and before.state in FINAL_STATES:
                continue
            try:
                if follower is None:
                    follower = self._followers[run_id] = RunFollower(run)
                events = follower.read()
            except (WorkbenchError, OSError):
                # A directory that is being made or removed at this moment: the next look decides.
                continue
            summary = follower.summary()
            if events and run_id in self._subscribed:
                self._on_events(summary, events)
            if before is None or _differs(before, summary):
                changed.append(summary)
        if changed:
            self._on_change(changed)


def _differs(before: RunSummary, after: RunSummary) -> bool:
    return (before.state, before.step, before.chat_model) != (after.state, after.step, after.chat_model)
