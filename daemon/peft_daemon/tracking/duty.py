"""Sending the measurements of all runs while somebody is there to do it: the daemon, or `peftw run` for its own."""

import asyncio
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from peft_connectors.tracker import Tracker
from peft_daemon.runs.store.stamp import stamp_of
from peft_daemon.tracking.send import Connect, send_missing
from peft_engine.home import runs_dir
from peft_engine.rundir import RunDirectory
from peft_engine.rundir.directory import is_run_id
from peft_engine.rundir.tracking import FILE, read_tracker
from peft_schemas.tracking import TrackerFile

_INTERVAL = 2.0
"""Seconds between two looks for something to send."""

_EVERY_NEW = 5
"""Looks between two for runs that were not there before: for ten thousand, a thirtieth of a second."""

_SHORTEST_WAIT = 5.0
_LONGEST_WAIT = 300.0
"""Seconds for which a tracker is left alone that could not be reached; each time twice as long."""

_log = logging.getLogger(__name__)


def connect_when_needed(file: TrackerFile) -> Tracker:
    """Make the connection to a tracker; what speaks HTTP is loaded with the first."""
    from peft_daemon.tracking.connect import connect

    return connect(file)


class TrackerDuty:
    """Brings trackers up to their runs, and leaves those alone for a while that cannot be reached."""

    def __init__(self, connect: Connect = connect_when_needed, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing known.

        Args:
            connect: Makes the connection to a tracker.
            clock: Seconds, from whenever.
        """
        self._connect = connect
        self._clock = clock
        self._done: dict[str, str] = {}
        """What the directories looked like of the runs of which nothing was missing."""

        self._problems: dict[str, str | None] = {}
        self._waits: dict[str, tuple[float, float]] = {}
        """By address: until when it is left alone, and how long that is."""

    def look(self, runs: Iterable[RunDirectory]) -> list[TrackerFile]:
        """Send what some runs have that their trackers lack.

        Returns:
            Of the runs whose trackers are another way than at the last look: what hinders them, or nothing any more.
        """
        changed = []
        for run in runs:
            try:
                file = self._look_at(run)
            except OSError as error:
                _log.warning("the measurements of run %s cannot be sent now: %s", run.id, error)
                continue
            if file is not None and self._problems.get(run.id) != file.problem:
                self._problems[run.id] = file.problem
                changed.append(file)
                _log.warning("run %s: %s", run.id, file.problem or "its tracker can be reached again")
        return changed

    def _look_at(self, run: RunDirectory) -> TrackerFile | None:
        stamp = stamp_of(run.path)
        file = None if self._done.get(run.id) == stamp else read_tracker(run)
        if file is None or self._clock() < self._waits.get(file.url, (0.0, 0.0))[0]:
            return None
        sent = send_missing(run, self._connect)
        if sent is None:
            return None
        if sent.problem is None:
            self._waits.pop(file.url, None)
            self._done[run.id] = stamp
        else:
            wait = min(2 * self._waits.get(file.url, (0.0, _SHORTEST_WAIT / 2))[1], _LONGEST_WAIT)
            self._waits[file.url] = (self._clock() + wait, wait)
        return sent


async def send_forever() -> None:
    """Bring the trackers of all runs up to them, again and again until cancelled."""
    duty = TrackerDuty()
    runs: list[RunDirectory] = []
    for count in itertools.count():
        try:
            if count % _EVERY_NEW == 0:
                runs = await asyncio.to_thread(tracked_runs)
            await asyncio.to_thread(duty.look, runs)
        except Exception:
            _log.exception("the measurements of the runs could not be sent")
        await asyncio.sleep(_INTERVAL)


def tracked_runs() -> list[RunDirectory]:
    """Return the runs whose configs name a tracker."""
    root = runs_dir()
    try:
        names = os.listdir(root)  # noqa: PTH208  (names are all that is wanted of ten thousand)
    except FileNotFoundError:
        return []
    return [RunDirectory(root / name) for name in names if is_run_id(name) and (root / name / FILE).is_file()]


class RunSender:
    """Sends the measurements of one run from a thread of its own, for as long as it is entered."""

    def __init__(self, run: RunDirectory, tell: Callable[[str], None]) -> None:
        """Prepare.

        Args:
            run: The run, which may have no tracker.
            tell: Given a sentence when the tracker cannot be reached, and when it can again.
        """
        self._run = run
        self._tell = tell
        self._duty = TrackerDuty()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Self:
        if read_tracker(self._run) is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
            if (left := read_tracker(self._run)) is not None and left.problem is not None:
                self._tell(f"not everything was sent; `peftw runs track {self._run.id}` sends the rest")

    def _work(self) -> None:
        while not self._ended.is_set():
            self._look()
            self._ended.wait(_INTERVAL)
        # What was written since the last look.
        self._look()

    def _look(self) -> None:
        for file in self._duty.look([self._run]):
            self._tell(file.problem or "the tracker can be reached again")
