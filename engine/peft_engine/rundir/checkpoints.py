"""Checkpoints: whole or absent, and provably what was written."""

import json
import os
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from peft_engine.files import fsync_dir, sha256, write_atomic
from peft_engine.rundir.directory import RunDirectory
from peft_engine.rundir.events import EventTail
from peft_schemas.events import CheckpointEvent, ResumedEvent

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

    elapsed_seconds: float
    """Time that the run had spent in training."""


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
        self._config = config_of(run)
        for leftover in self._root.glob(f"{_MAKING}*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def write(self, step: int, fill: Callable[[Path], None], *, elapsed_seconds: float = 0.0) -> Checkpoint:
        """Write a checkpoint aside, hash it, make it durable, and give it its name by one rename.

        Args:
            step: The optimizer step it was taken after.
            fill: Writes the files into the folder it is given.
            elapsed_seconds: Time that the run has spent in training.

        Raises:
            OSError: The disk is full. Nothing is left of the attempt; earlier checkpoints are untouched.
        """
        target = self.path(step)
        making = self._root / f"{_MAKING}{target.name}"
        making.mkdir(parents=True)
        try:
            fill(making)
            files = sorted(file for file in making.rglob("*") if file.is_file())
            hashes = {file.relative_to(making).as_posix(): sha256(file) for file in files}
            for file in files:
                _fsync(file)
            manifest = {
                "step": step,
                "elapsed_seconds": elapsed_seconds,
                "config": self._config,
                "sha256": hashes,
            }
            write_atomic(making / MANIFEST, json.dumps(manifest, indent=2) + "\n")
            digest = sha256(making / MANIFEST)
            making.rename(target)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
        fsync_dir(self._root)
        return Checkpoint(step, target, digest, elapsed_seconds)

    def discard_after(self, step: int) -> None:
        """Remove the checkpoints of later steps, which a run that goes on from here will come to again."""
        for path in steps_of(self._root):
            if _step(path) > step:
                self._remove(path)

    def path(self, step: int) -> Path:
        """Return where the checkpoint of a step is, or will be."""
        return step_folder(self._root, step)

    def prune(self, *, spare: Collection[int] = ()) -> None:
        """Remove all but the newest checkpoints. Call it once the newest is announced, so that one is always left.

        Args:
            spare: Steps whose checkpoints stay in any case.
        """
        for old in steps_of(self._root)[: -self._keep]:
            if _step(old) not in spare:
                self._remove(old)

    def _remove(self, path: Path) -> None:
        # Renamed first: a half-removed folder must not look like a checkpoint.
        doomed = self._root / f"{_MAKING}{path.name}"
        path.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


def step_folder(root: Path, step: int) -> Path:
    """Return where, under the folder of checkpoints, that of a step is, or will be."""
    return root / f"step-{step:06d}"


def steps_of(root: Path) -> list[Path]:
    """Return the checkpoints under a folder, whole or not, in the order of their steps."""
    return sorted((path for path in root.glob("step-*") if path.name[5:].isdigit()), key=_step)


def config_of(run: RunDirectory) -> str | None:
    """Return the hash of the config that a run's checkpoints belong to, None where there is none."""
    try:
        return sha256(run.resolved)
    except OSError:
        return None


def verify_checkpoint(path: Path, manifest_sha256: str | None = None) -> Checkpoint | None:
    """Return a checkpoint that is byte for byte what was written, else None.

    Args:
        path: Its folder.
        manifest_sha256: What was announced; None for one of which only its own manifest is known. That one must hold
            exactly the files that its own manifest names.
    """
    try:
        digest = sha256(path / MANIFEST)
        manifest = json.loads((path / MANIFEST).read_bytes())
        hashes: dict[str, str] = manifest["sha256"]
        there = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()}
        if (
            (manifest_sha256 is not None and digest != manifest_sha256)
            or manifest["step"] != _step(path)
            or there != {*hashes, MANIFEST}
            or any(sha256(path / name) != expected for name, expected in hashes.items())
        ):
            return None
        return Checkpoint(manifest["step"], path, digest, float(manifest.get("elapsed_seconds", 0.0)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def intact_checkpoints(run: RunDirectory) -> Iterator[Checkpoint]:
    """Yield the run's intact checkpoints, newest first; each is read in full to know."""
    announced, config = _announced(run), config_of(run)
    for path in reversed(steps_of(run.checkpoints)):
        digest = announced.get(path.relative_to(run.path).as_posix())
        # A crash may have kept it from being announced; then it must at least be of this run's config.
        if digest is None and _config_in(path) != config:
            continue
        checkpoint = verify_checkpoint(path, digest)
        if checkpoint is not None:
            yield checkpoint


def last_verified_checkpoint(run: RunDirectory) -> str | None:
    """Return the newest checkpoint that is intact, relative to the run directory; None when there is none."""
    newest = next(intact_checkpoints(run), None)
    return None if newest is None else newest.path.relative_to(run.path).as_posix()


def _config_in(path: Path) -> str | None:
    """Return the hash of the config that a checkpoint says it belongs to."""
    try:
        config = json.loads((path / MANIFEST).read_bytes())["config"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return config if isinstance(config, str) else None


def _announced(run: RunDirectory) -> dict[str, str]:
    """Return what the checkpoints' manifests hash to, by path, as far as it was said of those that count now."""
    announced: dict[str, tuple[int, str]] = {}
    for event in EventTail(run.events).read():
        if isinstance(event, CheckpointEvent):
            announced[event.path] = (event.step, event.sha256)
        elif isinstance(event, ResumedEvent):
            announced = {path: said for path, said in announced.items() if said[0] <= event.step}
    return {path: digest for path, (_, digest) in announced.items()}


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _fsync(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
