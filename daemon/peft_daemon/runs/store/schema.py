"""The tables of the index, and how an older index becomes a newer one.

Every table can be made again from the run directories. A migration that adds what older rows lack empties their
`stamp`, so that the next look at the directories reads those runs anew.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE runs (
        key INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        stamp TEXT NOT NULL DEFAULT '',        -- what the directory looked like when all of it was read
        inode INTEGER NOT NULL DEFAULT 0,      -- of events.jsonl
        offset INTEGER NOT NULL DEFAULT 0,     -- bytes of events.jsonl that were read
        mark INTEGER NOT NULL DEFAULT 0,       -- checksum of the last of those bytes
        seq INTEGER NOT NULL DEFAULT 0,        -- of the newest event that was read
        fold TEXT NOT NULL DEFAULT '{}',       -- RunFold
        summary TEXT NOT NULL DEFAULT '',      -- RunSummary
        name TEXT NOT NULL DEFAULT '',
        state TEXT NOT NULL DEFAULT '',
        base TEXT NOT NULL DEFAULT '',
        method TEXT NOT NULL DEFAULT '',
        created TEXT NOT NULL DEFAULT '',
        updated TEXT NOT NULL DEFAULT '',
        config_sha256 TEXT NOT NULL DEFAULT '',
        version TEXT,
        parent TEXT,
        pinned INTEGER NOT NULL DEFAULT 0,
        bytes INTEGER NOT NULL DEFAULT 0,
        environment TEXT NOT NULL DEFAULT '{}' -- what matters of environment.json
    );
    CREATE INDEX runs_by_created ON runs (created, id);
    CREATE INDEX runs_by_updated ON runs (updated, id);
    CREATE INDEX runs_by_name ON runs (name, created, id);
    CREATE INDEX runs_by_state ON runs (state, created, id);
    CREATE INDEX runs_by_base ON runs (base, created, id);
    CREATE INDEX runs_by_method ON runs (method, created, id);
    CREATE INDEX runs_by_version ON runs (version, created, id);
    CREATE TABLE tags (
        tag TEXT NOT NULL, run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, PRIMARY KEY (tag, run)
    ) WITHOUT ROWID;
    CREATE INDEX tags_by_run ON tags (run);
    CREATE TABLE latest (
        run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, metric TEXT NOT NULL, value REAL,
        PRIMARY KEY (run, metric)
    ) WITHOUT ROWID;
    CREATE INDEX latest_by_metric ON latest (metric, value);
    CREATE TABLE series (
        key INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
        metric TEXT NOT NULL,
        last_step INTEGER NOT NULL,
        UNIQUE (run, metric)
    );
    CREATE TABLE chunks (
        series INTEGER NOT NULL REFERENCES series ON DELETE CASCADE,
        number INTEGER NOT NULL,
        first_step INTEGER NOT NULL,
        last_step INTEGER NOT NULL,
        count INTEGER NOT NULL,
        outline BLOB NOT NULL,                 -- first, lowest, highest, last and first missing point
        PRIMARY KEY (series, number)
    ) WITHOUT ROWID;
    CREATE TABLE points (                      -- apart from chunks, so that outlines are read without them
        series INTEGER NOT NULL REFERENCES series ON DELETE CASCADE,
        number INTEGER NOT NULL,
        steps BLOB NOT NULL,
        kind TEXT NOT NULL,                    -- the type code of the values: f or d
        numbers BLOB NOT NULL,
        PRIMARY KEY (series, number)
    );
    CREATE TABLE events (                      -- all but the measurements
        run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        type TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (run, seq)
    ) WITHOUT ROWID;
    CREATE TABLE artifacts (                   -- whether they are still there is asked of the disk
        run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
        path TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        PRIMARY KEY (run, path)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE costs (                       -- what a run took, as far as it was measured
        run INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
        seconds REAL,
        tokens REAL,
        energy_joules REAL
    );
    UPDATE runs SET stamp = '';
    """,
    """
    UPDATE runs SET stamp = '';              -- their summaries lack the notes
    """,
    """
    ALTER TABLE runs ADD COLUMN charted INTEGER NOT NULL DEFAULT 1; -- 0: the series have yet to be read
    """,
    """
    UPDATE runs SET stamp = '';              -- their summaries lack the trackers
    """,
)
"""`PRAGMA user_version` counts how many of them a file has seen. None is ever changed; a new one is added."""


def insert(db: sqlite3.Connection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows that give every column of a table.

    Args:
        db: In a transaction of the caller.
        table: One of ours.
        rows: All of the same length.
    """
    if rows:
        places = ", ".join("?" * len(rows[0]))
        db.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608
