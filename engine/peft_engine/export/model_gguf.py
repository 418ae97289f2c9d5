"""A model folder of Transformers as one GGUF file, written tensor by tensor, for it may be larger than memory."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open

from peft_engine.export.hyperparameters import rope_factors, write_hyperparameters
from peft_engine.export.rotary import paired
from peft_engine.export.tensor_names import tensor_names
from peft_engine.export.vocabulary import write_vocabulary
from peft_engine.models.convertible import ConvertibleFamily, conversion_data, convertible_family
from peft_engine.models.refusal import NotConvertible
from peft_engine.models.safetensors_header import read_safetensors_header
from peft_engine.models.validation import require_sound, shards

Progress = Callable[[float], None]
"""Told which share is done, from 0 to 1."""

_TYPES = {
    "f32": gguf.GGMLQuantizationType.F32,
    "f16": gguf.GGMLQuantizationType.F16,
    "bf16": gguf.GGMLQuantizationType.BF16,
}
_OF_STORED = {"float32": "f32", "float16": "f16", "bfloat16": "bf16"}
_BYTES = {"f32": 4, "f16": 2, "bf16": 2}
_IGNORED = (".rotary_emb.inv_freq",)
"""Tensors of old checkpoints that follow from the config."""


@dataclass(frozen=True)
class _Planned:
    """A tensor that is to be written."""

    name: str
    source: str
    file: Path
    shape: tuple[int, ...]
    type: str


def stored_type(folder: Path) -> str:
    """Return the type that holds a model's weights as they are stored: `f32`, `f16` or `bf16`.

    Raises:
        NotConvertible: They are packed.
    """
    sizes: dict[str, int] = {}
    for file in shards(folder):
        for tensor in read_safetensors_header(folder / file):
            sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + tensor.size
    most = max(sizes, key=lambda dtype: sizes[dtype], default="nothing")
    if most not in _OF_STORED:
        raise NotConvertible(f"The weights of {folder.name} are stored as {most}, which is packed already.")
    return _OF_STORED[most]


def write_model_gguf(folder: Path, target: Path, kind: str, progress: Progress = lambda _: None) -> None:
    """Convert a model.

    Args:
        folder: config.json, safetensors and tokenizer, as Transformers writes them.
        target: The file to write. It must not be seen by others until this returns.
        kind: `f32`, `f16` or `bf16`. Vectors are always written as f32.
        progress: Told after each tensor.

    Raises:
        NotConvertible: The family, the positions or the tokenizer have no conversion that is known to be right.
        WorkbenchError: The model's files are damaged.
        OSError: The disk is full.
    """
    require_sound(folder)
    config = json.loads((folder / "config.json").read_bytes())
    family = convertible_family(config)
    planned = _planned(folder, config, family, kind)
    factors = rope_factors(config)
    writer = gguf.GGUFWriter(target, family.architecture)
    try:
        writer.add_name(folder.name)
        writer.add_file_type(conversion_data().types[kind].ftype)
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        write_hyperparameters(config, family, writer)
        write_vocabulary(folder, config["vocab_size"], writer)
        if factors is not None:
            writer.add_tensor_info("rope_freqs.weight", factors.shape, factors.dtype, factors.nbytes)
        for tensor in planned:
            size = int(np.prod(tensor.shape)) * _BYTES[tensor.type]
            writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.float32), size, _TYPES[tensor.type])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        if factors is not None:
            writer.write_tensor_data(factors)
        for number, (tensor, weight) in enumerate(_read(planned)):
            writer.write_tensor_data(_written(tensor, weight, config, family))
            progress((number + 1) / len(planned))
    finally:
        writer.close()


def _planned(folder: Path, config: dict[str, Any], family: ConvertibleFamily, kind: str) -> list[_Planned]:
    """Return what is to be written, in the order of the files."""
    names = tensor_names(family, config)
    tied = config.get("tie_word_embeddings", family.architecture.startswith("gemma"))
    planned: list[_Planned] = []
    for file in shards(folder):
        for tensor in read_safetensors_header(folder / file):
            if tensor.name.endswith(_IGNORED) or (tied and tensor.name == "lm_head.weight"):
                continue
            name = names.get_name(tensor.name, try_suffixes=(".weight", ".bias"))
            if name is None:
                raise NotConvertible(f"The tensor {tensor.name} has no name in llama.cpp.")
            type_ = "f32" if len(tensor.shape) < 2 else kind
            planned.append(_Planned(name, tensor.name, folder / file, tensor.shape, type_))
    return planned


def _read(planned: list[_Planned]) -> Iterator[tuple[_Planned, torch.Tensor]]:
    for file in dict.fromkeys(tensor.file for tensor in planned):
        with safe_open(file, framework="pt") as tensors:
            for tensor in planned:
                if tensor.file == file:
                    yield tensor, tensors.get_tensor(tensor.source)


def _written(tensor: _Planned, weight: torch.Tensor, config: dict[str, Any], family: ConvertibleFamily) -> NDArray[Any]:
    """Return a tensor as it stands in the file."""
    module = tensor.source.rpartition(".")[0]
    if family.rotary == "pairs":
        weight = paired(module, weight, config)
    if module.endswith("norm"):
        weight = weight.float() + family.added_norm
    match tensor.type:
        case "f16":
            return weight.to(torch.float16).contiguous().numpy()
        case "bf16":
            return weight.to(torch.bfloat16).contiguous().view(torch.uint8).numpy()
        case _:
            return weight.float().contiguous().numpy()
