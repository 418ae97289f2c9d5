"""Bringing the whole index up to the run directories. Where the two disagree, the directories are right."""

import logging
import os
import sqlite3
from collections.abc import Iterator

from peft_daemon.runs.store.ingest import ingest
from peft_daemon.runs.store.stamp import stamp_of
from peft_engine.home import runs_dir
from peft_engine.rundir import RunDirectory, find_run
from peft_engine.rundir.directory import is_run_id
from peft_engine.versions import claim_version
from peft_schemas.errors import WorkbenchError

_log = logging.getLogger(__name__)


def sync(db: sqlite3.Connection) -> None:
    """Take in every run whose directory is not as it was when it was last read, and drop the runs that are gone.

    A run that rests costs three looks at the disk. A directory that cannot be read at this moment keeps its old rows.
    """
    known = dict(db.execute("SELECT id, stamp FROM runs").fetchall())
    present = dict(_directories())
    for run_id in known.keys() - present.keys():
        db.execute("DELETE FROM runs WHERE id = ?", (run_id,))
    changed = [RunDirectory(runs_dir() / run_id) for run_id, stamp in present.items() if known.get(run_id) != stamp]
    for run in changed:
        _take_in(db, run)
    for run in _without_version(db, changed):
        _name(db, run)


def _take_in(db: sqlite3.Connection, run: RunDirectory) -> None:
    """Take in one run; what cannot be read of it now is read the next time."""
    try:
        ingest(db, run)
    except (WorkbenchError, OSError) as error:
        _log.warning("run %s cannot be indexed now: %s", run.id, error)


def _without_version(db: sqlite3.Connection, changed: list[RunDirectory]) -> list[RunDirectory]:
    """Return the completed runs whose worker was killed before it could name a version, in the order they completed."""
    if not changed:
        return []
    missing = dict(db.execute("SELECT id, updated FROM runs WHERE state = 'completed' AND version IS NULL").fetchall())
    return sorted((run for run in changed if run.id in missing), key=lambda run: (missing[run.id], run.id))


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
