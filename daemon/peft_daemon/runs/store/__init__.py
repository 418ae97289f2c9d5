"""The run store: an index of the run directories, in which ten thousand runs and a million points are found at once.

The directories are the truth. The index is brought up to them each time it is asked, may be removed at any moment, and
is made again where it is damaged. Everything here is synchronous; who has a loop to keep free calls it in a thread.
"""

import math
import sqlite3
from dataclasses import dataclass

from peft_daemon.runs.fold import Place, RunFold
from peft_daemon.runs.store import query as statements
from peft_daemon.runs.store.database import STORE
from peft_daemon.runs.store.series import metrics_of, read_stretch
from peft_daemon.runs.store.sync import Progress, require, sync, tell_nobody
from peft_engine.files import folder_bytes, stamp
from peft_engine.migrations import transaction
from peft_engine.rundir import find_run
from peft_schemas.events import EVENT, AnyEvent
from peft_schemas.records import Artifact, RunQuery, Series, SeriesParams
from peft_schemas.runs import RunPage, RunSummary

_FOREVER = 2**62
"""A step that no run reaches."""

_LINES = 1000
"""Events beside the measurements that a history has: more than anybody reads."""


def update() -> None:
    """Bring the index up to the directories, and give completed runs the versions that they lack."""
    STORE.use(sync)


def find_runs(query: RunQuery, tell: Progress = tell_nobody) -> RunPage:
    """Return a page of the runs that meet a query, as they are now.

    Args:
        query: Which runs.
        tell: Told how far the index is, where it has yet to be made.
    """

    def work(db: sqlite3.Connection) -> RunPage:
        sync(db, tell)
        counted, page = statements.count(query), statements.page(query)
        total = db.execute(counted.sql, counted.values).fetchone()[0]
        rows = db.execute(page.sql, page.values)
        return RunPage(runs=[RunSummary.model_validate_json(summary) for (summary,) in rows], total=total)

    return STORE.use(work)


def all_runs() -> list[RunSummary]:
    """Return every run as it is now, newest first."""

    def work(db: sqlite3.Connection) -> list[RunSummary]:
        sync(db)
        rows = db.execute("SELECT summary FROM runs WHERE summary <> '' ORDER BY created DESC, id DESC")
        return [RunSummary.model_validate_json(summary) for (summary,) in rows]

    return STORE.use(work)


def resting_runs() -> dict[str, tuple[str, RunSummary]]:
    """Return the runs that have no worker by id, each with the stamp of its directory as it was when it was read."""

    def work(db: sqlite3.Connection) -> dict[str, tuple[str, RunSummary]]:
        sync(db)
        rows = db.execute("SELECT id, stamp, summary FROM runs WHERE stamp <> ''")
        return {run: (stamp, RunSummary.model_validate_json(summary)) for run, stamp, summary in rows}

    return STORE.use(work)


def active_places() -> dict[str, Place]:
    """Return by id how far the index has read each run that has a worker."""

    def work(db: sqlite3.Connection) -> dict[str, Place]:
        rows = db.execute("SELECT id, offset, seq, fold FROM runs WHERE stamp = ''")
        return {run: Place(offset, seq, RunFold.from_json(fold)) for run, offset, seq, fold in rows}

    return STORE.use(work)


def read_series(params: SeriesParams) -> list[Series]:
    """Return measurements of a run, decimated, as they are now.

    Raises:
        WorkbenchError: There is no such run (`run-missing`).
    """
    find_run(params.run_id)
    last = _FOREVER if params.last_step is None else params.last_step

    def work(db: sqlite3.Connection) -> list[Series]:
        key = require(db, params.run_id)
        return [
            _series(db, metric, series, params.points, params.first_step, last)
            for metric, series in metrics_of(db, key)
            if not params.metrics or metric in params.metrics
        ]

    return STORE.use(work)


@dataclass(frozen=True)
class History:
    """What a run said so far, kept small however long it is."""

    place: Place
    series: list[Series]
    events: list[AnyEvent]
    """All recoveries, which may be taken back, and the newest of the others; none that is a measurement."""


def read_history(run_id: str, points: int) -> History:
    """Return what a run said so far.

    Args:
        run_id: The run.
        points: The most points that a metric comes with.

    Raises:
        WorkbenchError: There is no such run (`run-missing`).
    """
    find_run(run_id)

    def work(db: sqlite3.Connection) -> History:
        key = require(db, run_id)
        # Another process may take in more of the run meanwhile: all of this is of one moment.
        with transaction(db):
            offset, seq, fold = db.execute("SELECT offset, seq, fold FROM runs WHERE key = ?", (key,)).fetchone()
            series = [_series(db, metric, one, points, 0, _FOREVER) for metric, one in metrics_of(db, key)]
            rows = db.execute(
                "SELECT seq, body FROM (SELECT seq, body FROM events WHERE run = ? ORDER BY seq DESC LIMIT ?)"
                " UNION SELECT seq, body FROM events WHERE run = ? AND type = 'recovery' ORDER BY seq",
                (key, _LINES, key),
            ).fetchall()
        place = Place(offset, seq, RunFold.from_json(fold))
        return History(place, series, [EVENT.validate_json(body) for _, body in rows])

    return STORE.use(work)


def _series(db: sqlite3.Connection, metric: str, key: int, points: int, first: int, last: int) -> Series:
    stretch = read_stretch(db, key, points, first, last)
    values = [None if math.isnan(point.value) else point.value for point in stretch.points]
    return Series(metric=metric, steps=[point.step for point in stretch.points], values=values, total=stretch.total)


def list_artifacts(run_id: str) -> list[Artifact]:
    """Return what a run made, and whether each is still there; what was removed is told, and no error.

    Raises:
        WorkbenchError: There is no such run (`run-missing`).
    """
    run = find_run(run_id)

    def work(db: sqlite3.Connection) -> list[Artifact]:
        key = require(db, run_id)
        rows = db.execute("SELECT path, sha256 FROM artifacts WHERE run = ? ORDER BY path", (key,))
        return [_artifact(str(run.path / path), path, sha256) for path, sha256 in rows]

    return STORE.use(work)


def _artifact(place: str, path: str, sha256: str) -> Artifact:
    found = stamp(place)
    if found is None:
        return Artifact(path=path, sha256=sha256, bytes=None, present=False)
    # A checkpoint is a folder, whose own size says nothing.
    return Artifact(path=path, sha256=sha256, bytes=folder_bytes(place) or found[0], present=True)
