"""The head of a GGUF file, read without numpy, without native code and without touching the tensors.

A file from a stranger may lie about every number in it. What is read here is bounded by the limits of `gguf.yaml`, and
`check_gguf` holds the rest against the file before llama.cpp's C++ sees it (CVE-2025-53630, CVE-2026-7482,
CVE-2026-27940: sizes that overflow, and tensors that lie outside the file).
"""

import math
import struct
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from peft_engine.models.damage import DamagedFile, TruncatedFile
from peft_engine.models.gguf_data import gguf_data

GGUF_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
FLOAT32, STRING = 6, 8
"""The format's numbers of two types."""

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""The format's number of each scalar type, as `struct` writes it."""
_UINT32 = 4
_LENGTH = struct.calcsize("<Q")
"""Bytes of the number that says how long a text is."""

_ARRAY = 9
_ALIGNMENT = "general.alignment"
_USUAL_ALIGNMENT = 32
_MOST_DIMENSIONS = 4


@dataclass(frozen=True)
class GgufTensor:
    """One tensor as the header describes it."""

    name: str
    shape: tuple[int, ...]
    """As PyTorch has it: the reverse of GGUF's order."""

    kind: int
    """The format's number of its type: 0 is float32, 3 is Q4_1."""

    offset: int
    """Bytes from the start of the tensors' data."""

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

    kinds: dict[str, int] = field(default_factory=dict, repr=False)
    """The format's number of each value's type, those of arrays among them."""

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
        DamagedFile: The file is not GGUF, contradicts itself, or ends too early (`TruncatedFile`).
    """
    with path.open("rb") as file:
        return _Reader(file).header(arrays, tensors=tensors)


def check_gguf(path: Path) -> GgufHeader:
    """Read a whole header and hold it against the file: what passes has every tensor in bounds.

    The checks are those of llama.cpp's own reader and more, made in a language in which a lie cannot overflow.

    Returns:
        The header with its tensors.

    Raises:
        OSError: The file cannot be read.
        DamagedFile: As `read_gguf_header`, or a tensor is of no known type, lies outside the file, or where it cannot
            lie.
    """
    with path.open("rb") as file:
        reader = _Reader(file)
        header = reader.header((), tensors=True)
        _check_data(header, start=file.tell(), end=reader.end)
    return header


class _Reader:
    """Reads values one after the other, never beyond the limits."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._limits = gguf_data().limits
        self._items_left = self._limits.items
        self.end = file.seek(0, 2)
        file.seek(0)

    def header(self, arrays: Collection[str], *, tensors: bool) -> GgufHeader:
        if self._file.read(len(GGUF_MAGIC)) != GGUF_MAGIC:
            raise DamagedFile("it is not a GGUF file")
        (version,) = self._unpack("I")
        if version not in _VERSIONS:
            raise DamagedFile("its header is damaged, or of a version of GGUF that llama.cpp does not read")
        count, pairs = self._unpack("QQ")
        if count > self._limits.tensors or pairs > self._limits.pairs:
            raise DamagedFile("its header is damaged: it announces more entries than any model has")
        values: dict[str, Any] = {}
        kinds: dict[str, int] = {}
        for _ in range(pairs):
            key = self._string(strict=True)
            if not key or key in kinds:
                raise DamagedFile(f"its header is damaged: the key {key[:80]!r} is empty or stands there twice")
            kinds[key] = self._pair(key, values, wanted=key in arrays)
        described = self._tensors(count) if tensors else ()
        return GgufHeader(values, described, kinds)

    def _pair(self, key: str, values: dict[str, Any], *, wanted: bool) -> int:
        """Read a value, keep it where it is wanted, and return its type."""
        kind: int = self._unpack("I")[0]
        if key == _ALIGNMENT and kind != _UINT32:
            raise DamagedFile(f"its header is damaged: {_ALIGNMENT} is no 32-bit number")
        if kind != _ARRAY:
            values[key] = self._value(kind)
        elif wanted:
            item, count = self._array()
            values[key] = [self._value(item, strict=False) for _ in range(count)]
        else:
            self._skip_array()
        return kind

    def _tensors(self, count: int) -> tuple[GgufTensor, ...]:
        described = [self._tensor() for _ in range(count)]
        if len({tensor.name for tensor in described}) != count:
            raise DamagedFile("its header is damaged: two tensors have the same name")
        return tuple(described)

    def _tensor(self) -> GgufTensor:
        name = self._string(strict=True)
        (dimensions,) = self._unpack("I")
        if len(name.encode()) > self._limits.name or dimensions > _MOST_DIMENSIONS:
            raise DamagedFile(f"its header is damaged at the tensor {name[:80]!r}")
        shape = self._unpack(f"{dimensions}Q")
        kind, offset = self._unpack("IQ")
        return GgufTensor(name, shape[::-1], kind, offset)

    def _value(self, kind: int, *, strict: bool = True) -> Any:
        if kind == STRING:
            return self._string(strict=strict)
        return self._unpack(self._scalar(kind))[0]

    def _string(self, *, strict: bool) -> str:
        (length,) = self._unpack("Q")
        if length > self._limits.string:
            raise DamagedFile("its header is damaged: a text is longer than any model has")
        text = self._file.read(length)
        if len(text) < length:
            raise self._cut_off()
        try:
            # Vocabularies hold pieces of characters; names and settings do not.
            return text.decode("utf-8", errors="strict" if strict else "replace")
        except UnicodeDecodeError as error:
            raise DamagedFile("its header is damaged: a text is not UTF-8") from error

    def _array(self) -> tuple[int, int]:
        """Return the type and number of the values that follow."""
        kind, count = self._unpack("IQ")
        self._items_left -= count
        if self._items_left < 0 or (kind != STRING and kind not in _SCALARS):
            raise DamagedFile("its header is damaged: its lists are longer than any model has, or hold lists")
        return kind, count

    def _skip_array(self) -> None:
        kind, count = self._array()
        if kind != STRING:
            self._skip(count * struct.calcsize("<" + _SCALARS[kind]))
            return
        # A vocabulary has hundreds of thousands, so only the least is done for each.
        read, left = self._file.read, self._limits.header - self._file.tell()
        for _ in range(count):
            size = read(_LENGTH)
            length = int.from_bytes(size, "little")
            left -= _LENGTH + length
            if left < 0:
                raise self._too_long() if length <= self.end else self._cut_off()
            if len(size) < _LENGTH or len(read(length)) < length:
                raise self._cut_off()

    def _skip(self, count: int) -> None:
        # Reading ahead is left to the file's buffer; a jump beyond the end would go unnoticed.
        if count > self.end - self._file.tell():
            raise self._cut_off()
        self._file.seek(count, 1)

    def _scalar(self, kind: int) -> str:
        if kind not in _SCALARS:
            raise DamagedFile("its header is damaged: a value is of no known type")
        return _SCALARS[kind]

    def _unpack(self, form: str) -> tuple[Any, ...]:
        form = "<" + form
        content = self._file.read(struct.calcsize(form))
        if len(content) < struct.calcsize(form):
            raise self._cut_off()
        if self._file.tell() > self._limits.header:
            raise self._too_long()
        return struct.unpack(form, content)

    def _too_long(self) -> DamagedFile:
        return DamagedFile("its header is damaged: it is longer than any model has")

    def _cut_off(self) -> TruncatedFile:
        return TruncatedFile(f"its header is damaged: it goes on beyond the file's {self.end} bytes")


