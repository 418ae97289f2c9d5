"""JSON over HTTP to a server that is not ours: it may be slow, wrong, or somebody else."""

import ipaddress
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

_CONNECT_SECONDS = 5.0
_SILENCE_SECONDS = 10.0
"""Without a byte from the server."""

_ANSWER_SECONDS = 30.0
"""For a whole answer, so that one that trickles in ends too."""

_LARGEST_ANSWER = 4 << 20
"""Bytes. What we ask for is answered in some kilobytes."""


class NoAnswer(Exception):
    """No whole answer came; the message says why, in words that stand after `cannot be reached: `."""


class Answer:
    """What a server answered."""

    def __init__(self, status: int, body: Any) -> None:
        self.status = status
        self.body: dict[str, Any] = body if isinstance(body, dict) else {}
        """The JSON object that came; empty where something else did."""

        self.is_object = isinstance(body, dict)


class JsonClient:
    """Asks one server. Redirects are not followed, so that neither data nor a token goes where nobody sent it."""

    def __init__(self, url: str, *, token: str | None = None) -> None:
        """Prepare to ask; nothing is sent yet.

        Args:
            url: The root of the server's address.
            token: Sent with every request, as a bearer token.
        """
        headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "peft-workbench"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        self._client = httpx.Client(
            base_url=url.rstrip("/"),
            headers=headers,
            timeout=httpx.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS),
            follow_redirects=False,
            # The proxy of a company is for others than this machine.
            trust_env=not _is_loopback(url),
        )

    def ask(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> Answer:
        """Send one request and return the answer, whatever its status.

        Raises:
            NoAnswer: The server was not reached, or did not answer whole within the time and size that it has.
        """
        deadline = time.monotonic() + _ANSWER_SECONDS
        try:
            with self._client.stream(method, path, params=query, json=body) as response:
                content = bytearray()
                for chunk in response.iter_raw():
                    content += chunk
                    if len(content) > _LARGEST_ANSWER:
                        raise NoAnswer(f"it answers with more than {_LARGEST_ANSWER >> 20} MiB")
                    if time.monotonic() > deadline:
                        raise NoAnswer(f"its answer takes longer than {_ANSWER_SECONDS:g} seconds")
                return Answer(response.status_code, _json(bytes(content)))
        except httpx.TimeoutException as error:
            raise NoAnswer("it does not answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            # The message of the library may hold the address, and the address what nobody should read.
            raise NoAnswer(_why(error)) from error

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


def origin(url: str) -> tuple[str, str, int | None]:
    """Return the scheme, host and port of an address."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port


def _why(error: Exception) -> str:
    if isinstance(error, httpx.ConnectError):
        return "it refuses the connection, or there is no such host"
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL | UnicodeError):
        return "this is no address of a server"
    return "the connection broke"


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
