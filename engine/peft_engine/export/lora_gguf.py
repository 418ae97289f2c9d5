"""A PEFT LoRA adapter in the form that llama.cpp loads beside a GGUF base.

The result holds the same tensors, bit for bit, as llama.cpp's own `convert_lora_to_gguf.py` writes.
"""

import json
import re
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

Matrix = NDArray[np.float32]

_LLAMA_LIKE = frozenset({"llama", "mistral"})
"""Families, by transformers' `model_type`, that llama.cpp runs as `llama`: same names, same order of rotary halves."""

_KEY = re.compile(r"^base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight$")


class NotConvertible(ValueError):
    """The adapter has no GGUF form that is known to be right; the message is a sentence that says why."""


def write_lora_gguf(adapter: Path, base_config: dict[str, Any], target: Path) -> None:
    """Convert an adapter.

    Args:
        adapter: A PEFT adapter folder: `adapter_config.json`, `adapter_model.safetensors`, and `chat_template.jinja`
            where it was trained with another template than the base's own.
        base_config: The base model's `config.json`.
        target: The file to write; it appears whole or not at all.

    Raises:
        NotConvertible: The base's family or the adapter's kind has no verified conversion. Nothing is written.
        OSError: The disk is full. Nothing is left.
    """
    family = base_config.get("model_type")
    if family not in _LLAMA_LIKE:
        raise NotConvertible(f"Adapters of the model family {family} cannot be converted to GGUF yet.")
    config = json.loads((adapter / "adapter_config.json").read_bytes())
    if config.get("use_dora"):
        raise NotConvertible("A DoRA adapter has no GGUF form: llama.cpp knows no magnitude vectors.")
    if config.get("modules_to_save"):
        modules = ", ".join(config["modules_to_save"])
        raise NotConvertible(f"An adapter that holds whole modules ({modules}) has no GGUF form.")
    pairs = _pairs(load_file(adapter / "adapter_model.safetensors"))
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, base_config["num_hidden_layers"])
    making = target.with_name(f".{target.name}.making")
    try:
        writer = gguf.GGUFWriter(making, "llama")
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, _alpha(config))
        template = adapter / "chat_template.jinja"
        if template.is_file():
            writer.add_chat_template(template.read_text(encoding="utf-8"))
        for module, (a, b) in pairs.items():
            name = names.get_name(f"{module}.weight", try_suffixes=(".weight",))
            if name is None:
                raise NotConvertible(f"The layer {module} has no name in llama.cpp, so the adapter has no GGUF form.")
            writer.add_tensor(f"{name}.lora_a", a)
            writer.add_tensor(f"{name}.lora_b", _rotary_order(module, b, base_config))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        making.rename(target)
    finally:
        making.unlink(missing_ok=True)


def _alpha(config: dict[str, Any]) -> float:
    """Return the alpha from which llama.cpp, which always divides it by the rank, computes the adapter's scale."""
    alpha, rank = float(config["lora_alpha"]), int(config["r"])
    return alpha * rank**0.5 if config.get("use_rslora") else alpha


def _pairs(tensors: dict[str, NDArray[Any]]) -> dict[str, tuple[Matrix, Matrix]]:
    """Return the two matrices of each adapted layer: A [rank, in], B [out, rank], in the adapter's order."""
    sides: dict[str, dict[str, Matrix]] = {}
    for key, tensor in tensors.items():
        match = _KEY.match(key)
        if match is None:
            raise NotConvertible(f"The adapter holds {key}, which is not a LoRA matrix, so it has no GGUF form.")
        sides.setdefault(match["module"], {})[match["side"]] = tensor.astype(np.float32)
    return {module: (side["A"], side["B"]) for module, side in sides.items()}


def _rotary_order(module: str, b: Matrix, base_config: dict[str, Any]) -> Matrix:
    """Reorder the rows that queries and keys rotate: transformers halves each head, llama.cpp pairs neighbours."""
    heads = {
        "q_proj": base_config["num_attention_heads"],
        "k_proj": base_config.get("num_key_value_heads") or base_config["num_attention_heads"],
    }.get(module.rpartition(".")[2])
    if heads is None:
        return b
    return b.reshape(heads, 2, b.shape[0] // heads // 2, b.shape[1]).swapaxes(1, 2).reshape(b.shape)