def _check_data(header: GgufHeader, *, start: int, end: int) -> None:
    """Hold the tensors against the file: each begins where the one before it ended, as llama.cpp demands."""
    data = gguf_data()
    alignment = header.values.get(_ALIGNMENT, _USUAL_ALIGNMENT)
    if not 0 < alignment <= data.limits.alignment or alignment & (alignment - 1):
        raise DamagedFile(f"its header is damaged: its alignment of {alignment} bytes is no power of two")
    start += -start % alignment
    expected = 0
    for tensor in header.tensors:
        kind = data.types.get(tensor.kind)
        if kind is None:
            raise DamagedFile(f"the tensor {tensor.name} is of the type {tensor.kind}, which llama.cpp does not know")
        row = tensor.shape[-1] if tensor.shape else 1
        if 0 in tensor.shape or row % kind.block:
            raise DamagedFile(f"the tensor {tensor.name} has rows of {row} numbers, which {kind.name} cannot hold")
        if tensor.offset != expected:
            raise DamagedFile(f"the tensor {tensor.name} does not begin where the one before it ends")
        size = tensor.size // kind.block * kind.bytes
        if start + tensor.offset + size > end:
            raise TruncatedFile(f"the tensor {tensor.name} ends beyond the file's {end} bytes")
        expected += size + -size % alignment
