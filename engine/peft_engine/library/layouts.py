"""How other tools arrange the models that they keep. What is found has been looked at by its name alone."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft_engine.library.bounds import Layout
from peft_engine.library.walk import Walk, is_below
from peft_engine.models.formats.genai import CONFIG

_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-\d{5}", re.IGNORECASE)
_DIGEST = re.compile(r"sha256[:-][0-9a-f]{64}")
_OLLAMA_MODEL = "application/vnd.ollama.image.model"
_OLLAMA_HOST, _OLLAMA_OWNER = "registry.ollama.ai", "library"
"""What Ollama leaves out of the names that it shows."""

_LARGEST_MANIFEST = 2**20
"""Bytes. One has a few hundred."""


@dataclass(frozen=True)
class Found:
    """A file or folder that is a base model by its name and place."""

    path: Path
    """A GGUF file, the first one of a split model, or a folder saved by transformers."""

    id: str
    """What the tool that keeps it would call it."""

    base: str | None
    """What `model.base` of a config would be to train it; None where it has no such form."""


def find_models(layout: Layout, walk: Walk) -> Iterator[Found]:
    """Yield the models below the walk's root."""
    readers: dict[Layout, Callable[[Walk], Iterator[Found]]] = {
        "tree": _tree,
        "hub-cache": _hub_cache,
        "ollama": _ollama,
    }
    return readers[layout](walk)


def _tree(walk: Walk) -> Iterator[Found]:
    for folder, files in walk.folders():
        if is_model_folder(files):
            yield Found(folder, folder.relative_to(walk.root).as_posix(), str(folder))
            walk.leave(folder)
        elif is_served_only(files):
            yield Found(folder, folder.relative_to(walk.root).as_posix(), None)
            walk.leave(folder)
        for file in _gguf_files(files):
            yield Found(file, _name(file, walk.root), str(file))


def _hub_cache(walk: Walk) -> Iterator[Found]:
    for repository in sorted(walk.root.glob("models--*")):
        if walk.ended() or repository.is_symlink():
            continue
        snapshot = _snapshot(repository)
        if snapshot is None:
            continue
        name = repository.name.removeprefix("models--").replace("--", "/")
        # The files of a snapshot are links to the repository's own blobs.
        for folder, files in walk.folders(snapshot, within=repository):
            if folder == snapshot and is_model_folder(files):
                yield Found(folder, name, name)
            elif is_served_only(files):
                below = folder.relative_to(snapshot).as_posix()
                yield Found(folder, name if below == "." else f"{name}/{below}", None)
            for file in _gguf_files(files):
                yield Found(file, f"{name}/{_name(file, snapshot)}", str(file))


def _snapshot(repository: Path) -> Path | None:
    """Return the snapshot of the main branch, else the one that was written last."""
    try:
        commit = (repository / "refs" / "main").read_text(encoding="ascii").strip()
        if re.fullmatch(r"[0-9a-f]{40}", commit) and (repository / "snapshots" / commit).is_dir():
            return repository / "snapshots" / commit
    except (OSError, ValueError):
        pass
    try:
        snapshots = [path for path in (repository / "snapshots").iterdir() if path.is_dir() and not path.is_symlink()]
        return max(snapshots, key=lambda path: (path.stat().st_mtime, path.name), default=None)
    except OSError:
        return None


def _ollama(walk: Walk) -> Iterator[Found]:
    for _, files in walk.folders(walk.root / "manifests"):
        for file in files:
            blob = _ollama_blob(file, walk.root)
            parts = file.relative_to(walk.root / "manifests").parts
            if blob is None or len(parts) < 4:
                continue
            host, *owner, model, tag = parts
            implied = (_OLLAMA_HOST, _OLLAMA_OWNER)
            shown = [part for part in (host, "/".join(owner)) if part not in implied]
            yield Found(blob, "/".join([*shown, f"{model}:{tag}"]), None)


def _ollama_blob(manifest: Path, root: Path) -> Path | None:
    layers = _layers(manifest)
    for layer in layers:
        digest = layer.get("digest")
        # The digest becomes a file's name, so nothing but a digest may pass.
        if layer.get("mediaType") != _OLLAMA_MODEL or not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            continue
        blob = root / "blobs" / digest.replace(":", "-")
        if is_below(blob, root):
            return blob
    return None


def _layers(manifest: Path) -> list[dict[str, Any]]:
    try:
        if manifest.stat().st_size > _LARGEST_MANIFEST:
            return []
        content = json.loads(manifest.read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    layers = content.get("layers") if isinstance(content, dict) else None
    return [layer for layer in layers if isinstance(layer, dict)] if isinstance(layers, list) else []


def is_model_folder(files: Sequence[Path]) -> bool:
    """Tell whether files are those of a folder that transformers saved a model with safetensors to."""
    names = {file.name for file in files}
    weights = {name for name in names if name.endswith(".safetensors") and not name.startswith("adapter_model")}
    return "config.json" in names and bool(weights)


def is_served_only(files: Sequence[Path]) -> bool:
    """Tell whether files are those of a folder that can be served, but that no config can be trained from."""
    return is_genai_folder(files) or _is_archive_folder(files)


def is_genai_folder(files: Sequence[Path]) -> bool:
    """Tell whether files are those of a folder for ONNX Runtime GenAI alone."""
    return any(file.name == CONFIG for file in files) and not is_model_folder(files)


def _is_archive_folder(files: Sequence[Path]) -> bool:
    """Tell whether files are those of a folder that MLX kept its weights in before it took to safetensors."""
    names = {file.name for file in files}
    return {"config.json", "weights.npz"} <= names and not is_model_folder(files)


def _gguf_files(files: Sequence[Path]) -> Iterator[Path]:
    """Yield the models: of split ones the first part, and no image encoders, which stand beside a model."""
    for file in files:
        if file.suffix.lower() != ".gguf" or "mmproj" in file.name.lower():
            continue
        shard = _SHARD.fullmatch(file.stem)
        if shard is None or int(shard["number"]) == 1:
            yield file


def _name(file: Path, root: Path) -> str:
    shard = _SHARD.fullmatch(file.stem)
    return file.with_name(shard["stem"] if shard else file.stem).relative_to(root).as_posix()
