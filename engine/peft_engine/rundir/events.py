"""Writing and following `events.jsonl`."""

import os
import threading
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from pydantic import ValidationError

from peft_engine.rundir.directory import now
from peft_schemas.events import EVENT, AnyEvent, Event

_CHUNK = 64 * 1024
"""Bytes that a look from the end of a log takes at a time; a line is far shorter."""

SomeEvent = TypeVar("SomeEvent", bound=Event)


class EventLog:
    """The single writer of a run's events. An event whose `append` has returned survives a crash of the process.

    Threads may share it: the heartbeat tells of a loop that stands still.
    A line that a crash cut short is removed when the log is opened again, so that the file always holds whole events.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._last_seq = _repair(path)
        self._file = path.open("ab", buffering=0)

    @property
    def last_seq(self) -> int:
        """The number of the newest event, 0 when there is none."""
        return self._last_seq

    def append(self, make: type[SomeEvent], **fields: Any) -> SomeEvent:
        """Number, time and write one event: `log.append(StateEvent, state="running")`.

        Raises:
            OSError: The disk is full; the partial line is removed and the log stays usable.
        """
        with self._lock:
            event = make(seq=self._last_seq + 1, time=now(), **fields)
            line = event.model_dump_json().encode() + b"\n"
            start = os.fstat(self._file.fileno()).st_size
            try:
                written = 0
                while written < len(line):
                    written += self._file.write(line[written:]) or 0
            except OSError:
                os.ftruncate(self._file.fileno(), start)
                raise
            self._last_seq = event.seq
            return event

    def sync(self) -> None:
        """Make everything written durable against a power cut."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Make everything durable and release the file."""
        self.sync()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class EventTail:
    """A reader that follows a log: each call of `read` returns the events that were completed since the last."""

    def __init__(self, path: Path, offset: int = 0, last_seq: int = 0) -> None:
        """Begin to follow.

        Args:
            path: The log; it may not be there yet.
            offset: Where a line begins, the bytes before which were read already.
            last_seq: Only events with a higher number are returned.
        """
        self._path = path
        self._offset = offset
        self.last_seq = last_seq

    def read(self) -> list[AnyEvent]:
        """Return the new whole events, oldest first; a line that is still being written waits for the next call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                chunk = file.read()
        except FileNotFoundError:
            return []
        end = chunk.rfind(b"\n") + 1
        events = []
        for line in chunk[:end].splitlines():
            event = _parse(line)
            if event is not None and event.seq > self.last_seq:
                events.append(event)
                self.last_seq = event.seq
        self._offset += end
        return events


def _parse(line: bytes) -> AnyEvent | None:
    try:
        return EVENT.validate_json(line)
    except ValidationError:
        return None


def events_after(path: Path, seq: int) -> list[AnyEvent]:
    """Return the whole events of a log behind the one with a number; what is before it is hardly read."""
    try:
        with path.open("rb") as file:
            offset = _not_after(file, seq)
    except FileNotFoundError:
        return []
    return EventTail(path, offset, seq).read()


def last_seq(path: Path) -> int:
    """Return the number of a log's newest whole event, 0 when there is none; reads no more than it must."""
    try:
        with path.open("rb") as file:
            return _last(file)[0]
    except FileNotFoundError:
        return 0


def _repair(path: Path) -> int:
    """Cut what follows the last whole line, and return the number of the last whole event."""
    try:
        with path.open("r+b") as file:
            seq, end = _last(file)
            if end < file.seek(0, os.SEEK_END):
                file.truncate(end)
            return seq
    except FileNotFoundError:
        return 0


def _not_after(file: IO[bytes], seq: int) -> int:
    """Return where a line begins such that every event before it has at most this number: numbers rise, so halve."""
    low, high = 0, file.seek(0, os.SEEK_END)
    while high - low > _CHUNK:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline()
        start = file.tell()
        event = _parse(file.readline())
        if event is not None and event.seq <= seq:
            low = start
        else:
            high = middle
    return low


def _last(file: IO[bytes]) -> tuple[int, int]:
    """Return the number of the last whole event, and where the last whole line ends; looks from the end."""
    start = size = file.seek(0, os.SEEK_END)
    tail, end = b"", 0
    while start > 0:
        start = max(0, start - _CHUNK)
        file.seek(start)
        tail = file.read(size - start)
        end = end or start + tail.rfind(b"\n") + 1 if b"\n" in tail else 0
        # The first line of what was read may have begun before it.
        lines = tail[: end - start].splitlines()[0 if start == 0 else 1 :] if end else []
        event = next((event for line in reversed(lines) if (event := _parse(line)) is not None), None)
        if event is not None:
            return event.seq, end
    return 0, end
