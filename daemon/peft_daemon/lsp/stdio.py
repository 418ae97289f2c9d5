"""The connection to an editor: this process's input and output."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from typing import BinaryIO

from peft_daemon.lsp.endpoint import Send
from peft_daemon.lsp.framing import FrameReader, FramingError, frame
from peft_daemon.lsp.server import LanguageServer

_log = logging.getLogger(__name__)

_CHUNK = 65_536


def serve(make: Callable[[Send], LanguageServer], reader: int, writer: BinaryIO) -> int:
    """Serve an editor until it says `exit` or closes its end.

    Args:
        make: Makes the server, given what sends a message.
        reader: The file descriptor that the editor writes to.
        writer: What the editor reads.

    Returns:
        0 when the editor announced the end by `shutdown`, else 1, as LSP asks.
    """
    return asyncio.run(_serve(make, reader, writer))


async def _serve(make: Callable[[Send], LanguageServer], reader: int, writer: BinaryIO) -> int:
    loop = asyncio.get_running_loop()

    def send(body: bytes) -> None:
        # Written at once: the thread below reads on meanwhile, so an editor that writes before it reads is no deadlock.
        try:
            writer.write(frame(body))
            writer.flush()
        except OSError:
            server.ended.set()

    server = make(send)

    def read() -> None:
        # A descriptor rather than a buffered file, whose lock this thread would hold when the interpreter ends.
        frames = FrameReader()
        try:
            while data := os.read(reader, _CHUNK):
                for body in frames.feed(data):
                    loop.call_soon_threadsafe(server.receive, body)
        except (OSError, FramingError) as error:
            _log.error("the input cannot be read on: %s", error)
        loop.call_soon_threadsafe(server.ended.set)

    # A thread of its own, because not every system can wait for a pipe beside other things.
    threading.Thread(target=read, name="editor", daemon=True).start()
    await server.ended.wait()
    return 0 if server.shutdown_requested else 1
