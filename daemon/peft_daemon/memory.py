"""Watching the daemon's own memory: what can be let go is, and the editor is told once when that is not enough."""

import asyncio
import gc
import logging
from collections.abc import Callable

import psutil

from peft_daemon.lsp.kinds import MessageType
from peft_daemon.workbench import WorkbenchServer
from peft_engine.settings import read_settings
from peft_schemas.errors import WorkbenchError

_INTERVAL = 30.0
"""Seconds between two looks, which take less than a millisecond."""

_log = logging.getLogger(__name__)


class MemoryWatch:
    """Tells once each time the memory goes over its limit."""

    def __init__(self, resident: Callable[[], int]) -> None:
        """Watch.

        Args:
            resident: Returns the bytes of memory that the process holds now.
        """
        self._resident = resident
        self._was_over = False

    def became_high(self, limit: int) -> int | None:
        """Look at the memory, and return its bytes if it is above the limit and was not the last time.

        Cycles of objects that nobody holds are let go first: the collector runs seldom here, for the sake of edits.
        """
        found = self._resident()
        if found > limit:
            gc.collect()
            found = self._resident()
        over = found > limit
        became, self._was_over = over and not self._was_over, over
        return found if became else None


def register(server: WorkbenchServer) -> None:
    """Look again and again from the moment the editor is ready."""

    async def look() -> None:
        watch = MemoryWatch(lambda: int(psutil.Process().memory_info().rss))
        while True:
            try:
                found = watch.became_high(round(read_settings().daemon.memory_mb * 1e6))
            except WorkbenchError as error:
                # Whoever starts a run hears of it; a watch has nobody to tell again and again.
                _log.warning("the memory is not watched: %s", error)
                found = None
            if found is not None:
                server.notify("window/showMessage", {"type": MessageType.Warning, "message": _said(found)})
            await asyncio.sleep(_INTERVAL)

    server.on_initialized(look)


def _said(resident: int) -> str:
    return (
        f"The PEFT language server holds {resident / 1e6:.0f} MB of memory, more than `daemon.memory_mb` of "
        "settings.yaml allows. Restart it, or close large configs; runs go on."
    )
