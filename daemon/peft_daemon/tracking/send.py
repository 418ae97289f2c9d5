"""Sending a tracker what it lacks of a run, once and in order, whatever was interrupted before."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from peft_connectors.tracker import Beginning, Point, Tracker, TrackerRefused, TrackerUnreachable
from peft_daemon.runs.store.reading import Cursor, continues, next_block
from peft_daemon.tracking.measured import Ahead, events_behind, look_ahead, milliseconds, points_of
from peft_engine.rundir import RunDirectory
from peft_engine.rundir.directory import now
from peft_engine.rundir.tracking import new_key, read_tracker, sending_of, write_tracker
from peft_schemas.tracking import TrackerFile

Connect = Callable[[TrackerFile], Tracker]

_BATCH = 1000
"""Points that are sent, and noted as sent, together."""


def send_missing(run: RunDirectory, connect: Connect) -> TrackerFile | None:
    """Send everything that was written of a run up to now and that its tracker lacks.

    A batch is noted as sent when the tracker has taken it. Who is killed between the two leaves a batch that is sent
    again, point for point the same, which a tracker takes for what it has.

    What a resume took back is not sent. Where some of it was sent already, the tracker gets a new copy of the run, and
    the earlier one is marked as replaced: trackers have no way to take back a point.

    Args:
        run: The run.
        connect: Makes the connection to its tracker.

    Returns:
        How far the tracker is now, and what hindered it; None where the run has no tracker or another process sends.

    Raises:
        OSError: The run directory cannot be read or written.
    """
    with sending_of(run) as ours:
        file = read_tracker(run) if ours else None
        if file is None:
            return None
        sending = _Sending(run, file)
        problem = None
        try:
            sending.go_on(connect)
        except (TrackerUnreachable, TrackerRefused) as error:
            problem = f"{error.message} {error.remedy}"
        if sending.file.problem != problem:
            sending.note(problem=problem, since=None if problem is None else file.since or now())
        return sending.file


class _Sending:
    """One attempt to bring a tracker up to a run's log. `file` is at every moment what stands on disk."""

    def __init__(self, run: RunDirectory, file: TrackerFile) -> None:
        self.file = file
        self._run = run

    def note(self, **changes: Any) -> None:
        """Write down how far the tracker is."""
        self.file = self.file.model_copy(update=changes)
        write_tracker(self._run, self.file)

    def go_on(self, connect: Connect) -> None:
        """Send what there is; nothing is asked of the tracker where there is nothing.

        Raises:
            TrackerUnreachable: It cannot be reached now.
            TrackerRefused: It does not take what it is sent.
        """
        ahead = self._ahead()
        if ahead.takes_back or not continues(self._run.events, self._place()):
            earlier = [] if self.file.run is None else [self.file.run]
            self.note(
                key=new_key(),
                run=None,
                page=None,
                replaces=[*self.file.replaces, *earlier],
                last_steps={},
                state="running",
                **_noted(Cursor()),
            )
            ahead = self._ahead()
        if ahead.seq == self.file.seq:
            return
        if self.file.run is None and not ahead.measured and ahead.state in (None, "running"):
            # It has only begun: its environment is not known yet.
            return
        with connect(self.file) as tracker:
            self._send(tracker, ahead)

    def _send(self, tracker: Tracker, ahead: Ahead) -> None:
        run = self.file.run
        if run is None:
            run = tracker.begin(_beginning(self._run, self.file))
            self.note(run=run, page=tracker.page(run))
        for earlier in self.file.replaces:
            tracker.supersede(earlier, self._run.id, run)
            self.note(replaces=self.file.replaces[1:])
        if ahead.measured and self.file.state != "running":
            tracker.enter(run, "running", ahead.time)
            self.note(state="running")
        place = self._send_points(tracker, run, ahead)
        state = ahead.state or self.file.state
        if state != self.file.state:
            tracker.enter(run, state, ahead.time)
        # The events that measure nothing count as sent when the state is that tells of them.
        self.note(state=state, **_noted(replace(place, seq=ahead.seq)))

    def _send_points(self, tracker: Tracker, run: str, ahead: Ahead) -> Cursor:
        """Send the points up to the event that was looked ahead to, and return a place not behind it."""
        batch: list[Point] = []
        place = self._place()
        last = place.seq
        done = False
        while not done:
            block = next_block(self._run.events, place)
            for event in block.events:
                if event.seq > ahead.seq:
                    # Written since: it may take back what is not sent yet.
                    break
                points = [point for point in points_of(event) if ahead.cuts.leave(event.seq, point.step, point.metric)]
                if batch and len(batch) + len(points) > _BATCH:
                    self._log(tracker, run, batch, replace(place, seq=last))
                    batch = []
                batch += points
                last = event.seq
            done = block.at_end or last >= ahead.seq
            if block.cursor.seq <= ahead.seq:
                place = block.cursor
        if batch:
            self._log(tracker, run, batch, replace(place, seq=last))
        return place

    def _log(self, tracker: Tracker, run: str, batch: list[Point], place: Cursor) -> None:
        tracker.log(run, batch)
        steps = {point.metric: point.step for point in batch}
        self.note(last_steps={**self.file.last_steps, **steps}, **_noted(place))

    def _ahead(self) -> Ahead:
        return look_ahead(self._run.events, self._place(), self.file.last_steps)

    def _place(self) -> Cursor:
        return Cursor(self.file.inode, self.file.offset, self.file.mark, self.file.seq)


def _noted(place: Cursor) -> dict[str, int]:
    return {"inode": place.inode, "offset": place.offset, "mark": place.mark, "seq": place.seq}


def _beginning(run: RunDirectory, file: TrackerFile) -> Beginning:
    """Return what a tracker is told of a run before its first point."""
    first = next(events_behind(run.events, Cursor()), None)
    return Beginning(
        key=file.key,
        name=run.id,
        experiment=file.experiment,
        time=0 if first is None else milliseconds(first),
        params=_params(run),
        environment=_environment(run),
    )


def _environment(run: RunDirectory) -> dict[str, str]:
    """Return what a run computes with, under names that no tracker has tags of its own under."""
    record = _read(run.environment)
    packages, git = record.get("packages"), record.get("git")
    said = {"run": run.id, "python": record.get("python"), "seed": record.get("seed")}
    said |= {f"package.{name}": version for name, version in packages.items()} if isinstance(packages, dict) else {}
    said |= {"git.commit": git.get("commit")} if isinstance(git, dict) else {}
    return {f"peftw.{name}": str(value) for name, value in said.items() if value is not None}


def _params(run: RunDirectory) -> dict[str, str]:
    """Return the effective config. Where measurements go is no part of what is trained."""
    config = _read(run.resolved).get("config")
    trained = {key: value for key, value in config.items() if key != "tracker"} if isinstance(config, dict) else {}
    return {path: str(value) for path, value in _leaves(trained) if value not in (None, [], {})}


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _leaves(below, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and any(isinstance(below, Mapping) for below in value):
        for number, below in enumerate(value):
            yield from _leaves(below, f"{path}.{number}")
    else:
        yield path, value


def _read(path: Path) -> dict[str, Any]:
    """Return the object that a file holds; one that is missing or damaged says nothing, and hinders nothing."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
