"""A small file of each format of models, written without the libraries that would write them."""

import json
import pickle
import struct
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from tests.unit.models.gguf_files import Gguf


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def part(field: int, content: bytes | str) -> bytes:
    raw = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(raw)) + raw


def tensor(*, location: str | None = None, **entries: str) -> bytes:
    """An ONNX tensor, with its numbers in another file where a location is given."""
    content = number(1, 4) + number(2, 1) + part(8, "weight")
    if location is None:
        return content + part(9, bytes(16))
    pairs = {"location": location, **entries}
    return content + b"".join(part(13, part(1, key) + part(2, value)) for key, value in pairs.items()) + number(14, 1)


def onnx(graph: bytes = b"", *, more: bytes = b"") -> bytes:
    """An ONNX model with the given content of its graph."""
    node = part(1, "x") + part(2, "y") + part(4, "Identity")
    return (
        number(1, 10) + part(2, "tests") + part(7, part(1, node) + part(2, "g") + graph) + part(8, number(2, 20)) + more
    )


def coreml() -> bytes:
    """A Core ML model with an image and a number going in and a text coming out."""
    feature = lambda name, kind: part(1, name) + part(3, part(kind, b""))  # noqa: E731
    metadata = part(100, part(1, "says what it sees") + part(3, "nobody"))
    description = part(1, feature("picture", 4)) + part(1, feature("size", 2)) + part(10, feature("word", 3)) + metadata
    return number(1, 5) + part(2, description) + part(500, part(1, b""))


def zipped(files: dict[str, bytes]) -> bytes:
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def npz() -> bytes:
    content = BytesIO()
    np.savez(content, **{"layers.0.weight": np.ones((2, 2), np.float32)})
    return content.getvalue()


def pytorch() -> bytes:
    """The outside of what `torch.save` writes."""
    return zipped({"archive/data.pkl": pickle.dumps({}), "archive/version": b"3\n"})


CONTENTS: dict[str, bytes] = {
    "gguf": Gguf().written(),
    "safetensors": save({"a": np.ones(4, np.float32)}),
    "pytorch": pytorch(),
    "onnx": onnx(),
    "mlx": npz(),
    "coreml": coreml(),
}
SUFFIXES = {
    "gguf": ".gguf",
    "safetensors": ".safetensors",
    "pytorch": ".pt",
    "onnx": ".onnx",
    "mlx": ".npz",
    "coreml": ".mlmodel",
}


def write_package(folder: Path) -> Path:
    """Write a `.mlpackage`."""
    inner = folder / "Data/com.apple.CoreML"
    inner.mkdir(parents=True)
    (inner / "model.mlmodel").write_bytes(coreml())
    entries = {"1": {"path": "com.apple.CoreML/model.mlmodel", "name": "model.mlmodel"}}
    manifest = {"fileFormatVersion": "1.0.0", "itemInfoEntries": entries, "rootModelIdentifier": "1"}
    (folder / "Manifest.json").write_text(json.dumps(manifest))
    return folder


GENAI: dict[str, Any] = {
    "model": {
        "bos_token_id": 1,
        "context_length": 512,
        "decoder": {
            "session_options": {"log_id": "onnxruntime-genai", "provider_options": []},
            "filename": "model.onnx",
            "head_size": 16,
            "hidden_size": 64,
            "inputs": {"input_ids": "input_ids"},
            "outputs": {"logits": "logits"},
            "num_attention_heads": 4,
            "num_hidden_layers": 2,
            "num_key_value_heads": 2,
        },
        "eos_token_id": [2, 7],
        "pad_token_id": 2,
        "type": "llama",
        "vocab_size": 49152,
    },
    "search": {"do_sample": False, "max_length": 512, "temperature": 1.0},
}
"""What the runtime's own builder writes for a small model."""


def write_genai(folder: Path, config: str | None = None) -> Path:
    """Write a folder for ONNX Runtime GenAI whose graph computes nothing of use."""
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").write_bytes(onnx())
    (folder / "genai_config.json").write_text(json.dumps(GENAI) if config is None else config)
    return folder


def old_pytorch() -> bytes:
    """The start of what `torch.save` wrote before it wrote archives."""
    return pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2) + pickle.dumps(1001, protocol=2) + struct.pack("<Q", 0)
