"""What every request must pass before any route sees it.

A web page in the user's browser can send requests to 127.0.0.1, and by DNS rebinding even read the answers. So a
request must name this machine in its `Host`, must not come from a foreign `Origin`, and must carry the token that only
programs of this user can read. An answer has a CORS header only for an origin that the user has allowed.

The token is accepted in the `Authorization` header and nowhere else. A cookie or a password that a browser remembers
would be sent along with what a foreign page asks for; a token in a URL would stand in histories and logs.
"""

import asyncio
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from peft_engine.loopback.rate import RateLimit

MAX_BODY = 8 * 2**20
"""Bytes. An agent's prompt of ten thousand tokens takes a hundredth of it."""

BODY_SECONDS = 60.0
"""In which a body arrives. A program on this machine needs a hundredth of it for the largest."""

_TOO_LARGE = f"The request is larger than {MAX_BODY // 2**20} MiB."
_LOCAL_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?")
"""Exact: neither `localhost.` nor `127.0.0.1.example.com`. Any port, since a tunnel may bring us under another."""

_PREFLIGHT_SECONDS = 600
"""For which a browser may remember what a preflight said."""


@dataclass(frozen=True)
class Refusal:
    """Why a request does not pass."""

    status: int
    kind: Literal["forbidden", "unauthorized", "malformed", "too-many"]
    message: str
    """One sentence for people."""

    headers: dict[str, str] = field(default_factory=dict)
    """What the answer must carry."""


@dataclass(frozen=True)
class Allowance:
    """What the user allows beyond the least."""

    origins: frozenset[str] = frozenset()
    """Web pages that may ask, such as `http://localhost:5173`. They need the token like everybody."""

    limit: RateLimit | None = None
    """How often an address may make a request that counts; None for no limit."""

    counts: Callable[[str, str], bool] = lambda method, path: True
    """Whether a request of a method and a path counts."""


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
        allowance: Allowance = Allowance(),
    ) -> None:
        """Stand before an application.

        Args:
            app: Who answers what passes.
            token: What a request must carry.
            token_from: For people, where a client finds it.
            answer: Puts a refusal into the shape of the application's errors.
            on_request: Told the path of every request that passes.
            allowance: What the user allows.
        """
        self._app = app
        self._token = token.encode()
        self._token_from = token_from
        self._answer = answer
        self._on_request = on_request
        self._allowance = allowance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request or pass it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._foreign(headers)
        origin = headers.get("origin")
        if refusal is None and origin in self._allowance.origins:
            send = _readable_by(origin, send)
            if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
                # A browser asks without the key, which is not its to send, whether it may send it.
                await _preflight()(scope, receive, send)
                return
        refusal = refusal or self._unentitled(scope, headers)
        if refusal is not None:
            await self._answer(refusal)(scope, receive, send)
            return
        self._on_request(scope["path"])
        await self._app(scope, _limited(receive), send)

    def _foreign(self, headers: Headers) -> Refusal | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not _LOCAL_HOST.fullmatch(hosts[0]):
            return Refusal(403, "forbidden", "This service answers to 127.0.0.1 and localhost only.")
        allowed = {f"http://{hosts[0]}", *self._allowance.origins}
        if any(origin not in allowed for origin in headers.getlist("origin")):
            return Refusal(403, "forbidden", "This service does not answer web pages.")
        return None

    def _unentitled(self, scope: Scope, headers: Headers) -> Refusal | None:
        if not self._carries_token(headers):
            message = f"The API key is missing or wrong; it is the token {self._token_from}."
            return Refusal(401, "unauthorized", message, {"WWW-Authenticate": "Bearer"})
        try:
            too_large = int(headers.get("content-length", "0")) > MAX_BODY
        except ValueError:
            return Refusal(400, "malformed", "Content-Length is not a number.")
        if too_large:
            # Nobody wants to receive the rest only to have the connection for another request.
            return Refusal(413, "malformed", _TOO_LARGE, {"Connection": "close"})
        return self._too_often(scope)

    def _too_often(self, scope: Scope) -> Refusal | None:
        limit = self._allowance.limit
        if limit is None or not self._allowance.counts(scope["method"], scope["path"]):
            return None
        seconds = limit.count(scope["client"][0] if scope.get("client") else "")
        if seconds == 0:
            return None
        message = f"More requests came in the last minute than are allowed; ask again in {seconds} seconds."
        return Refusal(429, "too-many", message, {"Retry-After": str(seconds)})

    def _carries_token(self, headers: Headers) -> bool:
        values = headers.getlist("authorization")
        if len(values) != 1:
            return False
        scheme, _, given = values[0].partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._token)


def _preflight() -> Response:
    return Response(
        status_code=204,
        headers={
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": "authorization, content-type",
            "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
        },
    )


def _readable_by(origin: str, send: Send) -> Send:
    """Return a `send` whose answers may be read by pages of an origin."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = "Retry-After"
            headers.add_vary_header("Origin")
        await send(message)

    return sending


def _limited(receive: Receive) -> Receive:
    """Return a `receive` that ends the request when its body, whatever was announced, is too large or too slow."""
    received = 0
    complete = False
    deadline = asyncio.get_running_loop().time() + BODY_SECONDS

    async def limited() -> Message:
        nonlocal received, complete
        if complete:
            # What comes now is the client's leaving, for which we wait as long as the answer takes.
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError as error:
            late = f"The request did not arrive within {BODY_SECONDS:.0f} seconds."
            raise HTTPException(408, late, {"Connection": "close"}) from error
        received += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if received > MAX_BODY:
            raise HTTPException(413, _TOO_LARGE, {"Connection": "close"})
        return message

    return limited
