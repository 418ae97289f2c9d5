"""The descriptions of tensors at the head of safetensors files, read without their library."""

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LONGEST_HEADER = 64 * 2**20
"""Bytes. The largest models have a tenth of it; a damaged length must not take all memory."""

_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}


@dataclass(frozen=True)
class StoredTensor:
    """One tensor as a header describes it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """As PyTorch names it; as the file does where PyTorch has no such type."""

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


def read_safetensors_header(path: Path) -> list[StoredTensor]:
    """Read the descriptions of a file's tensors.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is not safetensors, or ends too early.
    """
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= _LONGEST_HEADER:
            raise ValueError("not a safetensors file")
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("not a safetensors file")
    return [_described(name, value) for name, value in header.items() if name != "__metadata__"]


def _described(name: str, value: Any) -> StoredTensor:
    shape, dtype = (value.get("shape"), value.get("dtype")) if isinstance(value, dict) else (None, None)
    if not isinstance(dtype, str) or not isinstance(shape, list) or not all(isinstance(side, int) for side in shape):
        raise ValueError("damaged safetensors header")
    return StoredTensor(name, tuple(shape), _DTYPES.get(dtype, dtype))
