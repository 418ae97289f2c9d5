"""The file in which the library is remembered, whatever state it is in.

It is an index: the models' own files and the definition files are the truth. So a damaged one is removed and made
again, a newer program's is left alone, and where none can be written the library is kept in memory for one piece of
work.
"""

import fcntl
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from peft_engine.home import home
from peft_engine.migrations import migrate, version_of

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE models (
        path TEXT PRIMARY KEY,
        source TEXT NOT NULL,
        root TEXT NOT NULL,                    -- the folder in which it was found
        name TEXT NOT NULL,                    -- what the tool that keeps it calls it
        base TEXT,                             -- what `model.base` would be
        stamp TEXT NOT NULL,                   -- sizes and times of change of its files when they were read
        facts TEXT,                            -- ModelFacts; NULL when it cannot be used
        problem TEXT                           -- ErrorReport; NULL with no facts: it is no base model
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE forgotten (path TEXT PRIMARY KEY) WITHOUT ROWID;
    """,
)
"""None is ever changed; a new one is added."""

_BUSY_SECONDS = 30.0
"""How long to wait for another process that writes, which takes milliseconds."""

_log = logging.getLogger(__name__)

Result = TypeVar("Result")


def library_file() -> Path:
    """Return where the library is remembered."""
    return home() / "library.db"


def with_library(work: Callable[[sqlite3.Connection], Result]) -> Result:
    """Do something with the library in one connection. A file that turns out to be damaged is made again, once."""
    try:
        with _connect() as db:
            return work(db)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        _log.warning("%s is damaged (%s) and is made again", library_file(), error)
        _remove(library_file())
        with _connect() as db:
            return work(db)


@contextmanager
def _connect() -> Iterator[sqlite3.Connection]:
    path = library_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _only_opener(path):
            db = _open(path)
    except (OSError, sqlite3.OperationalError) as error:
        _log.warning("%s cannot be used (%s); what is found is not remembered", path, error)
        db = _prepared(":memory:")
    try:
        yield db
    finally:
        db.close()


def _open(path: Path) -> sqlite3.Connection:
    try:
        db = _prepared(path)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        _log.warning("%s is damaged (%s) and is made again", path, error)
        _remove(path)
        db = _prepared(path)
    if version_of(db) > len(MIGRATIONS):
        # A newer program shares this folder: it keeps its file, and we keep one of our own beside it.
        db.close()
        return _prepared(path.with_name(f"{path.stem}-{len(MIGRATIONS)}{path.suffix}"))
    return db


def _prepared(path: Path | str) -> sqlite3.Connection:
    """Connect and migrate; a newer program's file is left as it is.

    Raises:
        sqlite3.DatabaseError: The file is no database, or a damaged one.
    """
    db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        if version_of(db) <= len(MIGRATIONS):
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            migrate(db, MIGRATIONS)
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def _only_opener(path: Path) -> Iterator[None]:
    """Hold off others while the file may be made or made again."""
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
