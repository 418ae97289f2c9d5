"""What our SQLite files share: all changes or none, and how an older file becomes a newer one.

`PRAGMA user_version` counts the migrations that a file has seen.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Make all changes inside or none, and let no other process write meanwhile.

    Args:
        db: A connection that begins no transactions by itself (`isolation_level=None`).
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def version_of(db: sqlite3.Connection) -> int:
    """Return how many migrations a database has seen; more than there are is a newer program's."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def migrate(db: sqlite3.Connection, migrations: Sequence[str]) -> None:
    """Apply the migrations that a database lacks, in one transaction for each.

    Several processes may do it at once: each migration is applied by one of them.

    Args:
        db: A connection that begins no transactions by itself (`isolation_level=None`).
        migrations: SQL scripts, the oldest first. None is ever changed; a new one is added.
    """
    while version_of(db) < len(migrations):
        with transaction(db):
            seen = version_of(db)
            if seen < len(migrations):
                for statement in _statements(migrations[seen]):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {seen + 1}")


def _statements(script: str) -> list[str]:
    """Cut a script into statements, because `executescript` would end the transaction."""
    statements, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line.partition("--")[0].rstrip() + "\n"
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    return statements
