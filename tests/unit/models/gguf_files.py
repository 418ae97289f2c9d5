"""Small GGUF files written byte by byte, so that each part can be made to lie."""

import struct
from dataclasses import dataclass, field
from typing import Any

UINT32, INT32, FLOAT32, STRING, ARRAY, UINT64 = 4, 5, 6, 8, 9, 10
_FORMS = {UINT32: "<I", INT32: "<i", FLOAT32: "<f", UINT64: "<Q"}


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def scalar(kind: int, value: Any) -> bytes:
    return text(value) if kind == STRING else struct.pack(_FORMS[kind], value)


def pair(key: str | bytes, kind: int, value: Any) -> bytes:
    return text(key) + struct.pack("<I", kind) + scalar(kind, value)


def array(key: str, kind: int, values: list[Any]) -> bytes:
    body = b"".join(scalar(kind, value) for value in values)
    return text(key) + struct.pack("<IIQ", ARRAY, kind, len(values)) + body


@dataclass
class Tensor:
    name: str | bytes = "a.weight"
    shape: tuple[int, ...] = (4, 2)
    """In GGUF's order: the row's length first."""
    kind: int = 0
    offset: int = 0

    def described(self) -> bytes:
        sides = struct.pack(f"<{len(self.shape)}Q", *self.shape)
        return text(self.name) + struct.pack("<I", len(self.shape)) + sides + struct.pack("<IQ", self.kind, self.offset)


@dataclass
class Gguf:
    pairs: list[bytes] = field(default_factory=lambda: [pair("general.architecture", STRING, "llama")])
    tensors: list[Tensor] = field(default_factory=lambda: [Tensor()])
    data: bytes = bytes(32)
    version: int = 3
    counts: tuple[int, int] | None = None
    """Tensors and pairs as announced, where that is a lie."""

    def written(self) -> bytes:
        counts = self.counts or (len(self.tensors), len(self.pairs))
        head = b"GGUF" + struct.pack("<IQQ", self.version, *counts)
        head += b"".join(self.pairs) + b"".join(tensor.described() for tensor in self.tensors)
        return head + bytes(-len(head) % 32) + self.data
