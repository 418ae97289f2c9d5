"""The file in which the library is remembered: the models' own files and the definition files are the truth."""

from peft_engine.databases import Index

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

LIBRARY = Index("library.db", MIGRATIONS)
