"""The real model cut to its first layers: the same routines compute it, in a fraction of the time."""

from pathlib import Path

import gguf
import numpy as np

LAYERS = 2
_MADE_BY_WRITER = ("GGUF.version", "GGUF.tensor_count", "GGUF.kv_count", "general.architecture")


def write_short_model(source: Path, target: Path) -> None:
    """Write the first layers of a Llama as a model of their own."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, "llama")
    for name, field in reader.fields.items():
        if name in _MADE_BY_WRITER:
            continue
        value = LAYERS if name == "llama.block_count" else field.contents()
        writer.add_key_value(name, value, field.types[0], field.types[-1] if len(field.types) > 1 else None)
    for tensor in reader.tensors:
        parts = tensor.name.split(".")
        if parts[0] != "blk" or int(parts[1]) < LAYERS:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_short_adapter(
    path: Path, *, seed: int, ranks: tuple[int, int] = (4, 4), dtype: type[np.floating] = np.float32, width: int = 576
) -> Path:
    """Write an adapter of random weights for a short model, strong enough to change every answer.

    Args:
        path: The file to write, which is returned.
        seed: Of the weights.
        ranks: Of the two layers.
        dtype: Of the matrices.
        width: Of the layers; another than the base's makes an adapter that does not fit.
    """
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 4.0)
    for layer, rank in enumerate(ranks):
        down = random.normal(0, 0.05, (rank, width)).astype(dtype)
        up = random.normal(0, 0.4, (width, rank)).astype(dtype)
        writer.add_tensor(f"blk.{layer}.attn_output.weight.lora_a", down)
        writer.add_tensor(f"blk.{layer}.attn_output.weight.lora_b", up)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
