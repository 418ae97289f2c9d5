"""The end of the inference process's log, for an editor to show."""

import asyncio
import os

from peft_daemon.rpc import bind
from peft_daemon.workbench import WorkbenchServer
from peft_engine.home import logs_dir
from peft_schemas.base import Empty
from peft_schemas.pages import PageResult

_SHOWN = 256 * 1024
"""Bytes from the end. What was before them is in the file."""


def register(server: WorkbenchServer) -> None:
    """Answer the message."""

    @bind(server, "peft/serve/log")
    async def log(_: Empty) -> PageResult:
        return PageResult(text=await asyncio.to_thread(log_end))


def log_end() -> str:
    """Return the last lines of the log, or a sentence where there is none yet."""
    path = logs_dir() / "serve.log"
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _SHOWN))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return f"The model server has not run yet: there is no {path}.\n"
    # The first line may have lost its beginning.
    return text if size <= _SHOWN else f"… {path} has more\n{text.partition(chr(10))[2]}"
