"""A whole experiment as one file: config, measurements, notes, environment, version, result and the hash of each.

A bundle is a gzipped tar or a zip whose first entry, `bundle.json`, lists the others. What reads one believes nothing
that the list does not say: no other name, no other length, no other hash, and only plain files in a folder of our own.
"""

import errno
import hashlib
import io
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeVar

from pydantic import ValidationError

from peft_daemon.language.rules.secrets import find_secrets
from peft_daemon.runs.archives import DAMAGE, ENDINGS, PIECE, Content, reading, writing
from peft_daemon.runs.copies import record_copy
from peft_daemon.runs.judge import settle
from peft_daemon.system_errors import FULL
from peft_engine.cancelling import Cancelled
from peft_engine.files import fsync_dir, stamp
from peft_engine.home import runs_dir
from peft_engine.rundir import RunDirectory, create_run_directory
from peft_engine.rundir.directory import is_run_id, now
from peft_engine.versions import adopt_version
from peft_schemas.base import Word
from peft_schemas.errors import WorkbenchError
from peft_schemas.events import FINAL_STATES, StateFile
from peft_schemas.records import BundleFile, BundleManifest

Known = TypeVar("Known", bound=Word)

_MANIFEST = "bundle.json"
_RECORDS = (
    "config.peft.yaml",
    "config.resolved.json",
    "environment.json",
    "events.jsonl",
    "state.json",
    "notes.json",
    "version.json",
    "manifest.json",
    "worker.log",
)
_RESULTS = ("adapter", "adapter.gguf", "merged", "model")
_CHECKPOINTS = "checkpoints"
_IMPORTING = ".importing-"
_LEFT_BEHIND = 86_400.0
"""Seconds after which nobody unpacks into a folder any more."""

_LARGEST_MANIFEST = 64 << 20
"""Bytes. A list of a hundred thousand files takes a quarter of it."""

_PLAIN = re.compile(r"[^\\:\x00-\x1f]+\Z")
"""A name that means the same on every system."""

_TEXTS = frozenset({".json", ".jsonl", ".yaml", ".yml", ".log", ".txt", ".jinja", ".md"})
"""What may hold a key to some service because a person or a library wrote it there; weights cannot."""


def export_run(
    run: RunDirectory,
    target: Path,
    *,
    checkpoints: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
) -> BundleManifest:
    """Write an experiment that has ended to a new file, `.tar.gz`, `.tgz` or `.zip`.

    Args:
        run: The run.
        target: The file, which must not exist.
        checkpoints: Take the checkpoints along.
        cancelled: Asked before each piece that is read.

    Raises:
        Cancelled: `cancelled` said so; no file was written.
        WorkbenchError: The run has not ended (`run-active`); the file exists, has another ending, or a file of the run
            holds what looks like a key to some service, or the folder cannot be written (`bundle-invalid`); the disk
            is full (`disk-full`). Nothing is left behind.
    """
    if settle(run).state not in FINAL_STATES:
        message = f"Run {run.id} has not ended, so it cannot be exported."
        raise WorkbenchError("run-active", message, f"End it with `peftw runs stop {run.id}` first.")
    if not target.name.endswith(ENDINGS):
        raise _invalid(f"The ending of {target.name} is none that is known.", "End the name in .tar.gz or .zip.")
    if stamp(target) is not None:
        raise _invalid(f"{target} exists already.", "Choose another name or remove it.")
    parts = (*_RECORDS, *_RESULTS, *([_CHECKPOINTS] if checkpoints else []))
    paths = [file for part in parts for file in _files(run.path / part)]
    for path in paths:
        _refuse_secrets(path, cancelled)
    files = [
        BundleFile(
            path=path.relative_to(run.path).as_posix(), bytes=path.stat().st_size, sha256=_hash_of(path, cancelled)
        )
        for path in paths
    ]
    manifest = BundleManifest(format=1, run_id=run.id, name=run.read_state().name, exported=now(), files=files)
    making = target.with_name(f".{target.name}.making")
    try:
        with writing(making, target.name) as bundle:
            text = manifest.model_dump_json(indent=2).encode()
            bundle.add(_MANIFEST, len(text), io.BytesIO(text))
            for file, path in zip(files, paths, strict=True):
                with path.open("rb") as content:
                    bundle.add(file.path, file.bytes, _Wanted(content, cancelled))
        making.rename(target)
        fsync_dir(target.absolute().parent)
    except OSError as error:
        raise _unwritten(target, error) from error
    finally:
        with suppress(OSError):
            making.unlink(missing_ok=True)
    # Where the run's own disk is full, which may be why it is exported, only a rule of clean-up remains unaware of it.
    with suppress(OSError):
        record_copy(run, target)
    return manifest


