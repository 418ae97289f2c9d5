"""The real model cut to its first layers: the same routines compute it, in a fraction of the time."""

from pathlib import Path

import gguf

from tests.integration.serving.gguf_files import finish

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
    finish(writer, {})
