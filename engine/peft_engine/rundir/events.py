"""Writing and following `events.jsonl`."""

import os
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import ValidationError

from peft_engine.rundir.directory import now
from peft_schemas.events import EVENT, AnyEvent, Event

SomeEvent = TypeVar("SomeEvent", bound=Event)


class EventLog:
    """The single writer of a run's events. An event whose `append` has returned survives a crash of the process.

    A line that a crash cut short is removed when the log is opened again, so that the file always holds whole events.
    """

    def __init__(self, path: Path) -> None:
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

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.last_seq = 0

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


def _repair(path: Path) -> int:
    """Cut what follows the last whole event and return that event's number."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return 0
    end = data.rfind(b"\n") + 1
    last = 0
    for line in data[:end].splitlines():
        event = _parse(line)
        if event is not None:
            last = event.seq
    if end < len(data):
        with path.open("r+b") as file:
            file.truncate(end)
    return last
