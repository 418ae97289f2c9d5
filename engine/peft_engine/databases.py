"""Our SQLite files, opened whatever state they are in.

Most of them are an `Index`: what they hold can be read again from elsewhere, so a damaged one is removed and made anew.
One that is not is opened by `open_database`, and its owner decides what becomes of it.
"""

import fcntl
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from peft_engine.home import home
from peft_engine.migrations import migrate, version_of

_BUSY_SECONDS = 60.0
"""How long to wait for another process that writes, which takes a tenth of a second at most."""

_log = logging.getLogger(__name__)

Result = TypeVar("Result")


class NewerDatabase(Exception):
    """A file was written by a newer version of the program; it was left as it is."""


def open_database(path: Path | str, migrations: Sequence[str], *pragmas: str) -> sqlite3.Connection:
    """Connect to a file, which is made where there is none, and migrate it.

    Args:
        path: The file, or `:memory:`.
        migrations: All that there are, the oldest first.
        pragmas: Settings of the connection beside those that all our files have.

    Raises:
        NewerDatabase: A newer version of the program wrote it.
        sqlite3.OperationalError: It cannot be used now: its folder cannot be written, the disk is full.
        sqlite3.DatabaseError: It is no database, or a damaged one.
    """
    db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        if version_of(db) > len(migrations):
            raise NewerDatabase
        for pragma in ("journal_mode = WAL", "foreign_keys = ON", *pragmas):
            db.execute(f"PRAGMA {pragma}")
        migrate(db, migrations)
    except BaseException:
        db.close()
        raise
    return db


def database_files(path: Path) -> list[Path]:
    """Return a database's file and those that SQLite puts beside it, whether they are there or not."""
    return [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]


@contextmanager
def only_opener(path: Path) -> Iterator[None]:
    """Hold off other processes while a file may be made, or made again.

    Raises:
        OSError: Its folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Index:
    """A file in the state folder of which nothing is lost with it.

    A newer program's file is left alone, and one of our own kept beside it; where none can be written, the index is
    made in memory for one piece of work.
    """

    def __init__(self, name: str, migrations: Sequence[str]) -> None:
        """Remember what it is called and how it came to its present form."""
        self._name = name
        self._migrations = migrations

    def file(self) -> Path:
        """Return where it is kept."""
        return home() / self._name

    def use(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do something with the index, whatever becomes of it on the way.

        A full disk is when one most wants to see what there is: then it is done in memory. A file that turns out to be
        damaged is made again, once.
        """
        try:
            with self.connect() as db:
                return work(db)
        except sqlite3.OperationalError as error:
            _log.warning("%s cannot be used now (%s); what is needed is made in memory", self.file(), error)
            with self.in_memory() as db:
                return work(db)
        except sqlite3.DatabaseError as error:
            _log.warning("%s is damaged (%s) and is made again", self.file(), error)
            self.discard()
            with self.connect() as db:
                return work(db)

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """Open it for one piece of work, in any thread, and close it.

        Connections are not shared and not kept: opening takes a millisecond, and whoever opens anew sees a file that
        was removed or made again meanwhile.
        """
        path = self.file()
        try:
            with only_opener(path):
                db = self._open(path)
        except (OSError, sqlite3.OperationalError) as error:
            _log.warning("%s cannot be used (%s); what is needed is made in memory", path, error)
            db = self._prepared(":memory:")
        try:
            yield db
        finally:
            db.close()

    @contextmanager
    def in_memory(self) -> Iterator[sqlite3.Connection]:
        """Open an empty one that nobody else sees."""
        db = self._prepared(":memory:")
        try:
            yield db
        finally:
            db.close()

    def discard(self) -> None:
        """Remove it; the next one to connect makes another."""
        _remove(self.file())
        _remove(self._aside(self.file()))

    def _open(self, path: Path) -> sqlite3.Connection:
        try:
            return self._sound(path)
        except NewerDatabase:
            return self._sound(self._aside(path))

    def _sound(self, path: Path) -> sqlite3.Connection:
        try:
            return self._prepared(path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            _log.warning("%s is damaged (%s) and is made again", path, error)
            _remove(path)
            return self._prepared(path)

    def _aside(self, path: Path) -> Path:
        return path.with_name(f"{path.stem}-{len(self._migrations)}{path.suffix}")

    def _prepared(self, path: Path | str) -> sqlite3.Connection:
        # Safe against a crash of the process; what a power cut takes of the newest rows is read again.
        return open_database(path, self._migrations, "synchronous = NORMAL")


def _remove(path: Path) -> None:
    for file in database_files(path):
        file.unlink(missing_ok=True)
