"""What may be known of the world around a document. It is gathered before the rules run, so that they do no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

from peft_engine.facts import DatasetFact, HardwareFact, ModelFact, TemplateFact

__all__ = [
    "DATA_SUFFIXES",
    "MODEL_SUFFIXES",
    "NOTHING_KNOWN",
    "CheckContext",
    "DatasetFact",
    "FileFact",
    "FileState",
    "HardwareFact",
    "ModelFact",
    "TemplateFact",
    "is_local_path",
]

DATA_SUFFIXES = (".csv", ".json", ".jsonl", ".txt", ".parquet")
MODEL_SUFFIXES = (".gguf", ".safetensors")

FileState = Literal["present", "folder", "empty", "missing", "unreadable", "other-kind", "elsewhere"]
"""`other-kind` is a file that is no data file; `elsewhere` is a name that no file here has, so it means the hub."""


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

    preset_fault: str | None = None
    """Why the file of that preset cannot be used."""

    preset_names: tuple[str, ...] = ()
    """All presets that the document could name."""

    model: ModelFact | None = None
    datasets: Mapping[str, DatasetFact] = field(default_factory=dict)
    """By path, as the config writes it."""

    template: TemplateFact | None = None
    """Of the file that `model.chat_template` names."""

    hardware: HardwareFact | None = None
    trackers: Mapping[str, bool] = field(default_factory=dict)
    """Whether something answers at an address of this machine that the document names, by URL."""

    today: date | None = None
    """The day on this machine's calendar."""


NOTHING_KNOWN = CheckContext()


def is_local_path(written: str, suffixes: tuple[str, ...]) -> bool:
    """Tell whether a value names a file or folder of this machine rather than something on the hub."""
    return written.startswith((".", "/", "~")) or "\\" in written or written.lower().endswith(suffixes)
