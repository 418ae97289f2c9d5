"""The descriptions of tensors at the head of safetensors files, read without their library."""

import json
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft_engine.models.damage import DamagedFile, TruncatedFile
from peft_engine.models.regular import stat_file

_LONGEST_HEADER = 16 * 2**20
"""Bytes. The largest models have a tenth of it; a damaged length must not take all memory."""

_METADATA = "__metadata__"
_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu",
    "I64": "int64",
    "U64": "uint64",
    "I32": "int32",
    "U32": "uint32",
    "I16": "int16",
    "U16": "uint16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
_BYTES = {"64": 8, "32": 4, "16": 2, "8": 1}
"""Bytes of a number, by the digits in the name of its type."""


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

    @property
    def bytes(self) -> int:
        """What they take; 0 where the type is not known."""
        return self.size * (number_bytes(self.dtype) or 0)


def read_safetensors_header(path: Path) -> list[StoredTensor]:
    """Read the descriptions of a file's tensors.

    Raises:
        OSError: The file cannot be read.
        DamagedFile: The file is not safetensors, or ends too early (`TruncatedFile`).
    """
    header, _ = _read(path)
    return [_described(name, value) for name, value in header.items() if name != _METADATA]


def read_safetensors_metadata(path: Path) -> dict[str, str]:
    """Read what a file says of itself, such as `format`: the framework that it was saved from.

    Raises:
        OSError: The file cannot be read.
        DamagedFile: The file is not safetensors, or ends too early (`TruncatedFile`).
    """
    metadata = _read(path)[0].get(_METADATA)
    if not isinstance(metadata, dict):
        return {}
    return {key: value for key, value in metadata.items() if isinstance(value, str)}


def check_safetensors(path: Path) -> list[StoredTensor]:
    """Read a header and hold it against the file: every tensor has its bytes, and every byte its tensor.

    Returns:
        The tensors.

    Raises:
        OSError: The file cannot be read.
        DamagedFile: As `read_safetensors_header`, or tensors overlap, leave holes, lie outside the file, or have other
            sizes than their shapes and types need.
    """
    header, data_bytes = _read(path)
    tensors = [_described(name, value) for name, value in header.items() if name != _METADATA]
    spans = sorted((*_span(header[tensor.name], tensor), tensor.name) for tensor in tensors)
    expected = 0
    for start, end, name in spans:
        if start != expected:
            raise DamagedFile(f"the tensor {name} does not begin where the one before it ends")
        expected = end
    if expected > data_bytes:
        raise TruncatedFile(f"its tensors need {expected} bytes, and it has {data_bytes} for them")
    if expected < data_bytes:
        raise DamagedFile(f"{data_bytes - expected} of its bytes belong to no tensor")
    return tensors


def _read(path: Path) -> tuple[dict[str, Any], int]:
    """Return the header and the number of bytes that follow it."""
    stat_file(path)
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= _LONGEST_HEADER:
            raise DamagedFile("it is not a safetensors file")
        content = file.read(length)
        data_bytes = file.seek(0, 2) - 8 - length
    if not content.startswith(b"{"):
        raise DamagedFile("it is not a safetensors file")
    if len(content) < length:
        raise TruncatedFile(f"its header ends beyond the file's {8 + len(content)} bytes")
    try:
        header = json.loads(content, object_pairs_hook=_once)
    except DamagedFile:
        raise
    except (ValueError, RecursionError) as error:
        raise DamagedFile("its header is not JSON") from error
    return header, data_bytes


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise DamagedFile("its header names something twice")
    return found


def _described(name: str, value: Any) -> StoredTensor:
    shape, dtype = (value.get("shape"), value.get("dtype")) if isinstance(value, dict) else (None, None)
    if not isinstance(dtype, str) or not isinstance(shape, list) or not all(_is_count(side) for side in shape):
        raise DamagedFile("damaged safetensors header")
    return StoredTensor(name, tuple(shape), _DTYPES.get(dtype, dtype))


def _span(value: dict[str, Any], tensor: StoredTensor) -> tuple[int, int]:
    """Return where a tensor's bytes begin and end, counted from the end of the header."""
    offsets = value.get("data_offsets")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(_is_count(offset) for offset in offsets):
        raise DamagedFile(f"the tensor {tensor.name} has no place in the file")
    start, end = offsets
    width = number_bytes(tensor.dtype)
    if width is None:
        raise DamagedFile(f"the tensor {tensor.name} is of the type {tensor.dtype}, which PyTorch does not know")
    if end - start != tensor.size * width:
        raise DamagedFile(f"the tensor {tensor.name} has another size than its shape and type need")
    return start, end


def number_bytes(dtype: str) -> int | None:
    """Return the bytes that a number takes, None when the type is not known."""
    if dtype == "bool":
        return 1
    if dtype not in _DTYPES.values():
        return None
    return next(width for digits, width in _BYTES.items() if digits in dtype.partition("_")[0])


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
