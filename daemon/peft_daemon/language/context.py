"""What is known of the world around a document, gathered before the rules run so that they do no I/O."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from peft_engine.config.document import Document

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
class ModelFact:
    """What the base model's own files say. What they do not say is None."""

    name: str
    """A short name for sentences: the hub id, or the name of the folder or file."""

    model_type: str | None = None
    """`model_type` of config.json, such as `llama`."""

    context_length: int | None = None
    """Tokens: `max_position_embeddings`, extended by RoPE scaling where the config has it."""

    modules: tuple[str, ...] | None = None
    """The full names of the modules that hold a weight matrix, as Transformers names them:
    `model.layers.0.self_attn.q_proj`. Embeddings and the head are among them; norms are not."""

    shapes: Mapping[str, tuple[int, int]] | None = None
    """Rows and columns of the weight of each of `modules`, as PyTorch has them: outputs and inputs."""

    linear: frozenset[str] | None = None
    """The last parts of the names that `all-linear` takes: `q_proj`, `down_proj`."""

    parameters: int | None = None
    weight_bytes: int | None = None
    """Bytes of the weight files."""

    stored_dtype: str | None = None
    """The number type of most weights on disk: `bfloat16`."""

    prequantized: str | None = None
    """`quant_method` of config.json's `quantization_config`: `gptq`, `awq`, `bitsandbytes`; None for plain weights."""

    has_chat_template: bool | None = None
    template_has_generation_markers: bool | None = None
    tokens: frozenset[str] | None = None
    """The special tokens of the tokenizer; None when it could not be read."""

    has_remote_code: bool = False
    """Whether config.json has an `auto_map`, so that the model comes with code of its own."""

    is_pickle: bool = False
    """Whether its weights are in a pickle file (`.bin`, `.pt`, `.pth`, `.ckpt`), which runs code when it is read."""

    revision_is_pinned: bool | None = None


@dataclass(frozen=True)
class DatasetFact:
    """What a dataset's file holds, from reading all of it or its first records."""

    records: int | None
    """None when not all of it was read."""

    format: str | None
    """The format that `auto` recognises, None when it recognises none."""

    columns: tuple[str, ...]
    problem: str | None = None
    """One sentence, when a record cannot be read."""

    problem_line: int | None = None
    duplicates: int = 0
    """Records that stand in the file more than once, beyond the first."""

    characters_p50: int | None = None
    characters_p99: int | None = None
    """Characters of a record's texts."""

    tokens_p50: int | None = None
    tokens_p99: int | None = None
    """Tokens of a record by the base model's own tokenizer; None when it could not be asked."""


@dataclass(frozen=True)
class TemplateFact:
    """What a chat template's file holds."""

    problem: str | None = None
    """One sentence, when it is no Jinja template."""

    special_tokens: frozenset[str] = frozenset()
    """The tokens of the form `<|name|>` and the like that it writes."""

    has_generation_markers: bool = False


@dataclass(frozen=True)
class HardwareFact:
    """The machine that a local run would use."""

    kind: Literal["cuda", "mps", "cpu"]
    name: str
    compute_capability: tuple[int, int] | None
    """Of the CUDA device: (8, 0) for an A100."""

    memory_bytes: int
    """Of the device that trains; the machine's own for a CPU."""

    free_disk_bytes: int
    packages: frozenset[str] | None = None
    """Of `bitsandbytes` and `flash_attn`, those that the training interpreter has; None when it was not asked."""


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
