"""What a base model's own files say of it: read from headers and JSON, without loading a weight."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from peft_engine.facts import ModelFact
from peft_engine.models.architectures import Family, family_of, model_type_of_gguf
from peft_engine.models.formats.mlx import mlx_packing
from peft_engine.models.gguf_data import gguf_data
from peft_engine.models.gguf_header import GgufHeader, read_gguf_header
from peft_engine.models.outline import outline
from peft_engine.models.resolve import ResolvedBase
from peft_engine.models.safetensors_header import StoredTensor, read_safetensors_header
from peft_engine.models.tokenizer_files import (
    TOKENIZER_FILES,
    has_generation_markers,
    looks_special,
    read_json,
    read_tokenizer,
)

PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt")

_MOST_SHARDS = 200
_INDEX = "model.safetensors.index.json"
_PINNED = re.compile(r"[0-9a-f]{40}")
_LENGTHS = ("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length", "seq_length")
"""What config.json calls the longest sequence, depending on the family."""

_GGUF_TOKENS, _GGUF_TOKEN_TYPES = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type"
_CONTROL, _USER_DEFINED = 3, 4
"""llama.cpp's numbers of the types of tokens that text is not made of."""


def describe_model(resolved: ResolvedBase) -> ModelFact | None:
    """Return what the files of a base model say, None when it is not on this machine."""
    name = resolved.base if resolved.origin != "path" else Path(resolved.base).name or resolved.base
    pinned = None if resolved.origin == "path" else _PINNED.fullmatch(resolved.revision or "") is not None
    if resolved.hf_dir is not None:
        return _from_folder(name, resolved.hf_dir, pinned)
    return None if resolved.gguf is None else _from_gguf(name, resolved.gguf, pinned)


def described_files(resolved: ResolvedBase) -> list[Path]:
    """Return the files on which a description rests, those that are not there included."""
    if resolved.hf_dir is None:
        return [] if resolved.gguf is None else [resolved.gguf]
    folder = resolved.hf_dir
    fixed = [folder, *(folder / name for name in ("config.json", _INDEX, *TOKENIZER_FILES))]
    return [*fixed, *_weight_files(folder)]


def _from_folder(name: str, folder: Path, pinned: bool | None) -> ModelFact:
    config = read_json(folder / "config.json")
    inner = config["text_config"] if isinstance(config.get("text_config"), dict) else config
    model_type = config.get("model_type")
    tokenizer = read_tokenizer(folder)
    files = _weight_files(folder)
    tensors = _stored_tensors(files)
    quantized = _quantization(config)
    family = family_of(model_type if isinstance(model_type, str) else None)
    shapes = (
        None if family is None else _shapes(family, tensors) if tensors else None if files else outline(family, inner)
    )
    plain = quantized is None
    return ModelFact(
        name=name,
        model_type=model_type if isinstance(model_type, str) else None,
        context_length=_context_length(inner),
        modules=None if shapes is None else tuple(shapes),
        shapes=shapes if plain else None,
        linear=None if shapes is None or family is None else family.linear(shapes),
        parameters=sum(tensor.size for tensor in tensors) if tensors and plain else None,
        weight_bytes=sum(file.stat().st_size for file in files if file.is_file()) if files else None,
        stored_dtype=_most_common((tensor.dtype, tensor.size) for tensor in tensors) if tensors and plain else None,
        prequantized=quantized,
        has_chat_template=tokenizer.chat_template is not None,
        template_has_generation_markers=_marked(tokenizer.chat_template),
        tokens=tokenizer.tokens,
        has_remote_code=bool(config.get("auto_map")) or tokenizer.has_remote_code,
        is_pickle=bool(files) and files[0].suffix in PICKLE_SUFFIXES,
        revision_is_pinned=pinned,
    )


def _from_gguf(name: str, path: Path, pinned: bool | None) -> ModelFact:
    header = read_gguf_header(path, arrays=(_GGUF_TOKENS, _GGUF_TOKEN_TYPES), tensors=True)
    model_type = model_type_of_gguf(header.architecture)
    family = family_of(model_type)
    shapes = None if family is None else _gguf_shapes(family, header)
    return ModelFact(
        name=name,
        model_type=model_type,
        context_length=header.context_length,
        modules=None if shapes is None else tuple(shapes),
        shapes=shapes,
        linear=None if shapes is None or family is None else family.linear(shapes),
        parameters=sum(tensor.size for tensor in header.tensors) or None,
        weight_bytes=path.stat().st_size,
        stored_dtype=_most_common((_gguf_dtype(tensor.kind), tensor.size) for tensor in header.tensors),
        has_chat_template=header.chat_template is not None,
        template_has_generation_markers=_marked(header.chat_template),
        tokens=_gguf_tokens(header.values),
        revision_is_pinned=pinned,
    )


