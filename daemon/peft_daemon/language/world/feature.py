"""The world as the server has it, kept in step with the editor's news of files."""

import asyncio

from peft_daemon.language.context import DATA_SUFFIXES, MODEL_SUFFIXES
from peft_daemon.language.world.answers import answers_of
from peft_daemon.language.world.live import World
from peft_daemon.lsp.params import DidChangeWatchedFilesParams
from peft_daemon.lsp.types import FileSystemWatcher
from peft_daemon.workbench import WorkbenchServer

_BETWEEN_TRIES = 2.0
"""Seconds between two looks whether the trackers of open configs are there. No other machine is asked."""

_TEMPLATE_SUFFIXES = (".jinja", ".j2")


def register(server: WorkbenchServer) -> None:
    """Gather what is known around open documents, and ask the editor to tell when files come, change or go."""
    world = server.world = World(server.python, answers_of(server.python))

    def did_change(_: DidChangeWatchedFilesParams) -> None:
        world.look_again()

    async def watch() -> None:
        if not server.can("workspace.didChangeWatchedFiles.dynamicRegistration"):
            return
        # A model's folder is among them: its config.json and tokenizer.json have a suffix that data files have, too.
        suffixes = ",".join((*DATA_SUFFIXES, *MODEL_SUFFIXES, *_TEMPLATE_SUFFIXES))
        watchers: list[FileSystemWatcher] = [
            {"globPattern": f"**/*{{{suffixes}}}"},
            {"globPattern": "**/presets/*.yaml"},
        ]
        await server.announce("workspace/didChangeWatchedFiles", {"watchers": watchers})

    async def try_trackers() -> None:
        while True:
            await world.try_trackers([document.path for document in server.documents if document.path is not None])
            await asyncio.sleep(_BETWEEN_TRIES)

    server.listen("workspace/didChangeWatchedFiles", did_change)
    server.on_initialized(watch)
    server.on_initialized(try_trackers)
