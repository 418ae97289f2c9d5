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

from peft_engine.export.rotary import paired
from peft_engine.export.tensor_names import tensor_names
from peft_engine.models.convertible import conversion_data
from peft_engine.models.refusal import NotConvertible

Matrix = NDArray[np.float32]

_KEY = re.compile(r"^base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight$")


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
    family = conversion_data().families.get(base_config.get("model_type") or "")
    if family is None:
        kind = base_config.get("model_type")
        raise NotConvertible(f"Adapters of the model family {kind} cannot be converted to GGUF yet.")
    config = json.loads((adapter / "adapter_config.json").read_bytes())
    if config.get("use_dora"):
        raise NotConvertible("A DoRA adapter has no GGUF form: llama.cpp knows no magnitude vectors.")
    if config.get("modules_to_save"):
        modules = ", ".join(config["modules_to_save"])
        raise NotConvertible(f"An adapter that holds whole modules ({modules}) has no GGUF form.")
    pairs = _pairs(load_file(adapter / "adapter_model.safetensors"))
    names = tensor_names(family, base_config)
    making = target.with_name(f".{target.name}.making")
    try:
        writer = gguf.GGUFWriter(making, family.architecture)
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
            writer.add_tensor(f"{name}.lora_b", paired(module, b, base_config) if family.rotary == "pairs" else b)
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
