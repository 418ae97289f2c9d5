"""Messages come out of the stream as they went in, however the bytes are delivered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_daemon.lsp.framing import FrameReader, FramingError, frame


@given(bodies=st.lists(st.binary(max_size=40), max_size=6), data=st.data())
def test_any_cutting_of_the_stream_gives_the_same_messages(bodies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(map(frame, bodies))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader = FrameReader()
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [body for piece in pieces for body in reader.feed(piece)] == bodies


def test_further_headers_and_any_case_are_understood() -> None:
    stream = b"content-length : 2\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n{}"
    assert list(FrameReader().feed(stream)) == [b"{}"]


@pytest.mark.parametrize(
    "stream",
    [b"Content-Type: x\r\n\r\n{}", b"Content-Length: -2\r\n\r\n{}", b"Content-Length: x\r\n\r\n", b"x" * 5000],
)
def test_a_stream_without_lengths_is_refused(stream: bytes) -> None:
    with pytest.raises(FramingError):
        list(FrameReader().feed(stream))
