"""The server that an editor talks to: wiring only."""

import asyncio
import json
import logging
import sys
from collections.abc import Callable, Coroutine
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pygls.lsp.server import LanguageServer

from peft_daemon.language.documents import DocumentStore
from peft_daemon.transport import WorkbenchProtocol
from peft_schemas import PROTOCOL_VERSION, __version__
from peft_schemas.protocol import InitializationOptions

if TYPE_CHECKING:
    from peft_daemon.language.features.diagnostics import Diagnostics

_log = logging.getLogger(__name__)

Background = Callable[[], Coroutine[Any, Any, None]]


class WorkbenchServer(LanguageServer):
    """The language server of `.peft.yaml` together with the `peft/*` services."""

    protocol: WorkbenchProtocol

    def __init__(self) -> None:
        super().__init__("peft-workbench", __version__, protocol_cls=WorkbenchProtocol)
        self.documents = DocumentStore()
        self.python = sys.executable
        """The interpreter that trains and serves."""

        self.diagnostics: Diagnostics
        """The findings of open documents; set by its feature."""

        self._background: list[Background] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def on_initialized(self, work: Background) -> None:
        """Run a coroutine function in the background from the moment the editor is ready until the server ends."""
        self._background.append(work)

    def start_background(self) -> None:
        """Start what was given to `on_initialized`."""
        for work in self._background:
            self.spawn(work())
        self._background.clear()

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
        """Log what went wrong. pygls would pop up a message for each, which helps nobody."""
        _log.error("%s: %s", getattr(source, "__name__", source), error)
        if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
            self.protocol.answer_unreadable(error)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background work failed", exc_info=error)


def create_server() -> WorkbenchServer:
    """Return a server with every feature registered."""
    # The features import the class above, so they are imported here.
    from peft_daemon.language import features

    server = WorkbenchServer()
    features.register(server)
    for name in ("peft_daemon.runs.feature", "peft_daemon.serving.feature"):
        if find_spec(name.rpartition(".")[0]) and find_spec(name):
            import_module(name).register(server)
    return server
