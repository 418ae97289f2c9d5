"""The files that a document names, and those it could name instead."""

import os
import stat
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from peft_daemon.language.context import DATA_SUFFIXES, MODEL_SUFFIXES, FileFact, is_local_path
from peft_daemon.language.world.named import Named

_ANY = ("",)
"""For a file whose name may end in anything."""

_PRESENT = FileFact("present")

_MAX_SIBLINGS = 200
"""Names looked at in a folder when a file is missing, to find one that was meant."""

_MAX_PATHS = 2000
"""Paths looked at for one document. A look takes microseconds."""


def data_files(folder: Path) -> tuple[str, ...]:
    """Return the data files that lie in a folder or in its folder `data`, as a config there would write them."""
    return (*_files(folder, folder, DATA_SUFFIXES), *_files(folder, folder / "data", DATA_SUFFIXES))


def file_facts(folder: Path, named: Named, known: Mapping[str, FileFact]) -> dict[str, FileFact]:
    """Return what stands where a document points, by the paths as they are written.

    Args:
        folder: The folder that relative paths count from.
        named: What the document names.
        known: What was seen in that folder a moment ago.
    """
    wanted: dict[str, tuple[str, ...]] = dict.fromkeys(islice(named.by_path, _MAX_PATHS), DATA_SUFFIXES)
    if named.base is not None and is_local_path(named.base, MODEL_SUFFIXES):
        wanted[named.base] = MODEL_SUFFIXES
    if named.template is not None:
        wanted[named.template] = _ANY
    siblings: dict[Path, tuple[str, ...]] = {}
    return {
        written: known.get(written) or _look(folder, written, suffixes, siblings)
        for written, suffixes in wanted.items()
    }


def _look(folder: Path, written: str, suffixes: tuple[str, ...], siblings: dict[Path, tuple[str, ...]]) -> FileFact:
    # Strings, because there may be thousands: a Path of each would take longer than the look itself.
    expanded = os.path.expanduser(written) if written.startswith("~") else written  # noqa: PTH111
    place = os.path.join(folder, expanded)  # noqa: PTH118
    try:
        found = os.stat(place)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError, ValueError):
        if suffixes is _ANY or is_local_path(written, suffixes):
            return FileFact("missing", _alternatives(folder, Path(place), suffixes, siblings))
        return FileFact("elsewhere")
    except OSError:
        return FileFact("unreadable")
    if stat.S_ISDIR(found.st_mode):
        return FileFact("folder")
    if not stat.S_ISREG(found.st_mode) or not os.access(place, os.R_OK):
        return FileFact("unreadable")
    if found.st_size == 0:
        return FileFact("empty")
    return _PRESENT if place.lower().endswith(suffixes) else FileFact("other-kind")


def _alternatives(
    folder: Path, missing: Path, suffixes: tuple[str, ...], siblings: dict[Path, tuple[str, ...]]
) -> tuple[str, ...]:
    """Return the files beside a missing one, or beside the config when even the folder is missing."""
    if suffixes is _ANY:
        return ()
    try:
        parent = missing.parent if missing.parent.is_dir() else folder
    except (OSError, ValueError):
        return ()
    if parent not in siblings:
        siblings[parent] = _files(folder, parent, suffixes)
    return siblings[parent]


def _files(folder: Path, parent: Path, suffixes: tuple[str, ...]) -> tuple[str, ...]:
    names = []
    try:
        with os.scandir(parent) as entries:
            for entry in islice(entries, _MAX_SIBLINGS):
                if entry.name.lower().endswith(suffixes) and not entry.name.startswith(".") and entry.is_file():
                    names.append(entry.name)
    except OSError:
        return ()
    shown = Path(os.path.relpath(parent, folder)) if parent.is_relative_to(folder) else parent
    return tuple(sorted((shown / name).as_posix() for name in names))
