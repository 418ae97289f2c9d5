"""Looking for models, and remembering what there is. Only files that changed since the last time are read."""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from peft_engine.library.bounds import library_bounds
from peft_engine.library.database import LIBRARY
from peft_engine.library.facts import NoBase, folder_facts, gguf_facts, gguf_parts
from peft_engine.library.layouts import Found, find_models
from peft_engine.library.places import Place, places
from peft_engine.library.walk import Walk
from peft_engine.migrations import transaction
from peft_schemas.errors import WorkbenchError
from peft_schemas.library import ModelFacts

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Row:
    path: str
    source: str
    root: str
    name: str
    base: str | None
    stamp: str
    facts: str | None
    problem: str | None


def scan(cancelled: Callable[[], bool] = lambda: False) -> bool:
    """Bring the library up to what is on the disk. May take as long as the limits allow: call it in a thread.

    Args:
        cancelled: Asked again and again; what was seen until it is true is kept.

    Returns:
        Whether anything has changed.

    Raises:
        WorkbenchError: The user's settings cannot be read (`config-invalid`).
    """
    looked = places()
    known = LIBRARY.use(_known)
    changes = [_scan_place(place, known, cancelled) for place in looked]
    roots = {str(place.folder) for place in looked}
    lost = [row.path for row in known.values() if row.root not in roots]
    gone = [*lost, *(path for _, paths in changes for path in paths)]
    rows = [row for written, _ in changes for row in written]
    if rows or gone:
        LIBRARY.use(lambda db: _write(db, rows, gone))
    return bool(rows or gone)


async def scan_in_thread() -> bool:
    """Scan beside the event loop. When the task is cancelled, the scan ends, too, and what it saw is kept.

    Returns:
        Whether anything has changed.

    Raises:
        WorkbenchError: The user's settings cannot be read (`config-invalid`).
    """
    stop = threading.Event()
    try:
        return await asyncio.to_thread(scan, stop.is_set)
    finally:
        stop.set()


def _known(db: sqlite3.Connection) -> dict[str, _Row]:
    rows = db.execute("SELECT path, source, root, name, base, stamp, facts, problem FROM models")
    return {row[0]: _Row(*row) for row in rows}


def _scan_place(place: Place, known: dict[str, _Row], cancelled: Callable[[], bool]) -> tuple[list[_Row], list[str]]:
    """Return the rows of models that are new or changed, and the paths of those that are gone."""
    limits = library_bounds().scan
    walk = Walk(place.folder, limits, cancelled)
    rows: list[_Row] = []
    seen: set[str] = set()
    for found in _distinct(find_models(place.layout, walk)):
        if len(seen) >= limits.models:
            walk.complete = False
            break
        seen.add(str(found.path))
        row = _row(place, found, known.get(str(found.path)))
        if row is not None:
            rows.append(row)
    if not walk.complete:
        _log.warning("%s was not looked through to its end", place.folder)
        return rows, []
    return rows, [row.path for row in known.values() if row.root == str(place.folder) and row.path not in seen]


def _distinct(models: Iterator[Found]) -> Iterator[Found]:
    """Yield each path once: two names of Ollama's may mean one blob."""
    seen: set[Path] = set()
    for found in models:
        if found.path not in seen:
            seen.add(found.path)
            yield found


def _row(place: Place, found: Found, known: _Row | None) -> _Row | None:
    """Return what is to be written of a model, None when all is as it was."""
    stamp = _stamp(found.path)
    same = (str(place.folder), found.id, stamp)
    if known is not None and (known.root, known.name, known.stamp) == same:
        return None
    facts, problem = None, None
    try:
        facts = model_facts(found.path).model_dump_json()
    except NoBase:
        pass
    except WorkbenchError as error:
        problem = error.report().model_dump_json()
    return _Row(str(found.path), place.source, str(place.folder), found.id, found.base, stamp, facts, problem)


def model_facts(path: Path) -> ModelFacts:
    """Return what a base's files say, be it a file or a folder.

    Raises:
        WorkbenchError: They cannot be used; `NoBase` when they are sound but not those of a base model.
    """
    return folder_facts(path) if path.is_dir() else gguf_facts(path)


def _stamp(path: Path) -> str:
    """Return a text that changes when a model's files do."""
    files = sorted(path.iterdir()) if path.is_dir() else gguf_parts(path)
    parts = []
    for file in files:
        try:
            stat = file.stat()
        except OSError:
            parts.append("-")
        else:
            parts.append(f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ino}")
    return " ".join(parts)


def _write(db: sqlite3.Connection, rows: list[_Row], gone: list[str]) -> None:
    with transaction(db):
        db.executemany("DELETE FROM models WHERE path = ?", [(path,) for path in gone])
        db.executemany(
            "INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(row.path, row.source, row.root, row.name, row.base, row.stamp, row.facts, row.problem) for row in rows],
        )
