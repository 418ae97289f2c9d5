"""The file that holds the conversations. It is nobody else's to read, and nothing that was deleted stays in it."""

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peft_engine.databases import NewerDatabase, database_files, only_opener, open_database
from peft_engine.home import home
from peft_engine.migrations import transaction
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
        with only_opener(path):
            db = _open(path)
    except sqlite3.DatabaseError as error:
        raise _unusable(path, str(error)) from error
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
    try:
        return _prepared(path)
    except NewerDatabase as error:
        raise WorkbenchError(
            "conversations-unreadable",
            f"{path} was written by a newer version of PEFT Workbench.",
            "Update this one, or move the file away to begin a new list of conversations.",
        ) from error
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        _put_aside(path, error)
        return _prepared(path)


def _prepared(path: Path) -> sqlite3.Connection:
    # SQLite gives the files beside it the same mode.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    # An answer took minutes to compute and cannot be made again: it outlives a power cut, too.
    return open_database(path, MIGRATIONS, "synchronous = FULL", "secure_delete = ON")


def _put_aside(path: Path, error: sqlite3.DatabaseError) -> None:
    """Move a damaged file away; somebody may still get something out of it."""
    aside = path.with_name(f"{path.stem}-damaged-{time.time_ns()}{path.suffix}")
    _log.error("%s is damaged (%s); it is kept as %s, and a new list is begun", path, error, aside.name)
    for file, kept in zip(database_files(path), database_files(aside), strict=True):
        if file.exists():
            file.rename(kept)


def _unusable(path: Path, reason: str) -> WorkbenchError:
    return WorkbenchError(
        "conversations-unreadable",
        f"The conversations in {path} cannot be read or written: {reason}.",
        "See that the folder can be written and has space; nothing was removed.",
    )
