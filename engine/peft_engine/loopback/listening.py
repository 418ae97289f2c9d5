"""Taking a port of 127.0.0.1, and a uvicorn that leaves the process to its owner."""

import contextlib
import errno
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from peft_engine.loopback.patience import ImpatientProtocol
from peft_engine.loopback.port_owner import port_owner
from peft_schemas.errors import WorkbenchError

HOST = "127.0.0.1"

_GRACE = 2
"""Seconds that open connections get when the process leaves."""


class QuietServer(uvicorn.Server):
    """Uvicorn without three of its habits.

    It keeps no access log, which would tell anyone who reads it what is asked; it leaves the signals to its owner, who
    has to clear up before the process ends; and it does not wait for ever for a request.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Prepare; `serve` serves."""
        super().__init__(
            uvicorn.Config(
                app,
                http=ImpatientProtocol,
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                timeout_graceful_shutdown=_GRACE,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def listen(port: int) -> socket.socket:
    """Return a socket that is bound to a port.

    Args:
        port: 0 for any free one.

    Raises:
        WorkbenchError: The port is taken (`port-busy`).
    """
    # With the protocol named, which asyncio asks for before it has small pieces sent at once (TCP_NODELAY): else each
    # piece of an answer may wait some 40 ms until the client confirms the one before.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        owner = port_owner(port) or "another program"
        reason = f"is used by {owner}" if error.errno == errno.EADDRINUSE else f"is refused: {error.strerror}"
        raise WorkbenchError(
            "port-busy",
            f"Port {port} on {HOST} {reason}.",
            "Choose another with --port or as serving.port in settings.yaml, or name none to take any free one.",
        ) from error
    return listener
