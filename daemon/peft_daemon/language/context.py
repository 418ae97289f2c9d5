"""What is known of the world around a document, gathered before the rules run so that they do no I/O."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from peft_engine.config.document import Document
from peft_engine.facts import DatasetFact, HardwareFact, ModelFact, TemplateFact

__all__ = [
    "CheckContext",
    "DatasetFact",
    "FileFact",
    "HardwareFact",
    "ModelFact",
    "TemplateFact",
]

DATA_SUFFIXES = (".csv", ".json", ".jsonl", ".txt", ".parquet")
MODEL_SUFFIXES = (".gguf", ".safetensors")

FileState = Literal["present", "folder", "empty", "missing", "unreadable", "other-kind", "elsewhere"]
"""`other-kind` is a file that is no data file; `elsewhere` is a name that no file here has, so it means the hub."""

_MAX_SIBLINGS = 200
"""Names looked at in a folder when a file is missing, to find one that was meant."""

_MAX_PATHS = 200
"""Paths looked at for one document."""


@dataclass(frozen=True)
class FileFact:
    """What stands on disk where a config points."""

    state: FileState
    alternatives: tuple[str, ...] = ()
    """Paths, written as the config would, of the data files beside a missing one."""


@dataclass(frozen=True)
class CheckContext:
    """What the rules may know. A rule that finds nothing here about its subject stays silent."""

    folder: Path | None = None
    """The folder that relative paths count from."""

    files: Mapping[str, FileFact] = field(default_factory=dict)
    """Local paths as the config writes them."""

    data_files: tuple[str, ...] = ()
    """Data files in the folder and its folder `data`, as a config there would write them."""

    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The values of the preset that the document names, when there is one of that name."""

    preset_names: tuple[str, ...] = ()
    """All presets that the document could name."""

    model: ModelFact | None = None
    datasets: Mapping[str, DatasetFact] = field(default_factory=dict)
    """By path, as the config writes it."""

    template: TemplateFact | None = None
    """Of the file that `model.chat_template` names."""

    hardware: HardwareFact | None = None


NOTHING_KNOWN = CheckContext()


def gather(document: Document, path: Path | None) -> CheckContext:
    """Look at the files that a document names.

    Args:
        document: The document.
        path: Its own file, which need not exist; None for a document without a place on disk.
    """
    if path is None:
        return NOTHING_KNOWN
    folder = path.absolute().parent
    facts: dict[str, FileFact] = {}
    for written, suffixes in _named_paths(document.to_plain()):
        if written not in facts and len(facts) < _MAX_PATHS:
            facts[written] = _look(folder, written, suffixes)
    return CheckContext(folder, facts, data_files(folder))


def data_files(folder: Path) -> tuple[str, ...]:
    """Return the data files that lie in a folder or in its folder `data`."""
    return (*_files(folder, folder, DATA_SUFFIXES), *_files(folder, folder / "data", DATA_SUFFIXES))


def is_local_path(written: str, suffixes: tuple[str, ...]) -> bool:
    """Tell whether a value names a file or folder of this machine rather than something on the hub."""
    return written.startswith((".", "/", "~")) or "\\" in written or written.lower().endswith(suffixes)


def _named_paths(values: Any) -> list[tuple[str, tuple[str, ...]]]:
    found: list[tuple[str, tuple[str, ...]]] = []
    if not isinstance(values, dict):
        return found
    model, datasets = values.get("model"), values.get("datasets")
    base = model.get("base") if isinstance(model, dict) else None
    if isinstance(base, str) and is_local_path(base, MODEL_SUFFIXES):
        found.append((base, MODEL_SUFFIXES))
    for dataset in datasets if isinstance(datasets, list) else []:
        path = dataset.get("path") if isinstance(dataset, dict) else None
        if isinstance(path, str) and path:
            found.append((path, DATA_SUFFIXES))
    return found


def _look(folder: Path, written: str, suffixes: tuple[str, ...]) -> FileFact:
    try:
        place = folder / Path(written).expanduser()
        if place.is_dir():
            return FileFact("folder")
        if place.is_file():
            kind: FileState = "present" if place.suffix.lower() in suffixes else "other-kind"
            return FileFact("empty" if place.stat().st_size == 0 else kind)
        if not is_local_path(written, suffixes):
            return FileFact("elsewhere")
        return FileFact("missing", _alternatives(folder, place, suffixes))
    except (OSError, ValueError, RuntimeError):
        return FileFact("unreadable")


def _alternatives(folder: Path, missing: Path, suffixes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the files beside a missing one, or beside the config when even the folder is missing."""
    return _files(folder, missing.parent if missing.parent.is_dir() else folder, suffixes)


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
