"""Taking one run's directory into the index: what was appended to its events, and its small files as they are now."""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from peft_daemon.runs.fold import RunFold
from peft_daemon.runs.judge import settle
from peft_daemon.runs.store.reading import Block, Cursor, continues, next_block
from peft_daemon.runs.store.series import SeriesWriter
from peft_daemon.runs.store.stamp import stamp_of
from peft_engine.files import folder_bytes
from peft_engine.migrations import transaction
from peft_engine.notes import read_notes
from peft_engine.rundir import RunDirectory
from peft_engine.versions import config_sha256, read_version
from peft_schemas.events import RESTING_STATES, AnyEvent, CheckpointEvent, StateFile

_PACKAGES = ("peft-workbench", "torch", "transformers", "peft")
"""Whose versions are shown with a run; the record in its directory has all of them."""


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
            key, cursor, before = _row(db, run.id)
            if not compared and _is_another(run, cursor, before, stamp):
                _forget(db, key)
                cursor = Cursor()
            compared = True
            block = next_block(run.events, cursor)
            _take(db, key, block)
            if block.at_end:
                _describe(db, key, run, state, stamp)
                return


def _row(db: sqlite3.Connection, run_id: str) -> tuple[int, Cursor, str]:
    db.execute("INSERT OR IGNORE INTO runs (id) VALUES (?)", (run_id,))
    key, inode, offset, mark, seq, stamp = db.execute(
        "SELECT key, inode, offset, mark, seq, stamp FROM runs WHERE id = ?", (run_id,)
    ).fetchone()
    return key, Cursor(inode, offset, mark, seq), stamp


def _is_another(run: RunDirectory, cursor: Cursor, before: str, stamp: str) -> bool:
    """Tell whether what the index has of a run's events is not what its log says now."""
    return not continues(run.events, cursor) or (bool(before) and _same_size_other_time(before, stamp))


def _same_size_other_time(before: str, after: str) -> bool:
    """Tell whether the event log was written to without growing: then it is another text of the same length."""
    size, _, time = before.split(" ")[2].partition(":")
    size_now, _, time_now = after.split(" ")[2].partition(":")
    return size == size_now and time != time_now


def _forget(db: sqlite3.Connection, key: int) -> None:
    """Drop what was read of a run's events, because they are no longer the same."""
    for table in ("series", "events", "latest"):
        db.execute(f"DELETE FROM {table} WHERE run = ?", (key,))  # noqa: S608
    db.execute(
        "UPDATE runs SET inode = 0, offset = 0, mark = 0, seq = 0, fold = '{}', stamp = '' WHERE key = ?", (key,)
    )


def _take(db: sqlite3.Connection, key: int, block: Block) -> None:
    if not block.events:
        return
    fold = RunFold.model_validate_json(db.execute("SELECT fold FROM runs WHERE key = ?", (key,)).fetchone()[0])
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
    db.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", rows)
    place = block.cursor
    db.execute(
        "UPDATE runs SET inode = ?, offset = ?, mark = ?, seq = ?, fold = ? WHERE key = ?",
        (place.inode, place.offset, place.mark, place.seq, fold.model_dump_json(), key),
    )


def _describe(db: sqlite3.Connection, key: int, run: RunDirectory, state: StateFile, stamp: str) -> None:
    fold = RunFold.model_validate_json(db.execute("SELECT fold FROM runs WHERE key = ?", (key,)).fetchone()[0])
    notes = read_notes(run)
    summary = fold.summary(run, state, notes)
    config = _json(run.resolved).get("config")
    config = config if isinstance(config, dict) else {}
    version = read_version(run)
    db.execute(
        "UPDATE runs SET stamp = ?, summary = ?, name = ?, state = ?, base = ?, method = ?, created = ?, updated = ?,"
        " config_sha256 = ?, version = ?, parent = ?, pinned = ?, bytes = ?, environment = ? WHERE key = ?",
        (
            # A run that is at work is looked at each time, whatever its directory looks like: its worker may be gone.
            stamp if state.state in RESTING_STATES else "",
            summary.model_dump_json(),
            state.name,
            state.state,
            state.base,
            str((config.get("method") or {}).get("type", "")),
            state.created,
            state.updated,
            config_sha256(config) if config else "",
            version.version if version else None,
            version.parent if version else None,
            notes.pinned,
            folder_bytes(run.path) if state.state in RESTING_STATES else 0,
            json.dumps(_short(_json(run.environment))),
            key,
        ),
    )
    _replace(db, "latest", key, list(summary.metrics.items()))
    _replace(db, "artifacts", key, list(_artifacts(db, key, run).items()))
    db.execute("DELETE FROM tags WHERE run = ?", (key,))
    db.executemany("INSERT INTO tags (tag, run) VALUES (?, ?)", [(tag, key) for tag in sorted(set(notes.tags))])
    taken = summary.metrics
    db.execute(
        "INSERT OR REPLACE INTO costs VALUES (?, ?, ?, ?)",
        (key, summary.elapsed_seconds, taken.get("tokens"), taken.get("energy_joules")),
    )


def _replace(db: sqlite3.Connection, table: str, key: int, pairs: list[tuple[str, Any]]) -> None:
    db.execute(f"DELETE FROM {table} WHERE run = ?", (key,))  # noqa: S608
    db.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", [(key, *pair) for pair in pairs])  # noqa: S608


def _artifacts(db: sqlite3.Connection, key: int, run: RunDirectory) -> dict[str, str]:
    """Return the hash of each artifact by its path: those of the manifest, and the manifests of checkpoints."""
    announced: list[AnyEvent] = [
        CheckpointEvent.model_validate_json(body)
        for (body,) in db.execute("SELECT body FROM events WHERE run = ? AND type = 'checkpoint'", (key,))
    ]
    kept = {e.path: e.sha256 for e in announced if isinstance(e, CheckpointEvent) and (run.path / e.path).is_dir()}
    return {**kept, **(run.read_manifest() or {})}


def _short(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return what matters of an environment record in a list."""
    packages, git = environment.get("packages"), environment.get("git")
    return {
        "python": str(environment.get("python", "")).partition(" ")[0],
        "packages": {name: packages.get(name) for name in _PACKAGES} if isinstance(packages, dict) else {},
        "seed": environment.get("seed"),
        "git": git.get("commit") if isinstance(git, dict) else None,
    }


def _json(path: Any) -> dict[str, Any]:
    """Return the content of a file that should hold an object; a missing or damaged one holds nothing."""
    try:
        found = from_json(path.read_bytes())
    except (OSError, ValueError, ValidationError):
        return {}
    return found if isinstance(found, dict) else {}
