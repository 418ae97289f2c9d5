"""Errors as JSON-RPC and LSP number them."""

from typing import Any

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
SERVER_NOT_INITIALIZED = -32002
REQUEST_FAILED = -32803
"""The request was sound and yet could not be done."""

SERVER_CANCELLED = -32802
"""The server gave a request up that may be sent again."""

CONTENT_MODIFIED = -32801
"""The document changed while its answer was worked out, so that the answer would be wrong."""

REQUEST_CANCELLED = -32800
"""The editor gave the request up."""


class ResponseError(Exception):
    """A request that is answered by an error, from either side."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def as_json(self) -> dict[str, Any]:
        """Return the `error` of a JSON-RPC response."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return error
