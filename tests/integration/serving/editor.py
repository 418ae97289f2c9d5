"""The editor's end of the daemon's pipe, reduced to frames of JSON."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peft_schemas import PROTOCOL_VERSION, __version__


class Editor:
    """Sends requests and keeps what is notified."""

    def __init__(self) -> None:
        self.notified: list[tuple[str, dict[str, Any]]] = []
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def start(self) -> None:
        """Start the daemon and say hello."""
        peftw = str(Path(sys.executable).with_name("peftw"))
        pipe = asyncio.subprocess.PIPE
        self._daemon = await asyncio.create_subprocess_exec(peftw, "lsp", "--stdio", stdin=pipe, stdout=pipe)
        self._reading = asyncio.create_task(self._read())
        options = {"extension_version": __version__, "protocol": PROTOCOL_VERSION, "python": sys.executable}
        await self.ask("initialize", {"processId": None, "capabilities": {}, "initializationOptions": options})
        await self.tell("initialized", {})

    @property
    def pid(self) -> int:
        """The daemon's."""
        return self._daemon.pid

    async def stop(self) -> None:
        """Say goodbye."""
        await self.ask("shutdown", None)
        await self.tell("exit", None)
        await self._daemon.wait()
        await self._reading

    def request(self, method: str, params: object) -> tuple[int, "asyncio.Future[dict[str, Any]]"]:
        """Send a request and return its id and the coming response."""
        number = len(self._answers) + 1
        self._answers[number] = asyncio.get_running_loop().create_future()
        self._send({"id": number, "method": method, "params": params})
        return number, self._answers[number]

    async def ask(self, method: str, params: object) -> Any:
        """Send a request and return its result."""
        response = await asyncio.wait_for(self.request(method, params)[1], 180)
        assert "error" not in response, response
        return response["result"]

    async def tell(self, method: str, params: object) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def of(self, method: str) -> list[dict[str, Any]]:
        """Return what came by a notification so far."""
        return [params for name, params in self.notified if name == method]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to be notified."""
        async with asyncio.timeout(120):
            while not condition():
                await asyncio.sleep(0.02)

    def _send(self, message: dict[str, object]) -> None:
        assert self._daemon.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._daemon.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    async def _read(self) -> None:
        assert self._daemon.stdout is not None
        while True:
            try:
                headers = await self._daemon.stdout.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                return
            length = next(int(line[15:]) for line in headers.splitlines() if line.startswith(b"Content-Length:"))
            message = json.loads(await self._daemon.stdout.readexactly(length))
            if "id" in message and "method" not in message:
                self._answers[message["id"]].set_result(message)
            else:
                self.notified.append((message["method"], message.get("params") or {}))
