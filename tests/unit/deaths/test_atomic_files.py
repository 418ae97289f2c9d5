"""What `write_atomic` leaves in a folder when its process is killed, and who removes it."""

import multiprocessing
import os
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from peft_engine import files
from peft_engine.files import write_atomic
from tests.unit.deaths.deaths import every_death

PATIENCE = 120
"""Seconds for a process of our own; a loaded machine was ten times slower than an idle one."""


def test_the_next_to_write_into_a_folder_removes_what_a_killed_writer_left(tmp_path: Path) -> None:
    state, notes = tmp_path / "state.json", tmp_path / "notes.json"
    write_atomic(state, "old")
    left = 0
    for _ in every_death(lambda: None, lambda _: write_atomic(state, "new"), few=100):
        assert state.read_text() in ("old", "new")
        left += len(list(tmp_path.iterdir())) > 1
        write_atomic(notes, "whole")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.json", "state.json"]
        notes.unlink()
        state.write_text("old")
    assert left, "no death left anything, so nothing was shown"


def test_what_a_living_writer_is_writing_is_left_to_it(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    processes = multiprocessing.get_context("fork")
    writing, go_on = processes.Event(), processes.Event()
    writer = processes.Process(target=_write_slowly, args=(state, writing, go_on))
    writer.start()
    assert writing.wait(PATIENCE)
    write_atomic(tmp_path / "notes.json", "whole")
    assert not state.exists()
    go_on.set()
    writer.join(PATIENCE)
    assert (writer.exitcode, state.read_text()) == (0, "slow")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.json", "state.json"]


def _write_slowly(path: Path, writing: Event, go_on: Event) -> None:
    """Stand still in the middle of a write."""
    sync = os.fsync

    def wait(descriptor: int) -> None:
        writing.set()
        assert go_on.wait(PATIENCE)
        sync(descriptor)

    files.os.fsync = wait
    write_atomic(path, "slow")


def test_a_writer_whose_part_was_taken_for_one_that_was_left_begins_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment between making a file and locking it: another sweeps just then."""
    lock, swept = files.fcntl.flock, []

    def late(file: object, operation: int) -> None:
        if not swept:
            swept.append(True)
            files._sweep(tmp_path)
        lock(file, operation)  # type: ignore[arg-type]

    monkeypatch.setattr(files.fcntl, "flock", late)
    write_atomic(tmp_path / "state.json", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
    assert (tmp_path / "state.json").read_text() == "new"


def test_files_of_others_stay_whatever_they_are_called(tmp_path: Path) -> None:
    others = [".state.json.ab12cd34", "notes.peftw-part", ".hidden"]
    for name in others:
        (tmp_path / name).write_text("theirs")
    write_atomic(tmp_path / "state.json", "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "state.json"])
