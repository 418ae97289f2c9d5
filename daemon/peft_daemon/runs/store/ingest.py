"""Taking one run's directory into the index: what was appended to its events, and its small files as they are now."""

import sqlite3

from peft_daemon.runs.fold import RunFold
from peft_daemon.runs.judge import settle
from peft_daemon.runs.store.describe import DESCRIBED, Description, describe
from peft_daemon.runs.store.reading import Block, Cursor, continues, next_block
from peft_daemon.runs.store.schema import insert
from peft_daemon.runs.store.series import SeriesWriter
from peft_daemon.runs.store.stamp import stamp_of
from peft_engine.migrations import transaction
from peft_engine.rundir import RunDirectory
from peft_schemas.events import CheckpointEvent


def ingest(db: sqlite3.Connection, run: RunDirectory) -> None:
    """Bring the rows of a run up to what its directory says.

    A block of events and the place where it ends are one transaction, so that several processes may ingest the same run
    at once and each event is counted once.

    Raises:
        WorkbenchError: The directory holds no run (`run-missing`).
        OSError: It cannot be read.
    """
    state = settle(run)
    # Taken before anything is read: what is written from now on is seen as a change the next time.
    stamp = stamp_of(run.path)
    compared = False
    while True:
        with transaction(db):
            # The place is asked for anew inside the transaction: another process may have gone on meanwhile.
            key, cursor, before, charted = _row(db, run.id)
            if not charted or (not compared and _is_another(run, cursor, before, stamp)):
                _forget(db, key)
                cursor = Cursor()
            compared = True
            block = next_block(run.events, cursor)
            _take(db, key, block)
            if block.at_end:
                kept = db.execute("SELECT body FROM events WHERE run = ? AND type = 'checkpoint'", (key,))
                checkpoints = [CheckpointEvent.model_validate_json(body) for (body,) in kept]
                _write(db, key, describe(run, state, stamp, _fold(db, key), block.cursor.seq, checkpoints))
                return


def _row(db: sqlite3.Connection, run_id: str) -> tuple[int, Cursor, str, bool]:
    db.execute("INSERT OR IGNORE INTO runs (id) VALUES (?)", (run_id,))
    key, inode, offset, mark, seq, stamp, charted = db.execute(
        "SELECT key, inode, offset, mark, seq, stamp, charted FROM runs WHERE id = ?", (run_id,)
    ).fetchone()
    return key, Cursor(inode, offset, mark, seq), stamp, bool(charted)


def _is_another(run: RunDirectory, cursor: Cursor, before: str, stamp: str) -> bool:
    """Tell whether what the index has of a run's events is not what its log says now."""
    return not continues(run.events, cursor) or (bool(before) and _same_size_other_time(before, stamp))


def _same_size_other_time(before: str, after: str) -> bool:
    """Tell whether the event log was written to without growing: then it is another text of the same length."""
    size, _, time = before.split(" ")[2].partition(":")
    size_now, _, time_now = after.split(" ")[2].partition(":")
    return size == size_now and time != time_now


def _forget(db: sqlite3.Connection, key: int) -> None:
    """Drop what was read of a run's events, because they are no longer the same, or more of them is wanted now."""
    for table in ("series", "events", "latest"):
        db.execute(f"DELETE FROM {table} WHERE run = ?", (key,))  # noqa: S608
    db.execute(
        "UPDATE runs SET inode = 0, offset = 0, mark = 0, seq = 0, fold = '{}', stamp = '', charted = 1 WHERE key = ?",
        (key,),
    )


def _take(db: sqlite3.Connection, key: int, block: Block) -> None:
    if not block.events:
        return
    fold = _fold(db, key)
    writer = SeriesWriter(db, key)
    rows = []
    for event in block.events:
        fold.take(event)
        match event.type:
            case "metric":
                writer.add(event.step, event.values)
            case "evaluation":
                writer.add(event.step, {f"eval_{name}": value for name, value in event.values.items()})
            case "resumed":
                writer.cut(event.step)
        if event.type != "metric":
            rows.append((key, event.seq, event.type, event.model_dump_json()))
    writer.flush()
    insert(db, "events", rows)
    place = block.cursor
    db.execute(
        "UPDATE runs SET inode = ?, offset = ?, mark = ?, seq = ?, fold = ? WHERE key = ?",
        (place.inode, place.offset, place.mark, place.seq, fold.to_json(), key),
    )


def _fold(db: sqlite3.Connection, key: int) -> RunFold:
    return RunFold.from_json(db.execute("SELECT fold FROM runs WHERE key = ?", (key,)).fetchone()[0])


def _write(db: sqlite3.Connection, key: int, said: Description) -> None:
    changes = ", ".join(f"{column} = ?" for column in DESCRIBED)
    db.execute(f"UPDATE runs SET {changes} WHERE key = ?", (*said.columns, key))  # noqa: S608
    for table, rows in said.rows(key).items():
        db.execute(f"DELETE FROM {table} WHERE run = ?", (key,))  # noqa: S608
        insert(db, table, rows)
