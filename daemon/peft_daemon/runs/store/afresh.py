"""Taking runs into the index of which it has nothing, many at a time: after it was deleted, or when it is new.

What lists need is taken now, and the series of a run when it is first looked at: `charted` says that they have yet to
be read. Each run is read before anything is written, so that the index is held only for the writing.
"""

import logging
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from peft_daemon.runs.fold import RunFold
from peft_daemon.runs.judge import settle
from peft_daemon.runs.store.describe import DESCRIBED, Description, describe
from peft_daemon.runs.store.reading import Cursor, next_block
from peft_daemon.runs.store.schema import insert
from peft_daemon.runs.store.stamp import stamp_of
from peft_engine.migrations import transaction
from peft_engine.rundir import RunDirectory
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import CheckpointEvent

_COLUMNS = ("key", "id", "inode", "offset", "mark", "seq", "fold", "charted", *DESCRIBED)
_INSERT = f"INSERT INTO runs ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Read:
    """What lists need of a run."""

    run: RunDirectory
    stamp: str
    cursor: Cursor
    fold: RunFold
    told: Sequence[tuple[int, str, str]]
    """Number, type and body of the events that are no measurements."""

    description: Description


def take_in_new(db: sqlite3.Connection, runs: Iterable[RunDirectory]) -> list[RunDirectory]:
    """Take in some runs at once.

    Args:
        db: The index.
        runs: As many as may be held in memory.

    Returns:
        Those that are left to `ingest`: their logs are long, or another process saw them otherwise a moment ago.
    """
    left: list[RunDirectory] = []
    whole: list[_Read] = []
    for run in runs:
        try:
            read = _read(run)
        except (WorkbenchError, OSError) as error:
            _log.warning("run %s cannot be indexed now: %s", run.id, error)
            continue
        if read is None:
            left.append(run)
        else:
            whole.append(read)
    if not whole:
        return left
    with transaction(db):
        stamps = _stamps(db, [read.run.id for read in whole])
        _write(db, [read for read in whole if read.run.id not in stamps])
    return left + [read.run for read in whole if stamps.get(read.run.id, read.stamp) != read.stamp]


def _read(run: RunDirectory) -> _Read | None:
    """Read a whole run; None where its log is too long to be read at once."""
    state = settle(run)
    # Taken before anything is read: what is written from now on is seen as a change the next time.
    stamp = stamp_of(run.path)
    block = next_block(run.events, Cursor())
    if not block.at_end:
        return None
    fold = RunFold()
    for event in block.events:
        fold.take(event)
    others = [event for event in block.events if event.type != "metric"]
    checkpoints = [event for event in others if isinstance(event, CheckpointEvent)]
    told = [(event.seq, event.type, event.model_dump_json()) for event in others]
    return _Read(run, stamp, block.cursor, fold, told, describe(run, state, stamp, fold, block.cursor.seq, checkpoints))


def _stamps(db: sqlite3.Connection, ids: Sequence[str]) -> dict[str, str]:
    """Return the stamps of those runs that another process has taken in meanwhile."""
    marks = ", ".join("?" * len(ids))
    return dict(db.execute(f"SELECT id, stamp FROM runs WHERE id IN ({marks})", ids).fetchall())  # noqa: S608


def _write(db: sqlite3.Connection, whole: Sequence[_Read]) -> None:
    """Write the rows of runs of which there are none. The caller holds the index, so keys can be counted on."""
    first = db.execute("SELECT coalesce(max(key), 0) + 1 FROM runs").fetchone()[0]
    runs: list[tuple[Any, ...]] = []
    others: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for key, read in enumerate(whole, first):
        place = read.cursor
        read_to = (place.inode, place.offset, place.mark, place.seq, read.fold.to_json())
        # Where there is no event yet, there is nothing left to read.
        runs.append((key, read.run.id, *read_to, place.seq == 0, *read.description.columns))
        others["events"] += [(key, *event) for event in read.told]
        for table, rows in read.description.rows(key).items():
            others[table] += rows
    db.executemany(_INSERT, runs)
    for table, rows in others.items():
        insert(db, table, rows)
