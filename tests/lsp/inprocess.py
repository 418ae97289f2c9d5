"""A server in this process, spoken to by whole messages."""

import asyncio
import json
from typing import Any

from peft_daemon.lsp.endpoint import Endpoint


class Wire:
    """What an endpoint sent, and a way to talk to it. Give `sent.append` to the endpoint as its `send`."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self._last_id = 0

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Everything that was sent so far."""
        return [json.loads(body) for body in self.sent]

    async def ask(self, endpoint: Endpoint, method: str, params: Any = None) -> dict[str, Any]:
        """Send a request and return the whole response."""
        return await self.response(self.begin(endpoint, method, params))

    def begin(self, endpoint: Endpoint, method: str, params: Any = None) -> int:
        """Send a request and return its id."""
        self._last_id += 1
        self.tell(endpoint, {"id": self._last_id, "method": method, "params": params})
        return self._last_id

    def tell(self, endpoint: Endpoint, message: dict[str, Any]) -> None:
        """Send a message."""
        endpoint.receive(json.dumps({"jsonrpc": "2.0", **message}).encode())

    async def response(self, id_: int) -> dict[str, Any]:
        """Wait for the response to a request."""
        async with asyncio.timeout(60):
            while True:
                for message in self.messages:
                    if message.get("id") == id_ and "method" not in message:
                        return message
                await asyncio.sleep(0.001)
