"""The metadata at the head of a GGUF file, read without numpy and without touching the tensors."""

import math
import struct
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

_MAGIC = b"GGUF"
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""The format's number of each scalar type, as `struct` writes it."""
_STRING = 8
_ARRAY = 9
_LONGEST_STRING = 16 * 2**20
"""Bytes. A damaged length must not take all memory."""

_DEEPEST_ARRAY = 4
_MOST_DIMENSIONS = 4


@dataclass(frozen=True)
class GgufTensor:
    """One tensor as the header describes it."""

    name: str
    shape: tuple[int, ...]
    """As PyTorch has it: the reverse of GGUF's order."""

    kind: int
    """The format's number of its type: 0 is float32, 3 is Q4_1."""

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class GgufHeader:
    """What a GGUF file says of its model. Of arrays there are those that were asked for: the vocabulary is long."""

    values: dict[str, Any]
    tensors: tuple[GgufTensor, ...] = field(default=(), repr=False)
    """None of them unless they were asked for."""

    @property
    def architecture(self) -> str | None:
        """The model family as llama.cpp names it, such as `llama`."""
        value = self.values.get("general.architecture")
        return value if isinstance(value, str) else None

    @property
    def context_length(self) -> int | None:
        """The longest sequence in tokens that the model was made for."""
        value = self.values.get(f"{self.architecture}.context_length")
        return value if isinstance(value, int) else None

    @property
    def chat_template(self) -> str | None:
        """The Jinja template that turns messages into text."""
        value = self.values.get("tokenizer.chat_template")
        return value if isinstance(value, str) else None


def read_gguf_header(path: Path, *, arrays: Collection[str] = (), tensors: bool = False) -> GgufHeader:
    """Read the metadata of a GGUF file.

    Args:
        path: The file.
        arrays: The keys whose arrays are wanted.
        tensors: Whether the descriptions of the tensors are wanted.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is not GGUF, or ends too early.
    """
    with path.open("rb") as file:
        if file.read(4) != _MAGIC:
            raise ValueError("not a GGUF file")
        try:
            _version, count, pairs = struct.unpack("<IQQ", file.read(20))
            values: dict[str, Any] = {}
            for _ in range(pairs):
                key = _string(file)
                (kind,) = struct.unpack("<I", file.read(4))
                if kind != _ARRAY:
                    values[key] = _value(file, kind)
                elif key in arrays:
                    values[key] = _array(file)
                else:
                    _skip_array(file)
            described = tuple(_tensor(file) for _ in range(count)) if tensors else ()
        except (struct.error, KeyError, OverflowError) as error:
            raise ValueError("damaged GGUF header") from error
    return GgufHeader(values, described)


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(file)
    form = "<" + _SCALARS[kind]
    return struct.unpack(form, file.read(struct.calcsize(form)))[0]


def _string(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > _LONGEST_STRING:
        raise ValueError("damaged GGUF header")
    return file.read(length).decode("utf-8", errors="replace")


def _array(file: BinaryIO) -> list[Any]:
    kind, count = struct.unpack("<IQ", file.read(12))
    return [_value(file, kind) for _ in range(count)]


def _skip_array(file: BinaryIO, depth: int = 0) -> None:
    kind, count = struct.unpack("<IQ", file.read(12))
    if kind == _STRING:
        for _ in range(count):
            (length,) = struct.unpack("<Q", file.read(8))
            file.seek(length, 1)
    elif kind == _ARRAY:
        if depth >= _DEEPEST_ARRAY:
            raise ValueError("damaged GGUF header")
        for _ in range(count):
            _skip_array(file, depth + 1)
    else:
        file.seek(count * struct.calcsize("<" + _SCALARS[kind]), 1)


def _tensor(file: BinaryIO) -> GgufTensor:
    name = _string(file)
    (dimensions,) = struct.unpack("<I", file.read(4))
    if dimensions > _MOST_DIMENSIONS:
        raise ValueError("damaged GGUF header")
    shape = struct.unpack(f"<{dimensions}Q", file.read(8 * dimensions))
    kind, _offset = struct.unpack("<IQ", file.read(12))
    return GgufTensor(name, shape[::-1], kind)