def import_run(source: Path, *, cancelled: Callable[[], bool] = lambda: False) -> RunDirectory:
    """Bring an experiment in; it keeps its id where that is free, and gets the next of its name where it is not.

    Args:
        source: What `export_run` wrote.
        cancelled: Asked before each piece that is read.

    Raises:
        Cancelled: `cancelled` said so; nothing is left behind.
        WorkbenchError: The file is damaged or holds what no bundle may (`bundle-invalid`), or there is no room
            (`disk-full`). Nothing is left behind.
    """
    if not source.is_file():
        raise _invalid(f"There is no file {source}.", "Name a file that `peftw runs export` wrote.")
    making = _fresh_folder()
    try:
        with reading(source) as entries:
            manifest = _unpack(entries, making, cancelled)
        state = _state_of(making, manifest)
        return _place(making, manifest, state)
    except _OtherVersion as error:
        raise _invalid(
            f"{source} was exported by another version of PEFT Workbench: {error}.",
            "Use the same version here and there, the newer one if you can, and export it again.",
        ) from error
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise WorkbenchError(
                "disk-full", f"There is no room to unpack {source}.", "Free some space, and import it again."
            ) from error
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise _invalid(f"{source} cannot be read as an exported experiment: {reason}.") from error
    finally:
        shutil.rmtree(making, ignore_errors=True)


class _OtherVersion(Exception):
    """The bundle has a form that this version does not know."""


def _parsed(model: type[Known], text: bytes, what: str) -> Known:
    """Read a part of a bundle that another version of ours may have written.

    Raises:
        ValueError: It is damaged, or nobody's.
        _OtherVersion: It says more than this version knows.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        if unknown := [fault for fault in faults if fault["type"] == "extra_forbidden" or fault["loc"] == ("format",)]:
            raise _OtherVersion(f"{what} has a `{unknown[0]['loc'][-1]}` that is not known here") from error
        raise ValueError(f"{what} is not what it should be") from error


class _Wanted:
    """A file that is read only as long as the caller wants what comes of it."""

    def __init__(self, content: Content, cancelled: Callable[[], bool]) -> None:
        self._content = content
        self._cancelled = cancelled

    def read(self, size: int = -1, /) -> bytes:
        if self._cancelled():
            raise Cancelled
        return self._content.read(size)


def _hash_of(path: Path, cancelled: Callable[[], bool]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        content = _Wanted(file, cancelled)
        while piece := content.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _fresh_folder() -> Path:
    """Make a folder to unpack into, and remove those that imports which were killed left behind."""
    root = runs_dir()
    root.mkdir(parents=True, exist_ok=True)
    for leftover in root.glob(f"{_IMPORTING}*"):
        if time.time() - leftover.stat().st_mtime > _LEFT_BEHIND:
            shutil.rmtree(leftover, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=_IMPORTING, dir=root))


def _files(part: Path) -> Iterator[Path]:
    """Yield the plain files of a part of a run; what is linked from elsewhere is no part of it."""
    if part.is_symlink():
        return
    if part.is_file():
        yield part
    elif part.is_dir():
        yield from (file for file in sorted(part.rglob("*")) if file.is_file() and not file.is_symlink())


def _refuse_secrets(path: Path, cancelled: Callable[[], bool]) -> None:
    if path.suffix not in _TEXTS:
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for at, line in enumerate(lines, 1):
            if cancelled():
                raise Cancelled
            for kind, _, _ in find_secrets(line):
                raise _invalid(
                    f"{path}, line {at}, holds what looks like {kind}, so the run is not exported.",
                    "Revoke that key, take it out of the file, and export again.",
                )


def _unpack(entries: "Iterator[tuple[str, IO[bytes]]]", folder: Path, cancelled: Callable[[], bool]) -> BundleManifest:
    """Write the files of a bundle under a folder, having held each against the list.

    Raises:
        ValueError: The bundle is not what its list says.
    """
    first = next(entries, None)
    if first is None or first[0] != _MANIFEST:
        raise ValueError(f"it does not begin with {_MANIFEST}")
    text = first[1].read(_LARGEST_MANIFEST + 1)
    if len(text) > _LARGEST_MANIFEST:
        raise ValueError(f"{_MANIFEST} is too long")
    manifest = _parsed(BundleManifest, text, _MANIFEST)
    if not is_run_id(manifest.run_id) or manifest.run_id.rpartition("-")[0] != manifest.name:
        raise ValueError("its run has an id that no run has")
    awaited = {file.path: file for file in manifest.files}
    if len(awaited) != len(manifest.files):
        raise ValueError(f"{_MANIFEST} names a file twice")
    for name in awaited:
        _refuse_path(name)
    if sum(file.bytes for file in manifest.files) > shutil.disk_usage(folder).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    for name, content in entries:
        file = awaited.pop(name, None)
        if file is None:
            raise ValueError(f"{name!r} is not in its list, or there twice")
        _copy(_Wanted(content, cancelled), folder / name, file)
    if awaited:
        raise ValueError(f"{min(awaited)} is missing")
    return manifest


def _refuse_path(name: str) -> None:
    """See that a name is one of those that we write.

    Raises:
        ValueError: It is not.
    """
    parts = name.split("/")
    plain = all(part not in ("", ".", "..") and _PLAIN.match(part) for part in parts)
    if not plain or not (name in _RECORDS or parts[0] in (*_RESULTS, _CHECKPOINTS)):
        raise ValueError(f"{name!r} is no file of a run")


def _copy(content: Content, target: Path, file: BundleFile) -> None:
    """Write one file, and stop as soon as it is longer than the list says: a bomb unpacks no further than that."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, left = hashlib.sha256(), file.bytes
    with target.open("xb") as out:
        while piece := content.read(PIECE):
            left -= len(piece)
            if left < 0:
                break
            digest.update(piece)
            out.write(piece)
    if left or digest.hexdigest() != file.sha256:
        raise ValueError(f"{file.path} is not the file that was exported")


