"""Protobuf messages field by field, without their schemas. Contents are skipped until they are asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from peft_engine.models.damage import DamagedFile, TruncatedFile

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}
_MOST_FIELDS = 1_000_000
"""Of all messages of a file that are looked into."""

_LONGEST_TEXT = 2**16
_LONGEST_VARINT = 10
"""Bytes, as the format has it."""


@dataclass(frozen=True)
class Field:
    """One field of a message."""

    number: int
    kind: int
    value: int
    """A varint's number; 0 for other kinds."""

    start: int
    """Where its content is in the file."""

    end: int


class Messages:
    """A file of nested messages."""

    def __init__(self, file: BinaryIO) -> None:
        """Begin with the file's size."""
        self._file = file
        self._fields_left = _MOST_FIELDS
        self.end = file.seek(0, 2)

    def fields(self, within: Field | None = None) -> Iterator[Field]:
        """Yield the fields of the file's message, or of the one within a field.

        Raises:
            DamagedFile: It is no protobuf message, has more fields than any model, or ends too early (`TruncatedFile`).
        """
        place, end = (0, self.end) if within is None else (within.start, within.end)
        while place < end:
            self._fields_left -= 1
            if self._fields_left < 0:
                raise DamagedFile("it has more parts than any model")
            key, place = self._varint(place, end)
            number, kind = key >> 3, key & 7
            if number == 0 or number >= 2**29 or kind not in (VARINT, BYTES, *_FIXED):
                raise DamagedFile("it is not made of protobuf messages")
            value = 0
            if kind == VARINT:
                start = place
                value, place = self._varint(place, end)
            else:
                length, start = self._varint(place, end) if kind == BYTES else (_FIXED[kind], place)
                place = start + length
            if place > end:
                raise TruncatedFile(f"a part goes on beyond the file's {self.end} bytes")
            yield Field(number, kind, value, start, place)

    def text(self, field: Field) -> str:
        """Return the text of a field.

        Raises:
            DamagedFile: It is too long for a name, or not UTF-8.
        """
        if field.kind != BYTES or field.end - field.start > _LONGEST_TEXT:
            raise DamagedFile("a name is no text, or too long")
        self._file.seek(field.start)
        try:
            return self._file.read(field.end - field.start).decode()
        except UnicodeDecodeError as error:
            raise DamagedFile("a name is not UTF-8") from error

    def _varint(self, place: int, end: int) -> tuple[int, int]:
        self._file.seek(place)
        value = 0
        for index, byte in enumerate(self._file.read(min(_LONGEST_VARINT, end - place))):
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                return value & (2**64 - 1), place + index + 1
        raise TruncatedFile("a number does not end")
