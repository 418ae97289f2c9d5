"""A language server's life: the handshake, what the editor can do, which folders are open, and the end."""

import asyncio
from itertools import count
from typing import Any

from peft_daemon.lsp.endpoint import Endpoint, Send
from peft_daemon.lsp.errors import INVALID_REQUEST, SERVER_NOT_INITIALIZED, ResponseError
from peft_daemon.lsp.params import DidChangeWorkspaceFoldersParams, InitializeParams, WorkspaceFolder
from peft_daemon.lsp.types import Registration


class LanguageServer(Endpoint):
    """Answers `initialize`, `shutdown` and `exit`; everything else is registered on it."""

    def __init__(self, send: Send, name: str, version: str, capabilities: dict[str, Any]) -> None:
        """Make a server that waits for its editor.

        Args:
            send: Takes the bytes of each message to the editor.
            name: What the server calls itself.
            version: Its version.
            capabilities: LSP's `ServerCapabilities`.
        """
        super().__init__(send)
        self._info = {"name": name, "version": version}
        self._capabilities = capabilities
        self.initialized = False
        """Whether the handshake is done."""

        self._registrations = count(1)
        self.shutdown_requested = False
        """Whether the editor has announced the end, so that ending is no fault."""

        self.ended = asyncio.Event()
        """Set when the editor has said `exit`."""

        self.client_capabilities: dict[str, Any] = {}
        """LSP's `ClientCapabilities`."""

        self.workspace_folders: list[WorkspaceFolder] = []
        """The folders that are open in the editor."""

        self.feature("initialize", self._initialize)
        self.feature("shutdown", self._shut_down)
        self.listen("exit", lambda _: self.ended.set())
        self.listen("workspace/didChangeWorkspaceFolders", self._change_folders)

    def can(self, path: str) -> bool:
        """Tell whether the editor announced a capability: `textDocument.completion.completionItem.snippetSupport`.

        A capability that is an object counts as announced.
        """
        found: Any = self.client_capabilities
        for part in path.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return isinstance(found, dict) or bool(found)

    async def announce(self, method: str, options: Any = None) -> None:
        """Register a capability after the handshake, which editors offer as `dynamicRegistration` of a feature.

        Raises:
            ResponseError: The editor refused.
        """
        registration = Registration(id=f"{method}#{next(self._registrations)}", method=method, registerOptions=options)
        await self.request("client/registerCapability", {"registrations": [registration]})

    def greet(self, params: InitializeParams) -> None:
        """Take what the editor says of itself. The answer goes out when this returns."""

    def admit(self, method: str) -> None:
        """Refuse what comes before `initialize` or after `shutdown`."""
        if self.shutdown_requested:
            raise ResponseError(INVALID_REQUEST, f"{method}: the server is shutting down.")
        if not self.initialized and method != "initialize":
            raise ResponseError(SERVER_NOT_INITIALIZED, f"{method}: the first request must be `initialize`.")
        if self.initialized and method == "initialize":
            raise ResponseError(INVALID_REQUEST, "initialize: it was answered already.")

    def hears(self, method: str) -> bool:
        """Hear nothing before `initialize` and after `shutdown` but the end."""
        return method == "exit" or (self.initialized and not self.shutdown_requested)

    def _initialize(self, params: InitializeParams) -> dict[str, Any]:
        self.initialized = True
        self.client_capabilities = params["capabilities"]
        self.workspace_folders = list(params.get("workspaceFolders") or ())
        self.greet(params)
        return {"capabilities": self._capabilities, "serverInfo": self._info}

    def _shut_down(self, _: Any) -> None:
        self.shutdown_requested = True

    def _change_folders(self, params: DidChangeWorkspaceFoldersParams) -> None:
        gone = {folder["uri"] for folder in params["event"]["removed"]}
        kept = [folder for folder in self.workspace_folders if folder["uri"] not in gone]
        self.workspace_folders = kept + params["event"]["added"]
