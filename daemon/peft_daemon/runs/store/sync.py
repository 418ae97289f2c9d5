"""Bringing the whole index up to the run directories. Where the two disagree, the directories are right."""

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Mapping

from peft_daemon.runs.store.afresh import take_in_new
from peft_daemon.runs.store.ingest import ingest
from peft_daemon.runs.store.stamp import log_bytes, stamp_of
from peft_engine.home import runs_dir
from peft_engine.rundir import RunDirectory, find_run
from peft_engine.rundir.directory import is_run_id
from peft_engine.versions import claim_version
from peft_schemas.errors import WorkbenchError

_MOST = 64
"""Runs that are taken in at once: a fiftieth of a second in which no other process can write."""

_BYTES = 4 << 20
"""Of event logs that are read before anything of them is written."""

_one_at_a_time = threading.Lock()
"""Of the threads of one process that all ask for an index that has yet to be made, one makes it."""

Progress = Callable[[int, int], None]
"""Told how much was done, of how much."""

_log = logging.getLogger(__name__)


def tell_nobody(_done: int, _of: int) -> None:
    """Be the progress of what nobody waits for."""


def sync(db: sqlite3.Connection, tell: Progress = tell_nobody) -> None:
    """Take in every run whose directory is not as it was when it was last read, and drop the runs that are gone.

    A run that rests costs three looks at the disk. A directory that cannot be read at this moment keeps its old rows.

    Args:
        db: The index.
        tell: Told how many runs were taken in, of how many that have to be.
    """
    with _one_at_a_time:
        known = dict(db.execute("SELECT id, stamp FROM runs").fetchall())
        present = dict(_directories())
        for run_id in known.keys() - present.keys():
            db.execute("DELETE FROM runs WHERE id = ?", (run_id,))
        changed = {run_id: stamp for run_id, stamp in present.items() if known.get(run_id) != stamp}
        done = 0
        for part in _parts(changed):
            runs = [RunDirectory(runs_dir() / run_id) for run_id in part]
            left = [run for run in runs if run.id in known]
            left += take_in_new(db, [run for run in runs if run.id not in known])
            for run in left:
                _take_in(db, run)
            done += len(part)
            tell(done, len(changed))
        for run in _without_version(db, changed):
            _name(db, run)


def _parts(changed: Mapping[str, str]) -> Iterator[list[str]]:
    """Cut runs into parts that are read, and held in memory, together.

    Args:
        changed: The stamp of each.
    """
    part: list[str] = []
    size = 0
    for run_id, stamp in changed.items():
        part.append(run_id)
        size += log_bytes(stamp)
        if len(part) == _MOST or size > _BYTES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _take_in(db: sqlite3.Connection, run: RunDirectory) -> None:
    """Take in one run; what cannot be read of it now is read the next time."""
    try:
        ingest(db, run)
    except (WorkbenchError, OSError) as error:
        _log.warning("run %s cannot be indexed now: %s", run.id, error)


def _without_version(db: sqlite3.Connection, changed: Collection[str]) -> list[RunDirectory]:
    """Return the completed runs whose worker was killed before it could name a version, in the order they completed."""
    if not changed:
        return []
    missing = dict(db.execute("SELECT id, updated FROM runs WHERE state = 'completed' AND version IS NULL").fetchall())
    late = sorted((updated, run_id) for run_id, updated in missing.items() if run_id in changed)
    return [RunDirectory(runs_dir() / run_id) for _, run_id in late]


def _name(db: sqlite3.Connection, run: RunDirectory) -> None:
    try:
        if claim_version(run) is not None:
            ingest(db, run)
    except (WorkbenchError, OSError) as error:
        _log.warning("run %s gets its version later: %s", run.id, error)


def _directories() -> Iterator[tuple[str, str]]:
    """Yield the id and stamp of every run directory."""
    try:
        with os.scandir(runs_dir()) as entries:
            for entry in entries:
                if is_run_id(entry.name) and (stamp := stamp_of(entry.path)):
                    yield entry.name, stamp
    except FileNotFoundError:
        return


def require(db: sqlite3.Connection, run_id: str) -> int:
    """Take in one run and return its key.

    Raises:
        WorkbenchError: There is no such run (`run-missing`).
    """
    ingest(db, find_run(run_id))
    return int(db.execute("SELECT key FROM runs WHERE id = ?", (run_id,)).fetchone()[0])
