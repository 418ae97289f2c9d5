"""What every request must pass before any route sees it.

A web page in the user's browser can send requests to 127.0.0.1, and by DNS rebinding even read the answers. So a
request must name this machine in its `Host`, must not come from a foreign `Origin`, and must carry the token that only
programs of this user can read. No answer has a CORS header.
"""

import hmac
import re
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from peft_engine.inference.http.errors import error_body, invalid_request

MAX_BODY = 8 * 2**20
"""Bytes. An agent's prompt of ten thousand tokens takes a hundredth of it."""

_TOO_LARGE = f"The request is larger than {MAX_BODY // 2**20} MiB."
_LOCAL_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?")
"""Exact: neither `localhost.` nor `127.0.0.1.example.com`. Any port, since a tunnel may bring us under another."""


class Guard:
    """ASGI middleware. Everything is refused that is not known to be the user's own."""

    def __init__(self, app: ASGIApp, *, token: str, on_request: Callable[[str], None]) -> None:
        """Stand before an application.

        Args:
            app: Who answers what passes.
            token: What a request must carry.
            on_request: Told the path of every request that passes.
        """
        self._app = app
        self._token = token.encode()
        self._on_request = on_request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request or pass it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope))
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        self._on_request(scope["path"])
        await self._app(scope, self._limited(receive), send)

    def _refusal(self, headers: Headers) -> JSONResponse | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not _LOCAL_HOST.fullmatch(hosts[0]):
            return _forbidden("This service answers to 127.0.0.1 and localhost only.")
        origins = headers.getlist("origin")
        if any(origin != f"http://{hosts[0]}" for origin in origins):
            return _forbidden("This service does not answer web pages.")
        if not self._carries_token(headers):
            body = error_body(
                "The API key is missing or wrong; it is the token in serve.json, which `peftw serve` prints.",
                kind="authentication_error",
                code="invalid_api_key",
            )
            return JSONResponse(body, 401, headers={"WWW-Authenticate": "Bearer"})
        try:
            too_large = int(headers.get("content-length", "0")) > MAX_BODY
        except ValueError:
            return invalid_request("Content-Length is not a number.")
        return invalid_request(_TOO_LARGE, status=413) if too_large else None

    def _carries_token(self, headers: Headers) -> bool:
        values = headers.getlist("authorization")
        if len(values) != 1:
            return False
        scheme, _, given = values[0].partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._token)

    def _limited(self, receive: Receive) -> Receive:
        """Return a `receive` that ends the request when more than `MAX_BODY` bytes come, whatever was announced."""
        received = 0

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY:
                raise HTTPException(413, _TOO_LARGE)
            return message

        return limited


def _forbidden(message: str) -> JSONResponse:
    return JSONResponse(error_body(message, kind="permission_error", code="forbidden"), 403)
