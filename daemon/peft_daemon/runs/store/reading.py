"""Reading `events.jsonl` from where the index ended, in blocks, and noticing that it is another file now."""

import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from peft_schemas.events import EVENT, AnyEvent

_BLOCK = 4 << 20
"""Bytes read and written to the index at a time: some fifteen thousand events, a tenth of a second."""

_MARKED = 256
"""Bytes before the cursor whose checksum says that the file still holds what was read."""


@dataclass(frozen=True)
class Cursor:
    """How far an event log was read."""

    inode: int = 0
    offset: int = 0
    mark: int = 0
    seq: int = 0


@dataclass(frozen=True)
class Block:
    """Some whole events, and where they end."""

    events: list[AnyEvent]
    cursor: Cursor
    at_end: bool
    """Whether no whole line follows."""


def continues(path: Path, cursor: Cursor) -> bool:
    """Tell whether a log is still the one that a cursor points into, and not shorter, replaced or rewritten there."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if cursor.offset and status.st_ino != cursor.inode:
                return False
            return status.st_size >= cursor.offset and _mark(file.fileno(), cursor.offset) == cursor.mark
    except FileNotFoundError:
        return cursor.offset == 0


def next_block(path: Path, cursor: Cursor) -> Block:
    """Return whole events behind a cursor, some megabytes of them at most.

    A line that is still being written waits, and a line that is no event is passed over.
    """
    try:
        with path.open("rb") as file:
            file.seek(cursor.offset)
            # To the end of the line, however long it is.
            chunk = file.read(_BLOCK) + file.readline()
            end = chunk.rfind(b"\n") + 1
            seq, events = cursor.seq, []
            for line in chunk[:end].splitlines():
                event = _parse(line)
                if event is not None and event.seq > seq:
                    events.append(event)
                    seq = event.seq
            offset = cursor.offset + end
            inode = os.fstat(file.fileno()).st_ino
            after = Cursor(inode, offset, _mark(file.fileno(), offset), seq)
            return Block(events, after, at_end=len(chunk) < _BLOCK or end == 0)
    except FileNotFoundError:
        return Block([], cursor, at_end=True)


def _mark(descriptor: int, offset: int) -> int:
    begin = max(0, offset - _MARKED)
    return zlib.crc32(os.pread(descriptor, offset - begin, begin))


def _parse(line: bytes) -> AnyEvent | None:
    try:
        return EVENT.validate_json(line)
    except ValidationError:
        return None
