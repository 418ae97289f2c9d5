"""The server that every feature is registered on: what they share, and when the services come."""

import asyncio
import importlib
import json
import logging
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pygls.exceptions import FeatureRequestError
from pygls.lsp.server import LanguageServer

from peft_daemon.language.documents import DocumentStore
from peft_daemon.transport import WorkbenchProtocol
from peft_schemas import PROTOCOL_VERSION, __version__
from peft_schemas.protocol import InitializationOptions

if TYPE_CHECKING:
    from peft_daemon.language.features.diagnostics import Diagnostics

_log = logging.getLogger(__name__)

_SERVICES_AFTER = 0.3
"""Seconds between the editor being ready and the import of the services, in which the first documents are checked."""

Background = Callable[[], Coroutine[Any, Any, None]]


class WorkbenchServer(LanguageServer):
    """The language server of `.peft.yaml` together with the `peft/*` services."""

    protocol: WorkbenchProtocol

    def __init__(self, services: Sequence[str] = ()) -> None:
        """Make a server that knows no feature yet.

        Args:
            services: Modules whose `register(server)` adds the `peft/*` messages, imported only when they are needed.
        """
        super().__init__("peft-workbench", __version__, protocol_cls=WorkbenchProtocol)
        self.documents = DocumentStore()
        self.python = sys.executable
        """The interpreter that trains and serves."""

        self.diagnostics: Diagnostics
        """The findings of open documents; set by its feature."""

        self._background: list[Background] = []
        self._ready = False
        self._services = services
        self._services_loaded = False
        self._tasks: set[asyncio.Task[None]] = set()

    def on_initialized(self, work: Background) -> None:
        """Run a coroutine function in the background from the moment the editor is ready until the server ends."""
        if self._ready:
            self.spawn(work())
        else:
            self._background.append(work)

    def start_background(self) -> None:
        """Load the services and start what was given to `on_initialized`, now that the editor is ready."""
        self._ready = True
        for work in self._background:
            self.spawn(work())
        self._background.clear()
        self.spawn(self._load_services_soon())

    def load_services(self) -> None:
        """Register the `peft/*` services, once.

        They take as long to import as the language itself, and the first diagnostics do not need them. So they come
        when the first of them is asked for, and at the latest soon after the editor is ready.
        """
        if self._services_loaded:
            return
        self._services_loaded = True
        for name in self._services:
            importlib.import_module(name).register(self)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine beside everything else; what it raises goes to the log."""
        task = asyncio.get_running_loop().create_task(work)
        # The loop holds tasks weakly: without this set a running one could be collected.
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def take_options(self, options: Any) -> None:
        """Read `initializationOptions`. Editors other than ours may send none, or their own."""
        if not isinstance(options, dict) or "protocol" not in options:
            return
        try:
            known = InitializationOptions.model_validate(options)
        except ValidationError as error:
            _log.warning("initializationOptions were not understood: %s", error)
            return
        if known.protocol != PROTOCOL_VERSION:
            _log.warning("the editor speaks protocol %s, this server %s", known.protocol, PROTOCOL_VERSION)
        self.python = known.python or self.python

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log what went wrong outside any request. pygls would pop up a message for each, which helps nobody."""
        if source is FeatureRequestError:  # answered and logged already
            return
        _log.error("%s: %s", getattr(source, "__name__", source), error)
        if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
            self.protocol.answer_unreadable(error)

    async def _load_services_soon(self) -> None:
        await asyncio.sleep(_SERVICES_AFTER)
        # Importing in a thread leaves the loop free for the editor; registering is done here.
        for name in self._services:
            await asyncio.to_thread(importlib.import_module, name)
        self.load_services()

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background work failed", exc_info=error)
