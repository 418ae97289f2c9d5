"""E34: the file outlives upgrades, readers beside a writer, a kill in the middle, and damage."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from peft_engine.library.database import LIBRARY, MIGRATIONS
from peft_engine.library.entries import list_entries
from peft_engine.library.scan import scan
from peft_engine.migrations import migrate, transaction, version_of
from tests.unit.library.layouts import write_gguf

ROW = ("/m/old.gguf", "folder", "/m", "old", None, "1", '{"format": "gguf", "size_bytes": 7}', None)
INSERT = "INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?, ?, ?, ?, ?)"

_WRITER = f"""
import os
from peft_engine.library.database import LIBRARY
from peft_engine.migrations import transaction

def work(db):
    for number in range(10**9):
        with transaction(db):
            for part in ("one", "two"):
                db.execute({INSERT!r}, (f"/m/{{part}}", "folder", "/m", f"{{part}}-{{number}}", *{ROW[4:]!r}))
        if number == 50:
            print("ready", flush=True)

LIBRARY.use(work)
"""


def test_E34_rows_of_an_older_schema_are_kept() -> None:
    LIBRARY.file().parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(LIBRARY.file(), isolation_level=None)
    migrate(db, MIGRATIONS[:1])
    db.execute(INSERT, ROW)
    db.close()

    (entry,) = list_entries()
    assert (entry.id, entry.path) == ("old", Path("/m/old.gguf"))
    assert LIBRARY.use(version_of) == len(MIGRATIONS)


def test_E34_readers_see_whole_changes_beside_a_writer() -> None:
    stop = threading.Event()

    def write() -> None:
        def work(db: sqlite3.Connection) -> None:
            number = 0
            while not stop.is_set():
                number += 1
                with transaction(db):
                    for part in ("one", "two"):
                        db.execute(INSERT, (f"/m/{part}", *ROW[1:3], str(number), *ROW[4:]))

        LIBRARY.use(work)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen: set[str] = set()
        while len(seen) < 20:
            names = [name for (name,) in LIBRARY.use(lambda db: db.execute("SELECT name FROM models").fetchall())]
            assert len(names) in (0, 2)
            assert len(set(names)) <= 1
            seen.update(names)
    finally:
        stop.set()
        writer.join()


def test_E34_a_kill_in_the_middle_of_a_write_leaves_a_readable_file() -> None:
    child = subprocess.Popen([sys.executable, "-c", _WRITER], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()

    one, two = sorted(entry.id.rpartition("-") for entry in list_entries())
    assert (one[0], two[0]) == ("one", "two")
    assert one[2] == two[2]
    assert LIBRARY.use(lambda db: db.execute("PRAGMA integrity_check").fetchone()) == ("ok",)


@pytest.mark.parametrize("damage", [b"not a database at all" * 100, b""])
def test_E34_a_damaged_file_is_made_again(machine: Path, damage: bytes) -> None:
    write_gguf(machine / ".lmstudio/models/pub/repo/tiny.gguf")
    scan()
    for suffix in ("-wal", "-shm"):
        LIBRARY.file().with_name(LIBRARY.file().name + suffix).unlink(missing_ok=True)
    LIBRARY.file().write_bytes(damage)

    assert list_entries() == []
    scan()
    assert [entry.id for entry in list_entries()] == ["pub/repo/tiny"]


def test_E34_pages_that_are_damaged_are_made_again(machine: Path) -> None:
    write_gguf(machine / ".lmstudio/models/pub/repo/tiny.gguf")
    scan()
    LIBRARY.use(lambda db: db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone())
    content = bytearray(LIBRARY.file().read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    LIBRARY.file().write_bytes(content)

    assert list_entries() == []
    scan()
    assert [entry.id for entry in list_entries()] == ["pub/repo/tiny"]


def test_E34_the_file_of_a_newer_program_is_left_alone() -> None:
    LIBRARY.use(lambda db: db.execute("PRAGMA user_version = 99").fetchone())
    assert list_entries() == []
    db = sqlite3.connect(LIBRARY.file())
    assert version_of(db) == 99
    db.close()


def test_E34_a_folder_that_cannot_be_written_still_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("PEFTW_HOME", str(blocked))
    assert list_entries() == []
