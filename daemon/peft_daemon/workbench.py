"""The server that every feature is registered on: what they share, and when they are loaded."""

import asyncio
import importlib
import inspect
import logging
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from peft_daemon.capabilities import CAPABILITIES
from peft_daemon.lsp.endpoint import Handler, Send
from peft_daemon.lsp.errors import CONTENT_MODIFIED, ResponseError
from peft_daemon.lsp.params import InitializeParams
from peft_daemon.lsp.server import LanguageServer
from peft_schemas import PROTOCOL_VERSION, __version__

if TYPE_CHECKING:
    from peft_daemon.language.documents import DocumentStore, OpenDocument
    from peft_daemon.language.features.diagnostics import Diagnostics
    from peft_daemon.language.workspace import Workspace
    from peft_daemon.language.world.live import World

_log = logging.getLogger(__name__)

_LATER = 0.3
"""Seconds between two looks whether the first diagnostics are out, so that what they do not need can be loaded."""

Background = Callable[[], Coroutine[Any, Any, None]]


class WorkbenchServer(LanguageServer):
    """The language server of `.peft.yaml` together with the `peft/*` services."""

    documents: "DocumentStore"
    """The open documents; set by the module that follows their edits."""

    diagnostics: "Diagnostics"
    """The findings of open documents; set by its feature."""

    world: "World"
    """What is known around the open documents; set by its feature."""

    workspace: "Workspace"
    """The configs of the open folders; set by the module that follows which come and go."""

    def __init__(self, send: Send, first: Sequence[str], later: Sequence[str]) -> None:
        """Make a server that can introduce itself before anything of it is loaded.

        Args:
            send: Takes the bytes of each message to the editor.
            first: Modules whose `register(server)` adds what a document needs when it is opened.
            later: Modules that can wait until they are asked for, in the order in which they are likely to be.
        """
        super().__init__(send, "peft-workbench", __version__, CAPABILITIES)
        self.python = sys.executable
        """The interpreter that trains and serves."""

        self.trusted = False
        """Whether the user trusts what is in the open folders."""

        self._first = list(first)
        self._later = list(later)
        self._background: list[Background] = []
        self._ready = False
        self.listen("initialized", lambda _: self._start_background())

    def feature(self, method: str, handler: Handler) -> None:
        """Answer a request. An answer that is worked out while its document is edited is dropped."""
        super().feature(method, self._while_unedited(handler) if inspect.iscoroutinefunction(handler) else handler)

    def handler(self, method: str) -> Handler:
        """Return what answers a request, after loading the modules up to the one that does."""
        while not self.answers(method) and self._later:
            self._load(self._later)
        return super().handler(method)

    def receive(self, body: bytes) -> None:
        """Take a message from the editor. `initialize` is answered before what the next ones need is loaded."""
        super().receive(body)
        while self.initialized and self._first:
            self._load(self._first)

    def on_initialized(self, work: Background) -> None:
        """Run a coroutine function in the background from the moment the editor is ready until the server ends."""
        if self._ready:
            self.spawn(work())
        else:
            self._background.append(work)

    def greet(self, params: InitializeParams) -> None:
        """Read `initializationOptions`. Editors other than ours may send none, or their own."""
        # By hand, because their model in `peft_schemas.protocol` would take pydantic to load before the handshake.
        options = params.get("initializationOptions")
        if not isinstance(options, dict) or not isinstance(protocol := options.get("protocol"), int):
            return
        if protocol != PROTOCOL_VERSION:
            _log.warning("the editor speaks protocol %s, this server %s", protocol, PROTOCOL_VERSION)
        if isinstance(python := options.get("python"), str):
            self.python = python
        self.trusted = options.get("trusted") is True

    def _start_background(self) -> None:
        self._ready = True
        for work in self._background:
            self.spawn(work())
        self._background.clear()
        self.spawn(self._load_the_rest())

    async def _load_the_rest(self) -> None:
        await asyncio.sleep(_LATER)
        while self.diagnostics.busy:
            await asyncio.sleep(_LATER)
        while self._later:
            # Importing in a thread leaves the loop free for the editor; registering is done here.
            name = self._later[0]
            await asyncio.to_thread(importlib.import_module, name)
            if name in self._later:  # no request needed it meanwhile
                self._load(self._later)
        _log.info("everything is loaded")

    def _load(self, modules: list[str]) -> None:
        importlib.import_module(modules.pop(0)).register(self)

    def _while_unedited(self, handler: Handler) -> Handler:
        def answer(params: Any) -> Any:
            # Before the first step of the coroutine, which edits that are on their way would precede.
            return self._unless_edited(self._document_of(params), handler, params)

        return answer

    async def _unless_edited(self, document: "OpenDocument | None", handler: Handler, params: Any) -> Any:
        result = await handler(params)
        if document is not self._document_of(params):
            raise ResponseError(CONTENT_MODIFIED, "The document was edited before the answer was ready.")
        return result

    def _document_of(self, params: Any) -> "OpenDocument | None":
        identifier = params.get("textDocument") if isinstance(params, dict) else None
        return self.documents.get(identifier["uri"]) if isinstance(identifier, dict) else None
