"""The file that holds the conversations. It is nobody else's to read, and nothing that was deleted stays in it."""

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peft_engine.home import home
from peft_engine.migrations import migrate, transaction, version_of
from peft_schemas.errors import WorkbenchError

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE conversations (
        id TEXT PRIMARY KEY,
        title TEXT NOT NULL,
        created TEXT NOT NULL,
        updated TEXT NOT NULL,
        revision INTEGER NOT NULL,
        settings TEXT NOT NULL                 -- ChatSettings
    ) WITHOUT ROWID;
    CREATE INDEX conversations_by_updated ON conversations (updated, id);
    CREATE TABLE exchanges (
        conversation TEXT NOT NULL REFERENCES conversations ON DELETE CASCADE,
        place INTEGER NOT NULL,
        body TEXT NOT NULL,                    -- ConversationExchange
        words TEXT NOT NULL,                   -- prompt and answers, case-folded, to search in
        PRIMARY KEY (conversation, place)
    ) WITHOUT ROWID;
    """,
)
"""None is ever changed; a new one is added."""

_BUSY_SECONDS = 30.0
"""How long to wait for another window that writes, which takes milliseconds."""

_log = logging.getLogger(__name__)


def conversations_file() -> Path:
    """Return where conversations are kept."""
    return home() / "conversations.db"


@contextmanager
def connect() -> Iterator[sqlite3.Connection]:
    """Open the file for one piece of work, in any thread, and close it.

    A damaged file is put aside, whole, and a new one begun.

    Raises:
        WorkbenchError: The file cannot be used (`conversations-unreadable`).
    """
    path = conversations_file()
    try:
        db = _open(path)
    except sqlite3.OperationalError as error:
        raise _unusable(path, str(error)) from error
    except sqlite3.DatabaseError as error:
        _put_aside(path, error)
        db = _open(path)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from error
    try:
        yield db
    except sqlite3.DatabaseError as error:
        raise _unusable(path, str(error)) from error
    finally:
        db.close()


@contextmanager
def writing(db: sqlite3.Connection) -> Iterator[None]:
    """Make all changes inside or none, and leave nothing of what they removed in the file or its log."""
    with transaction(db):
        yield
    # `secure_delete` has overwritten what was removed, but pages of before may stand in the write-ahead log.
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    # SQLite gives the files beside it the same mode.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        if version_of(db) > len(MIGRATIONS):
            raise WorkbenchError(
                "conversations-unreadable",
                f"{path} was written by a newer version of PEFT Workbench.",
                "Update this one, or move the file away to begin a new list of conversations.",
            )
        db.execute("PRAGMA journal_mode = WAL")
        # An answer took minutes to compute and cannot be made again: it outlives a power cut, too.
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA secure_delete = ON")
        migrate(db, MIGRATIONS)
    except BaseException:
        db.close()
        raise
    return db


def _put_aside(path: Path, error: sqlite3.DatabaseError) -> None:
    """Move a damaged file away; somebody may still get something out of it."""
    aside = path.with_name(f"{path.stem}-damaged-{time.time_ns()}{path.suffix}")
    _log.error("%s is damaged (%s); it is kept as %s, and a new list is begun", path, error, aside.name)
    for suffix in ("", "-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + suffix))


def _unusable(path: Path, reason: str) -> WorkbenchError:
    return WorkbenchError(
        "conversations-unreadable",
        f"The conversations in {path} cannot be read or written: {reason}.",
        "See that the folder can be written and has space; nothing was removed.",
    )
