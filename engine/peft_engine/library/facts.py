"""What the files of one model say of it, from headers and JSON alone."""

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from peft_engine.library.bounds import library_bounds
from peft_engine.library.layouts import is_genai_folder
from peft_engine.models import ResolvedBase
from peft_engine.models.damage import DamagedFile
from peft_engine.models.describe import describe_model, described_files
from peft_engine.models.formats import detect
from peft_engine.models.formats.genai import read_genai
from peft_engine.models.formats.mlx import mlx_packing
from peft_engine.models.formats.onnx import check_onnx
from peft_engine.models.gguf_header import read_gguf_header
from peft_engine.models.tokenizer_files import read_json, read_tokenizer
from peft_schemas.errors import WorkbenchError
from peft_schemas.library import ModelCapability, ModelFacts

_TOKENS = "tokenizer.ggml.tokens"
_INFILL_KEYS = ("tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id")
_TOOLS = re.compile(r"\btools\b")
_NO_BASES = ("clip", "imatrix")
"""What older files, which do not name their kind, name as their architecture."""

_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)
"""How llama.cpp's gguf-split names the parts of a model; the first one has the metadata."""

_COUNTED_PARTS = 1000
"""A name can announce 99,999."""

_States = tuple[tuple[Path, int, int], ...]


class NoBase(WorkbenchError):
    """The files are sound, but not those of a base model."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            "base-not-servable", f"{path} is {what}, not a model.", "Choose the file of the model that it belongs to."
        )


def gguf_facts(path: Path) -> ModelFacts:
    """Return what a GGUF file says; of a split model, given its first part, what all parts say together.

    Raises:
        WorkbenchError: A part is missing or cannot be read (`model-unreadable`); `NoBase` when it is an adapter or the
            like.
    """
    return _gguf_facts(_states(gguf_parts(path), path))


def folder_facts(folder: Path) -> ModelFacts:
    """Return what a folder saved by transformers, one of MLX, or one for ONNX Runtime GenAI, says.

    Raises:
        WorkbenchError: Its weights are in none of their forms (`base-not-servable`), or cannot be read
            (`model-unreadable`).
    """
    if is_genai_folder(list(folder.glob("*"))):
        return _genai_facts(folder, _states(sorted(file for file in folder.iterdir() if file.is_file()), folder))
    files = [file for file in described_files(_resolved(folder)) if file.exists()]
    detected = detect(folder)
    if detected.format == "mlx":
        return _mlx_facts(folder, _states([*files, *detected.files], folder))
    return _folder_facts(folder, _states(files, folder))


def gguf_parts(path: Path) -> list[Path]:
    """Return all files of the GGUF model whose first or only file is given, whether they are there or not."""
    shard = _SHARD.fullmatch(path.name)
    if shard is None:
        return [path]
    count = min(int(shard["count"]), _COUNTED_PARTS)
    return [path.with_name(f"{shard['stem']}-{number:05}-of-{count:05}.gguf") for number in range(1, count + 1)]


def _resolved(folder: Path) -> ResolvedBase:
    return ResolvedBase(folder.name, None, "path", folder, None, folder, None, None)


def _states(files: list[Path], whole: Path) -> _States:
    """Return the files with what changes when they do, so that each state is read once: a header takes 0.1 s."""
    try:
        looked = [(file, file.stat()) for file in files]
    except OSError as error:
        raise _unreadable(whole, error) from error
    return tuple((file, stat.st_size, stat.st_mtime_ns) for file, stat in looked)


@lru_cache(maxsize=256)
def _gguf_facts(states: _States) -> ModelFacts:
    first = states[0][0]
    try:
        header = read_gguf_header(first, arrays=(_TOKENS,), tensors=True)
        tensors = [*header.tensors]
        for part, _, _ in states[1:]:
            tensors += read_gguf_header(part, tensors=True).tensors
    except (OSError, ValueError) as error:
        raise _unreadable(first, error) from error
    values = header.values
    kind = values.get("general.type", "model")
    if kind != "model" or header.architecture in _NO_BASES:
        raise NoBase(first, f"a file of the kind {kind if kind != 'model' else header.architecture}")
    tokens = values.get(_TOKENS, [])
    return ModelFacts(
        format="gguf",
        size_bytes=sum(size for _, size, _ in states),
        name=_text(values.get("general.name")),
        architecture=header.architecture,
        parameters=sum(tensor.size for tensor in tensors) or None,
        quantization=library_bounds().gguf_file_types.get(values.get("general.file_type", -1)),
        context_length=header.context_length,
        capabilities=_capabilities(
            template=header.chat_template,
            architecture=header.architecture,
            infills=any(key in values for key in _INFILL_KEYS) or _marks_gaps(tokens),
            # llama.cpp keeps the image encoder in a file of its own, beside the model.
            sees=any(first.parent.glob("*mmproj*.gguf")),
        ),
        licence=_text(values.get("general.license")),
    )


@lru_cache(maxsize=256)
def _folder_facts(folder: Path, states: _States) -> ModelFacts:
    try:
        described = describe_model(_resolved(folder))
    except OSError as error:
        raise _unreadable(folder, error) from error
    if described is None or described.weight_bytes is None or described.is_pickle:
        raise WorkbenchError(
            "base-not-servable",
            f"{folder} has no weights in safetensors files, which is the form that is served from a folder.",
            "Convert it with `peftw convert`, or get the model in GGUF or safetensors form.",
        )
    if described.parameters is None and described.prequantized is None:
        raise _unreadable(folder, ValueError("its weight files are damaged or incomplete"))
    config = read_json(folder / "config.json")
    tokenizer = read_tokenizer(folder)
    return ModelFacts(
        format="safetensors",
        size_bytes=described.weight_bytes,
        name=_text(config.get("_name_or_path")),
        architecture=described.model_type,
        parameters=described.parameters,
        quantization=described.prequantized or described.stored_dtype,
        context_length=described.context_length,
        capabilities=_capabilities(
            template=tokenizer.chat_template,
            architecture=described.model_type,
            infills=_marks_gaps(described.tokens or ()),
            sees="vision_config" in config,
        ),
        licence=_licence(folder),
    )


@lru_cache(maxsize=256)
def _mlx_facts(folder: Path, states: _States) -> ModelFacts:
    described = describe_model(_resolved(folder))
    config = read_json(folder / "config.json")
    if described is None or not config:
        raise _unreadable(folder, ValueError("it has no config.json, which says what its tensors mean"))
    packing = mlx_packing(config)
    return ModelFacts(
        format="mlx",
        size_bytes=sum(file.stat().st_size for file in detect(folder).files),
        architecture=described.model_type,
        parameters=described.parameters,
        quantization=described.stored_dtype if packing is None else f"{packing['bits']}-bit",
        context_length=described.context_length,
        capabilities=_capabilities(
            template=read_tokenizer(folder).chat_template,
            architecture=described.model_type,
            infills=_marks_gaps(described.tokens or ()),
            sees=False,
        ),
        licence=_licence(folder),
    )


@lru_cache(maxsize=256)
def _genai_facts(folder: Path, states: _States) -> ModelFacts:
    try:
        model = read_genai(folder)
        sizes = [model.graph.stat().st_size, *(file.stat().st_size for file in check_onnx(model.graph))]
    except (OSError, DamagedFile) as error:
        raise _unreadable(folder, error) from error
    tokenizer = read_tokenizer(folder)
    return ModelFacts(
        format="onnx",
        size_bytes=sum(sizes),
        architecture=model.family,
        context_length=model.context_length,
        capabilities=_capabilities(
            template=tokenizer.chat_template,
            architecture=model.family,
            infills=_marks_gaps(tokenizer.tokens or ()),
            sees=False,
        ),
        licence=_licence(folder),
    )


def _capabilities(
    *, template: str | None, architecture: str | None, infills: bool, sees: bool
) -> list[ModelCapability]:
    embeds = architecture in library_bounds().embedding_architectures
    can: Mapping[ModelCapability, bool] = {
        "chat": template is not None and not embeds,
        "tools": template is not None and not embeds and _TOOLS.search(template) is not None,
        "infill": infills,
        "embeddings": embeds,
        "vision": sees,
    }
    return [capability for capability, able in can.items() if able]


def _marks_gaps(tokens: Any) -> bool:
    return not library_bounds().infill_tokens.isdisjoint(tokens)


def _licence(folder: Path) -> str | None:
    """Return the licence in the head of the model card, as the hub reads it."""
    try:
        with (folder / "README.md").open(encoding="utf-8", errors="replace") as file:
            head = file.read(16_384)
    except OSError:
        return None
    match = re.match(r"---\n.*?^license: *([\w.-]+) *$.*?^---$", head, re.DOTALL | re.MULTILINE)
    return match[1] if match else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _unreadable(path: Path, error: Exception) -> WorkbenchError:
    return WorkbenchError(
        "model-unreadable", f"{path} cannot be read as a model: {error}.", "Get the file again, or choose another one."
    )
