"""JSON-RPC as the specification has it, where pygls is lax: errors are answered, texts are ours, exit has a code."""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, NoReturn

from cattrs import Converter
from lsprotocol import types
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInvalidParams,
    JsonRpcInvalidRequest,
    JsonRpcParseError,
    JsonRpcServerNotInitialized,
)
from pygls.protocol import JsonRPCNotification, JsonRPCRequestMessage, LanguageServerProtocol, lsp_method

from peft_schemas import PROTOCOL_VERSION, __version__
from peft_schemas.protocol import ServerVersion

if TYPE_CHECKING:
    from peft_daemon.workbench import WorkbenchServer

_log = logging.getLogger(__name__)


class _Malformed:
    """Stands in for the params of a request that does not have the shape LSP prescribes."""


class WorkbenchProtocol(LanguageServerProtocol):
    """LSP over JSON-RPC for `WorkbenchServer`."""

    _server: WorkbenchServer

    def __init__(self, server: WorkbenchServer, converter: Converter) -> None:
        super().__init__(server, converter)
        self._initialized = False

    @property
    def shutdown_requested(self) -> bool:
        """Whether the editor has announced the end, so that ending is no fault."""
        return bool(self._shutdown)

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Turn a decoded JSON object into a message; a request that pygls cannot read stays answerable.

        pygls calls this for every object inside a message too, and would turn the params of methods it does not know
        into attribute objects; ours stay plain dictionaries.
        """
        if "jsonrpc" not in data:
            return data
        method = data.get("method")
        if isinstance(method, str) and self.get_message_type(method) is None:
            params, version = data.get("params"), data["jsonrpc"]
            if "id" in data:
                return JsonRPCRequestMessage(id=data["id"], method=method, jsonrpc=version, params=params)
            return JsonRPCNotification(method=method, jsonrpc=version, params=params)
        try:
            return super().structure_message(data)
        except JsonRpcException:
            if isinstance(method, str) and "id" in data:
                return JsonRPCRequestMessage(id=data["id"], method=method, jsonrpc=data["jsonrpc"], params=_Malformed())
            raise

    def _handle_request(self, msg_id: str | int, method_name: str, params: Any) -> None:
        error: JsonRpcException | None = None
        if isinstance(params, _Malformed):
            error = JsonRpcInvalidParams(f"{method_name}: the params do not have the shape that LSP prescribes.")
        elif not self._initialized and method_name != types.INITIALIZE:
            error = JsonRpcServerNotInitialized("The first request must be `initialize`.")
        elif self._initialized and method_name == types.INITIALIZE:
            error = JsonRpcInvalidRequest("`initialize` was already answered.")
        if error is not None:
            self._send_response(msg_id, None, error.to_response_error())
            return
        if method_name == types.INITIALIZE:
            self._initialized = True
        super()._handle_request(msg_id, method_name, params)

    def _get_handler(self, feature_name: str) -> Any:
        if feature_name.startswith("peft/"):
            self._server.load_services()
        return super()._get_handler(feature_name)

    def handle_message(self, message: Any) -> None:
        """Answer also what comes after `shutdown`, which pygls drops."""
        if self._shutdown and isinstance(getattr(message, "method", None), str) and hasattr(message, "id"):
            error = JsonRpcInvalidRequest("The server is shutting down.")
            self._send_response(message.id, None, error.to_response_error())
            return
        super().handle_message(message)

    def answer_unreadable(self, error: Exception) -> None:
        """Answer a message that could not even be read, as JSON-RPC asks: an error for no id in particular."""
        self._send_response(None, None, JsonRpcParseError(str(error)).to_response_error())  # type: ignore[arg-type]

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        """Say what the server can do, and which version of our own messages it speaks."""
        self._server.take_options(params.initialization_options)
        result = yield from super().lsp_initialize(params)
        version = ServerVersion(version=__version__, protocol=PROTOCOL_VERSION)
        result.capabilities.experimental = {"peft": version.model_dump(mode="json")}
        # pygls would follow the client's preference, but our ranges are UTF-16 everywhere.
        result.capabilities.position_encoding = types.PositionEncodingKind.Utf16
        return result

    @lsp_method(types.INITIALIZED)
    def lsp_initialized(self, *_: Any) -> None:
        """Start what goes on in the background."""
        self._server.start_background()

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> Generator[Any, Any, None]:
        """Keep the text, then tell the feature that watches documents."""
        item = params.text_document
        self._server.documents.open(item.uri, item.version, item.text)
        yield from self._tell(types.TEXT_DOCUMENT_DID_OPEN, params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> Generator[Any, Any, None]:
        """Apply the edits, then tell the feature that watches documents."""
        document = params.text_document
        self._server.documents.change(document.uri, document.version, params.content_changes)
        yield from self._tell(types.TEXT_DOCUMENT_DID_CHANGE, params)

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> Generator[Any, Any, None]:
        """Forget the text, then tell the feature that watches documents."""
        self._server.documents.close(params.text_document.uri)
        yield from self._tell(types.TEXT_DOCUMENT_DID_CLOSE, params)

    @lsp_method(types.EXIT)
    def lsp_exit(self, *_: Any) -> NoReturn:
        """End the process."""
        raise SystemExit

    def _tell(self, method: str, params: Any) -> Generator[Any, Any, None]:
        handler = self.fm.features.get(method)
        if handler is not None:
            yield handler, (params,), None
