"""Checkpoints: whole or absent, and provably what was written."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from peft_engine.files import fsync_dir, sha256, write_atomic
from peft_engine.rundir.directory import RunDirectory
from peft_engine.rundir.events import EventTail
from peft_schemas.events import CheckpointEvent

MANIFEST = "manifest.json"
"""The file in a checkpoint that holds the hash of every other."""

_MAKING = ".making-"


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on disk."""

    step: int
    path: Path
    sha256: str
    """Of its manifest."""


class CheckpointStore:
    """The writer of a run's checkpoints: `checkpoints/step-000050/`."""

    def __init__(self, run: RunDirectory, keep: int) -> None:
        """Remove what a killed predecessor left half-written.

        Args:
            run: The run.
            keep: How many of the newest checkpoints `prune` leaves.
        """
        self._root = run.checkpoints
        self._keep = keep
        for leftover in self._root.glob(f"{_MAKING}*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def write(self, step: int, fill: Callable[[Path], None]) -> Checkpoint:
        """Write a checkpoint aside, hash it, make it durable, and give it its name by one rename.

        Args:
            step: The optimizer step it was taken after.
            fill: Writes the files into the folder it is given.

        Raises:
            OSError: The disk is full. Nothing is left of the attempt; earlier checkpoints are untouched.
        """
        name = self.path(step).name
        making = self._root / f"{_MAKING}{name}"
        making.mkdir(parents=True)
        try:
            fill(making)
            files = sorted(file for file in making.rglob("*") if file.is_file())
            hashes = {file.relative_to(making).as_posix(): sha256(file) for file in files}
            for file in files:
                _fsync(file)
            write_atomic(making / MANIFEST, json.dumps({"step": step, "sha256": hashes}, indent=2) + "\n")
            digest = sha256(making / MANIFEST)
            making.rename(self.path(step))
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
        fsync_dir(self._root)
        return Checkpoint(step, self.path(step), digest)

    def path(self, step: int) -> Path:
        """Return where the checkpoint of a step is, or will be."""
        return self._root / f"step-{step:06d}"

    def prune(self, *, spare: int | None = None) -> None:
        """Remove all but the newest checkpoints. Call it once the newest is announced, so that one is always left.

        Args:
            spare: A step whose checkpoint stays in any case.
        """
        for old in sorted(self._root.glob("step-*"))[: -self._keep]:
            if spare is not None and old == self.path(spare):
                continue
            # Renamed first: a half-removed folder must not look like a checkpoint.
            doomed = self._root / f"{_MAKING}{old.name}"
            old.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)


def verify_checkpoint(path: Path, manifest_sha256: str) -> bool:
    """Tell whether a checkpoint is byte for byte what was announced with that hash."""
    try:
        if sha256(path / MANIFEST) != manifest_sha256:
            return False
        hashes: dict[str, str] = json.loads((path / MANIFEST).read_bytes())["sha256"]
        return all(sha256(path / name) == expected for name, expected in hashes.items())
    except (OSError, ValueError, KeyError):
        return False


def last_verified_checkpoint(run: RunDirectory) -> str | None:
    """Return the newest announced checkpoint that is intact, relative to the run directory; None when there is none."""
    announced = [event for event in EventTail(run.events).read() if isinstance(event, CheckpointEvent)]
    intact = (event.path for event in reversed(announced) if verify_checkpoint(run.path / event.path, event.sha256))
    return next(intact, None)


def _fsync(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
