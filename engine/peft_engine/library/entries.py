"""What the last scan found, each base under an id of its own."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from peft_engine.library.database import LIBRARY
from peft_engine.migrations import transaction
from peft_schemas.errors import ErrorReport
from peft_schemas.library import ModelFacts, ModelSource


@dataclass(frozen=True)
class Entry:
    """A base that was found on this machine. Either `facts` or `problem` is set."""

    id: str
    path: Path
    source: ModelSource
    base: str | None
    """What `model.base` of a config would be to train it; None where it has no such form."""

    facts: ModelFacts | None
    problem: ErrorReport | None


_FOUND = """
    SELECT path, source, name, base, facts, problem FROM models
    WHERE (facts IS NOT NULL OR problem IS NOT NULL) AND path NOT IN (SELECT path FROM forgotten)
    ORDER BY path
"""


def list_entries() -> list[Entry]:
    """Return what the last scan found, by id, without what was forgotten."""
    rows = LIBRARY.use(lambda db: db.execute(_FOUND).fetchall())
    found: dict[str, Entry] = {}
    for path, source, name, base, facts, problem in rows:
        entry_id = _free_id(name, source, found)
        found[entry_id] = Entry(
            entry_id,
            Path(path),
            source,
            base,
            None if facts is None else ModelFacts.model_validate_json(facts),
            None if problem is None else ErrorReport.model_validate_json(problem),
        )
    return sorted(found.values(), key=lambda entry: entry.id)


def forget(path: Path) -> None:
    """Leave a model out from now on. Its files stay, and adding it brings it back."""

    def work(db: sqlite3.Connection) -> None:
        with transaction(db):
            db.execute("INSERT OR IGNORE INTO forgotten VALUES (?)", (str(path),))

    LIBRARY.use(work)


def recall(path: Path) -> bool:
    """Bring a model that was forgotten back; tell whether it was."""

    def work(db: sqlite3.Connection) -> bool:
        with transaction(db):
            return db.execute("DELETE FROM forgotten WHERE path = ?", (str(path),)).rowcount > 0

    return LIBRARY.use(work)


def _free_id(name: str, source: str, taken: dict[str, Entry]) -> str:
    """Return an id that nobody has: two tools may each keep a model of one name."""
    if name not in taken:
        return name
    free, number = f"{source}/{name}", 2
    while free in taken:
        free, number = f"{source}/{name}-{number}", number + 1
    return free