def _state_of(folder: Path, manifest: BundleManifest) -> StateFile:
    """Return the state that the bundle brings.

    Raises:
        ValueError: There is none, or it is not that of a run that has ended.
    """
    try:
        text = (folder / "state.json").read_bytes()
    except OSError as error:
        raise ValueError("it brings no state") from error
    state = _parsed(StateFile, text, "state.json")
    if state.state not in FINAL_STATES or (state.run_id, state.name) != (manifest.run_id, manifest.name):
        raise ValueError("its state is not that of a run that has ended")
    return state


def _place(making: Path, manifest: BundleManifest, state: StateFile) -> RunDirectory:
    """Give the unpacked folder its id."""
    run = _claim(manifest)
    try:
        # The worker's process was another machine's.
        ours = state.model_copy(update={"run_id": run.id, "pid": None, "started": None})
        RunDirectory(making).write_state(ours)
        making.chmod(run.path.stat().st_mode)
        # Over the empty folder that claimed the id: a run that is seen is whole.
        making.rename(run.path)
        adopt_version(run)
    except BaseException:
        shutil.rmtree(run.path, ignore_errors=True)
        raise
    return run


def _claim(manifest: BundleManifest) -> RunDirectory:
    path = runs_dir() / manifest.run_id
    try:
        path.mkdir()
    except FileExistsError:
        return create_run_directory(manifest.name)
    return RunDirectory(path)


def _unwritten(target: Path, error: OSError) -> WorkbenchError:
    if error.errno in FULL:
        return WorkbenchError(
            "disk-full",
            f"There is no room to write {target}.",
            "Free some space, or name a file on another disk, and export it again.",
        )
    return _invalid(
        f"{target} could not be written: {error.strerror}.", "Name a file in a folder that exists and that you may use."
    )


def _invalid(message: str, remedy: str = "Export it again, with `peftw runs export`.") -> WorkbenchError:
    return WorkbenchError("bundle-invalid", message, remedy)
