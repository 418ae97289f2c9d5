"""The metadata at the head of a GGUF file, read without numpy and without touching the tensors."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

_MAGIC = b"GGUF"
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""The format's number of each scalar type, as `struct` writes it."""
_STRING = 8
_ARRAY = 9


@dataclass(frozen=True)
class GgufHeader:
    """What a GGUF file says of its model. Arrays are left out: the vocabulary is long and nobody here needs it."""

    values: dict[str, Any]

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


def read_gguf_header(path: Path) -> GgufHeader:
    """Read the metadata of a GGUF file.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is not GGUF, or ends too early.
    """
    with path.open("rb") as file:
        if file.read(4) != _MAGIC:
            raise ValueError("not a GGUF file")
        try:
            _version, _tensors, pairs = struct.unpack("<IQQ", file.read(20))
            values: dict[str, Any] = {}
            for _ in range(pairs):
                key = _string(file)
                (kind,) = struct.unpack("<I", file.read(4))
                if kind == _ARRAY:
                    _skip_array(file)
                else:
                    values[key] = _value(file, kind)
        except (struct.error, KeyError) as error:
            raise ValueError("damaged GGUF header") from error
    return GgufHeader(values)


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(file)
    form = "<" + _SCALARS[kind]
    return struct.unpack(form, file.read(struct.calcsize(form)))[0]


def _string(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", file.read(8))
    return file.read(length).decode("utf-8", errors="replace")


def _skip_array(file: BinaryIO) -> None:
    kind, count = struct.unpack("<IQ", file.read(12))
    if kind == _STRING:
        for _ in range(count):
            (length,) = struct.unpack("<Q", file.read(8))
            file.seek(length, 1)
    elif kind == _ARRAY:
        for _ in range(count):
            _skip_array(file)
    else:
        file.seek(count * struct.calcsize("<" + _SCALARS[kind]), 1)
