"""What the editor is told of the inference process."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from peft_daemon.rpc import notify
from peft_daemon.serving import endpoint
from peft_daemon.workbench import WorkbenchServer
from peft_schemas.errors import ErrorReport, WorkbenchError
from peft_schemas.serving import ServeStatus

_INTERVAL = 1.0
"""Seconds between two looks at whether the inference process lives. Such a look reads one small file."""

_BUSY = 0.25
"""Seconds between two questions to the process while something is loaded, so that its progress is seen."""

_QUIET = 5.0
"""Seconds between two questions to the process when nothing goes on, as far as this daemon knows."""

_log = logging.getLogger(__name__)


class ServeWatch:
    """Tells the editor when the inference process starts, loads a model, fails, leaves or dies, whoever caused it."""

    def __init__(self, server: WorkbenchServer) -> None:
        """Remember whom to tell."""
        self._server = server
        self._told = ServeStatus(state="stopped")
        self._asked = -_QUIET
        self._changing = 0
        self._hurry = asyncio.Event()

    def tell(self, status: ServeStatus) -> None:
        """Send a status that differs from the last one sent."""
        if status != self._told:
            self._told = status
            notify(self._server, "peft/serve/changed", status)

    async def look(self) -> ServeStatus:
        """Ask the process itself, and tell."""
        status = await asyncio.to_thread(endpoint.status)
        self._asked = time.monotonic()
        dead = endpoint.left_without_a_word()
        # One that died before this editor looked is none of its business.
        if status.state == "stopped" and dead is not None and dead.pid == self._told.pid:
            status = ServeStatus(state="error", error=endpoint.KILLED)
        self.tell(status)
        return status

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[None]:
        """Look often meanwhile, and once more at the end."""
        if endpoint.find() is None:
            self.tell(ServeStatus(state="starting"))
        self._changing += 1
        self._hurry.set()
        try:
            yield
        except WorkbenchError as error:
            await self.tell_failure(error.report())
            raise
        finally:
            self._changing -= 1

    async def tell_failure(self, error: ErrorReport) -> None:
        """Say why there is no process, if there is none."""
        status = await self.look()
        if status.state in ("stopped", "error"):
            self.tell(ServeStatus(state="error", error=error))

    async def forever(self) -> None:
        """Notice what comes and goes, until cancelled."""
        while True:
            try:
                if self._is_time():
                    await self.look()
            except Exception:
                _log.exception("could not look at the inference process")
            self._hurry.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), _BUSY if self._busy else _INTERVAL)

    @property
    def _busy(self) -> bool:
        return self._changing > 0 or any(model.state == "loading" for model in self._told.models)

    def _is_time(self) -> bool:
        record = endpoint.find()
        if (record.pid if record else None) != self._told.pid:
            return True
        if self._told.state == "starting" and not self._changing:
            return True
        return record is not None and (self._busy or time.monotonic() - self._asked >= _QUIET)
