"""The files behind a base: which state of them, and the memory that they will take."""

from pathlib import Path

from peft_engine.catalog import Servable
from peft_engine.models.gguf_header import read_gguf_header
from peft_schemas.errors import WorkbenchError

FileState = tuple[tuple[str, int, int], ...]
"""Path, size and time of change of each file."""

BaseKey = tuple[Path, int]
"""What makes two models share one base in memory: the weights, and the context for which K/V memory is set apart."""

_WEIGHT_FILES = ("*.safetensors", "*.npz", "*.onnx", "*.onnx.data", "*.json")

_OVERHEAD = 1.1
"""What an engine takes beside weights and K/V, relative to the weights: buffers of one step. Our own estimate; what it
takes indeed is known once it is loaded."""

SLOTS = 4
"""Answers that a base makes at once. Each has K/V memory for a whole context."""

_KV_BYTES = 2
"""An element of the K/V memory is a float16."""


def base_key(model: Servable) -> BaseKey:
    """Return what a model's base is known by in memory."""
    return model.weights, model.context_length


def file_state(model: Servable) -> FileState:
    """Return the state of a base's weights.

    Raises:
        WorkbenchError: They are gone (`model-missing`).
    """
    path = model.weights
    try:
        files = [file for glob in _WEIGHT_FILES for file in sorted(path.glob(glob))] if path.is_dir() else [path]
        stats = [(str(file), file.stat()) for file in files]
    except OSError as error:
        raise WorkbenchError(
            "model-missing", f"The model file {path} is gone.", "Put it back, or choose another model."
        ) from error
    return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)


def expected_bytes(model: Servable) -> int:
    """Return the memory that a base will take with the K/V of all its slots, as far as its files tell.

    Prompts that it keeps only to save time come later, count then, and give way where memory is wanted.
    """
    return int(model.size_bytes * _OVERHEAD) + _kv_bytes(model)


def _kv_bytes(model: Servable) -> int:
    if model.format != "gguf":
        return 0
    try:
        header = read_gguf_header(model.weights)
    except (OSError, ValueError):
        # The load itself says what is wrong with the file.
        return 0

    def number(key: str) -> int:
        value = header.values.get(f"{header.architecture}.{key}")
        return value if isinstance(value, int) else 0

    heads = number("attention.head_count")
    kv_heads = number("attention.head_count_kv") or heads
    width = number("attention.key_length") or (number("embedding_length") // heads if heads else 0)
    return 2 * number("block_count") * kv_heads * width * model.context_length * SLOTS * _KV_BYTES
