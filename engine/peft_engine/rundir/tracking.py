"""`tracker.json`: which of a run's measurements its tracker has. Whoever sends them holds the lock beside it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from pydantic import ValidationError

from peft_engine.files import write_atomic
from peft_engine.rundir.directory import RunDirectory
from peft_schemas.config import TrackerConfig
from peft_schemas.tracking import RunTracker, TrackerFile

FILE = "tracker.json"


def lay_out_tracker(run: RunDirectory, config: TrackerConfig) -> None:
    """Write down where the measurements of a new run go, if its config names a tracker."""
    if config.type != "none":
        file = TrackerFile(type=config.type, url=config.url, experiment=config.experiment, key=new_key())
        write_tracker(run, file)


def new_key() -> str:
    """Return a key by which a tracker will know one copy of a run."""
    return uuid4().hex


def read_tracker(run: RunDirectory) -> TrackerFile | None:
    """Return how far a run's measurements were sent; None where they go nowhere, or the file is damaged."""
    try:
        return TrackerFile.model_validate_json((run.path / FILE).read_bytes())
    except (OSError, ValidationError):
        return None


def tracker_of(run: RunDirectory, *, step: int, seq: int) -> RunTracker | None:
    """Return how far a run's tracker is; None where it has none.

    Args:
        run: The run.
        step: The newest that was measured.
        seq: The number of its newest event.
    """
    file = read_tracker(run)
    if file is None:
        return None
    complete = file.seq >= seq
    there = max(file.last_steps.values(), default=0)
    return RunTracker(
        type=file.type,
        page=file.page,
        complete=complete,
        missing_steps=0 if complete else max(0, step - there),
        problem=file.problem,
        since=file.since,
    )


def write_tracker(run: RunDirectory, file: TrackerFile) -> None:
    """Replace the file."""
    write_atomic(run.path / FILE, file.model_dump_json(indent=2) + "\n")


@contextmanager
def sending_of(run: RunDirectory) -> Iterator[bool]:
    """Be the only process that sends the run's measurements; yields False, at once, where another one is."""
    with (run.path / ".tracker.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
