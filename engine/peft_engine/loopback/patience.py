"""Connections that are slow on purpose, or too many: they are ended before they cost anything."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_SECONDS = 20.0
"""In which the head of a request arrives. A program on this machine needs a thousandth of it."""


class ImpatientProtocol(H11Protocol):
    """Uvicorn's HTTP/1.1, which waits for ever for the rest of a request's head, with a limit to that.

    It also ends connections beyond a number that leaves file descriptors for the models.
    """

    request_seconds = REQUEST_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Prepare as uvicorn does."""
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect a request from now on."""
        super().connection_made(transport)
        if len(self.connections) > most_connections():
            transport.abort()
            return
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Read more of a request; what belongs to none that is being answered must be complete in time."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._expect()
        else:
            self._forget()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._forget()
        super().connection_lost(exc)

    def _expect(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.request_seconds, self.transport.abort)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def most_connections() -> int:
    """Return how many connections may be open at once: half of the process's file descriptors."""
    try:
        import resource
    except ImportError:
        # Windows counts handles in the millions.
        return 1024
    return min(1024, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
