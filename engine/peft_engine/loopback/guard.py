"""What every request must pass before any route sees it.

A web page in the user's browser can send requests to 127.0.0.1, and by DNS rebinding even read the answers. So a
request must name this machine in its `Host`, must not come from a foreign `Origin`, and must carry the token that only
programs of this user can read. No answer has a CORS header.
"""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 8 * 2**20
"""Bytes. An agent's prompt of ten thousand tokens takes a hundredth of it."""

_TOO_LARGE = f"The request is larger than {MAX_BODY // 2**20} MiB."
_LOCAL_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?")
"""Exact: neither `localhost.` nor `127.0.0.1.example.com`. Any port, since a tunnel may bring us under another."""


@dataclass(frozen=True)
class Refusal:
    """Why a request does not pass."""

    status: int
    kind: Literal["forbidden", "unauthorized", "malformed"]
    message: str
    """One sentence for people."""

    headers: dict[str, str] = field(default_factory=dict)
    """What the answer must carry."""


class Guard:
    """ASGI middleware. Everything is refused that is not known to be the user's own."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str,
        token_from: str,
        answer: Callable[[Refusal], Response],
        on_request: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Stand before an application.

        Args:
            app: Who answers what passes.
            token: What a request must carry.
            token_from: For people, where a client finds it.
            answer: Puts a refusal into the shape of the application's errors.
            on_request: Told the path of every request that passes.
        """
        self._app = app
        self._token = token.encode()
        self._token_from = token_from
        self._answer = answer
        self._on_request = on_request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request or pass it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope))
        if refusal is not None:
            await self._answer(refusal)(scope, receive, send)
            return
        self._on_request(scope["path"])
        await self._app(scope, self._limited(receive), send)

    def _refusal(self, headers: Headers) -> Refusal | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not _LOCAL_HOST.fullmatch(hosts[0]):
            return Refusal(403, "forbidden", "This service answers to 127.0.0.1 and localhost only.")
        origins = headers.getlist("origin")
        if any(origin != f"http://{hosts[0]}" for origin in origins):
            return Refusal(403, "forbidden", "This service does not answer web pages.")
        if not self._carries_token(headers):
            message = f"The API key is missing or wrong; it is the token {self._token_from}."
            return Refusal(401, "unauthorized", message, {"WWW-Authenticate": "Bearer"})
        try:
            too_large = int(headers.get("content-length", "0")) > MAX_BODY
        except ValueError:
            return Refusal(400, "malformed", "Content-Length is not a number.")
        return Refusal(413, "malformed", _TOO_LARGE) if too_large else None

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
