"""Where a message begins and ends in the stream: a header with its length, an empty line, its bytes."""

from collections.abc import Iterator

_HEADER_END = b"\r\n\r\n"
_MAX_HEADER = 4096
"""Bytes of a header; the longest that any editor sends has about 100."""


class FramingError(Exception):
    """The stream is not one of messages, and nothing tells where the next one would begin."""


class FrameReader:
    """Cuts a stream into messages, however its bytes are delivered."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._length: int | None = None
        """Of the message whose header was read."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes of the stream and yield the messages that they complete.

        Raises:
            FramingError: A header has no length.
        """
        self._buffer += data
        while (message := self._next()) is not None:
            yield message

    def _next(self) -> bytes | None:
        if self._length is None:
            end = self._buffer.find(_HEADER_END)
            if end < 0:
                if len(self._buffer) > _MAX_HEADER:
                    raise FramingError("the input has no message header")
                return None
            self._length = _length(bytes(self._buffer[:end]))
            del self._buffer[: end + len(_HEADER_END)]
        if len(self._buffer) < self._length:
            return None
        message = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        self._length = None
        return message


def frame(body: bytes) -> bytes:
    """Return a message with its header."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def _length(header: bytes) -> int:
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    raise FramingError("a message header has no Content-Length")
