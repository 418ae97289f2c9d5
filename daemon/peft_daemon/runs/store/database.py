"""Opening the index, whatever state its file is in.

Nothing is lost with the file, so a damaged one is removed and made again, a newer program's is left alone, and where
none can be written the index is kept in memory for as long as it is needed.
"""

import fcntl
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peft_daemon.runs.store.schema import MIGRATIONS, VERSION
from peft_engine.home import home
from peft_engine.migrations import migrate, version_of

_BUSY_SECONDS = 60.0
"""How long to wait for another window that writes. A block of events takes a tenth of a second."""

_log = logging.getLogger(__name__)


def store_file() -> Path:
    """Return where the index is kept."""
    return home() / "store.db"


@contextmanager
def connect() -> Iterator[sqlite3.Connection]:
    """Open the index for one piece of work, in any thread, and close it.

    Connections are not shared and not kept: opening takes a millisecond, and whoever opens anew sees a file that was
    removed or made again meanwhile.
    """
    db = _open_file(store_file())
    try:
        yield db
    finally:
        db.close()


@contextmanager
def connect_in_memory() -> Iterator[sqlite3.Connection]:
    """Open an empty index that nobody else sees, where the one on disk cannot be written."""
    db = _prepared(":memory:")
    try:
        yield db
    finally:
        db.close()


def discard() -> None:
    """Remove the index, because it was found damaged; the next one to connect makes another."""
    _remove(store_file())
    _remove(_aside(store_file()))


def _open_file(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _only_opener(path):
            try:
                return _open(path)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                _log.warning("the index %s is damaged (%s) and is made again", path, error)
                _remove(path)
                return _open(path)
    except (OSError, sqlite3.OperationalError) as error:
        _log.warning("the index %s cannot be used (%s); one is made in memory", path, error)
        return _prepared(":memory:")


def _open(path: Path) -> sqlite3.Connection:
    db = _prepared(path)
    if version_of(db) > VERSION:
        # A newer program shares this folder: it keeps its file, and we keep one of our own beside it.
        db.close()
        return _prepared(_aside(path))
    return db


def _aside(path: Path) -> Path:
    return path.with_name(f"{path.stem}-{VERSION}{path.suffix}")


def _prepared(path: Path | str) -> sqlite3.Connection:
    """Connect and migrate; a newer program's file is left as it is.

    Raises:
        sqlite3.DatabaseError: The file is no database, or a damaged one.
    """
    db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        if version_of(db) <= VERSION:
            db.execute("PRAGMA journal_mode = WAL")
            # Safe against a crash of the process; what a power cut takes of the newest rows is read again.
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute("PRAGMA foreign_keys = ON")
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