def _weight_files(folder: Path) -> list[Path]:
    """Return the files with the weights: safetensors where there are any, else pickles."""
    listed = read_json(folder / _INDEX).get("weight_map")
    if isinstance(listed, dict):
        names = sorted({name for name in listed.values() if isinstance(name, str)})[:_MOST_SHARDS]
        return [folder / Path(name).name for name in names]
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    try:
        files = sorted(file for file in folder.iterdir() if file.is_file())
    except OSError:
        return []
    for suffixes in ((".safetensors",), PICKLE_SUFFIXES):
        found = [file for file in files if file.suffix in suffixes and not is_no_model(file.name)]
        if found:
            return found[:_MOST_SHARDS]
    return []


def is_no_model(name: str) -> bool:
    """Tell whether a file that looks like weights is something that stands beside them."""
    return name.startswith(("adapter_model", "training_args", "optimizer", "scheduler", "rng_state", "tokenizer"))


def _stored_tensors(files: list[Path]) -> list[StoredTensor] | None:
    """Return the tensors of safetensors files, None when not all could be read."""
    try:
        read = [read_safetensors_header(file) for file in files if file.suffix == ".safetensors"]
    except (OSError, ValueError, RecursionError):
        return None
    return [tensor for tensors in read for tensor in tensors] if read and len(read) == len(files) else None


def _shapes(family: Family, tensors: list[StoredTensor]) -> dict[str, tuple[int, int]]:
    shapes: dict[str, tuple[int, int]] = {}
    for tensor in tensors:
        name, _, kind = tensor.name.rpartition(".")
        if kind not in ("weight", "qweight") or len(tensor.shape) != 2:
            continue
        rows, columns = tensor.shape
        last = name.rpartition(".")[2]
        turned = family.transposed and last not in family.embeddings and name != family.head
        shapes[family.module(name)] = (columns, rows) if turned else (rows, columns)
    return _with_head(family, shapes)


def _gguf_shapes(family: Family, header: GgufHeader) -> dict[str, tuple[int, int]]:
    shapes: dict[str, tuple[int, int]] = {}
    for tensor in header.tensors:
        module = family.module_of_gguf(tensor.name)
        if module is not None and len(tensor.shape) == 2:
            shapes[module] = (tensor.shape[0], tensor.shape[1])
    return _with_head(family, shapes)


def _with_head(family: Family, shapes: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Add the head that shares the embedding's weights, so that no file has weights of its own for it."""
    table = next((shape for name, shape in shapes.items() if name.endswith(f".{family.embeddings[0]}")), None)
    if family.head not in shapes and table is not None:
        shapes[family.head] = table
    return dict(sorted(shapes.items(), key=lambda item: [_order(part) for part in item[0].split(".")]))


def _order(part: str) -> tuple[int, str]:
    return (int(part), "") if part.isdecimal() else (-1, part)


def _context_length(config: Mapping[str, Any]) -> int | None:
    """Return the longest sequence. Where a config may or may not count its extension already, the longer reading."""
    lengths = (config.get(key) for key in _LENGTHS)
    length = next((value for value in lengths if isinstance(value, int)), None)
    scaling = config.get("rope_scaling") or config.get("rope_parameters")
    if length is None or not isinstance(scaling, dict):
        return length
    factor, original = scaling.get("factor"), scaling.get("original_max_position_embeddings")
    if not isinstance(factor, int | float):
        return length
    return max(length, int(factor * (original if isinstance(original, int) else length)))


def _quantization(config: Mapping[str, Any]) -> str | None:
    if mlx_packing(config):
        return "mlx"
    quantization = config.get("quantization_config")
    if not isinstance(quantization, dict):
        return None
    method = quantization.get("quant_method")
    # Configs of bitsandbytes from before the field existed.
    return method if isinstance(method, str) else "bitsandbytes"


def _gguf_tokens(values: Mapping[str, Any]) -> frozenset[str] | None:
    tokens, types = values.get(_GGUF_TOKENS), values.get(_GGUF_TOKEN_TYPES)
    if not isinstance(tokens, list) or not isinstance(types, list):
        return None
    pairs = zip(tokens, types, strict=False)
    return frozenset(token for token, kind in pairs if kind in (_CONTROL, _USER_DEFINED) or looks_special(token))


def _gguf_dtype(kind: int) -> str | None:
    known = gguf_data().types.get(kind)
    return None if known is None else known.name


def _most_common(weighted: Iterable[tuple[str | None, int]]) -> str | None:
    counts: Counter[str | None] = Counter()
    for name, size in weighted:
        counts[name] += size
    return counts.most_common(1)[0][0] if counts else None


def _marked(template: str | None) -> bool | None:
    return None if template is None else has_generation_markers(template)
