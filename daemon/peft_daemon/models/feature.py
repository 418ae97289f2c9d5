"""The `peft/models/*` messages of the editor, and the look at the disk that goes on behind them."""

import asyncio
import logging
import time
from pathlib import Path

from peft_daemon.lsp.uris import to_path
from peft_daemon.models.changing import add_model, remove_model
from peft_daemon.models.converting import convert_and_add, offers_for
from peft_daemon.models.faults import FaultMarks
from peft_daemon.models.listing import find_model, list_models, path_of
from peft_daemon.rpc import bind, in_thread, notify
from peft_daemon.workbench import WorkbenchServer
from peft_engine.files import Stamp, stamp
from peft_engine.library.bounds import library_bounds
from peft_engine.library.definitions import definition_files
from peft_engine.library.scan import scan_in_thread
from peft_engine.library.workspaces import announce
from peft_schemas.base import Empty
from peft_schemas.conversion import (
    ConversionOffers,
    ConversionProgress,
    ConvertParams,
    ConvertProgressParams,
    ConvertResult,
)
from peft_schemas.errors import WorkbenchError
from peft_schemas.library import ModelAddParams, ModelEntry, ModelIdParams, ModelList, ModelQuery

_log = logging.getLogger(__name__)


class LibraryWatch:
    """Scans now and then, and tells the editor when what there is, or what defines it, has changed."""

    def __init__(self, server: WorkbenchServer) -> None:
        """Remember whom to tell."""
        self._server = server
        self._definitions: dict[str, Stamp | None] = {}
        """As they were last told of. The first look may be later than the editor's first list."""

        self._marks = FaultMarks(server)

    def tell(self) -> None:
        """Say that the list is another one now."""
        notify(self._server, "peft/models/changed", Empty())

    async def look(self) -> None:
        """Scan, and tell when that changed anything.

        Raises:
            WorkbenchError: The user's settings cannot be read.
        """
        if await scan_in_thread():
            self.tell()

    async def forever(self) -> None:
        """Notice what comes and goes, until cancelled."""
        refresh = library_bounds().refresh
        due = time.monotonic()
        announced: list[Path] = []
        while True:
            try:
                if time.monotonic() >= due:
                    due = time.monotonic() + refresh.scan
                    await self.look()
                if (folders := self._trusted_folders()) != announced:
                    await asyncio.to_thread(announce, folders)
                    announced = folders
                now = await asyncio.to_thread(_stamps)
                if now != self._definitions:
                    self.tell()
                    self._definitions = now
                    await self._marks.refresh()
            except WorkbenchError as error:
                _log.warning("models were not looked for: %s", error)
            except Exception:
                _log.exception("could not look for models")
            await asyncio.sleep(refresh.definitions)

    def _trusted_folders(self) -> list[Path]:
        folders = [to_path(folder["uri"]) for folder in self._server.workspace_folders if self._server.trusted]
        return [folder for folder in folders if folder is not None]


def register(server: WorkbenchServer) -> None:
    """Answer the messages about models, and look for them in the background."""
    watch = LibraryWatch(server)
    server.on_initialized(watch.forever)

    @bind(server, "peft/models/list")
    async def listed(query: ModelQuery) -> ModelList:
        return await asyncio.to_thread(list_models, query)

    @bind(server, "peft/models/show")
    async def shown(params: ModelIdParams) -> ModelEntry:
        return await asyncio.to_thread(find_model, params.id)

    @bind(server, "peft/models/scan")
    async def scanned(_: Empty) -> ModelList:
        await watch.look()
        return await asyncio.to_thread(list_models, ModelQuery())

    @bind(server, "peft/models/add")
    async def added(params: ModelAddParams) -> ModelEntry:
        model = await asyncio.to_thread(add_model, path_of(params.path), params.id)
        watch.tell()
        return model

    @bind(server, "peft/models/remove")
    async def removed(params: ModelIdParams) -> Empty:
        await asyncio.to_thread(remove_model, params.id)
        watch.tell()
        return Empty()

    @bind(server, "peft/models/offers")
    async def offered(params: ModelIdParams) -> ConversionOffers:
        return await asyncio.to_thread(offers_for, params.id)

    @bind(server, "peft/models/convert")
    async def converted(params: ConvertParams) -> ConvertResult:
        result = await _convert(server, params)
        watch.tell()
        return result


async def _convert(server: WorkbenchServer, params: ConvertParams) -> ConvertResult:
    """Convert beside the event loop. `$/cancelRequest` is answered when nothing is left of the conversion."""
    loop = asyncio.get_running_loop()

    def tell(progress: ConversionProgress) -> None:
        said = ConvertProgressParams(request_id=params.request_id, progress=progress)
        loop.call_soon_threadsafe(notify, server, "peft/models/progress", said)

    return await in_thread(lambda cancelled: convert_and_add(params, tell, cancelled, python=server.python))


def _stamps() -> dict[str, Stamp | None]:
    return {str(path): stamp(path) for path in definition_files()}
