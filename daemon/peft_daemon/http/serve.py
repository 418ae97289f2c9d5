"""Serving the API until told to stop."""

import asyncio
import secrets
import signal
from collections.abc import Callable

from peft_daemon.http.app import build_app
from peft_engine.loopback.listening import HOST, QuietServer, listen


def serve(*, port: int, python: str, announce: Callable[[str, str], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        port: Where to listen on 127.0.0.1; 0 for any free port.
        python: The interpreter that trains.
        announce: Told the base URL and the token once requests are answered.

    Raises:
        WorkbenchError: The port is taken (`port-busy`).
    """
    asyncio.run(_serve(port, python, announce))


async def _serve(port: int, python: str, announce: Callable[[str, str], None]) -> None:
    listener = listen(port)
    token = secrets.token_urlsafe(32)
    server = QuietServer(build_app(token=token, python=python))

    def leave() -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, leave)
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    announce(f"http://{HOST}:{listener.getsockname()[1]}", token)
    await serving
