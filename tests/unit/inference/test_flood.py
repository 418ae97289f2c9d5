"""Ten thousand requests at once, through the whole application to the real scheduler, but over no network."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from peft_engine.inference.http.app import build_app
from tests.unit.inference.echoes import PLENTY, House

TOKEN = "correct-horse"
MANY = 10_000
ROOM = 64
BODY = json.dumps({"model": "base", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}).encode()
SCOPE = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "scheme": "http",
    "method": "POST",
    "path": "/v1/chat/completions",
    "raw_path": b"/v1/chat/completions",
    "query_string": b"",
    "client": ("127.0.0.1", 50000),
    "server": ("127.0.0.1", 1234),
    "headers": [
        (b"host", b"127.0.0.1:1234"),
        (b"authorization", f"Bearer {TOKEN}".encode()),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(BODY)).encode()),
    ],
}


class Flood:
    """A client that waits for all of its answers."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.answered: Counter[int] = Counter()
        self.without_a_time: int = 0
        """Refusals that do not say when to come back."""

    async def ask(self) -> None:
        asked = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if asked.is_set():
                # It never hangs up.
                await asyncio.Event().wait()
            asked.set()
            return {"type": "http.request", "body": BODY, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.answered[message["status"]] += 1
                if message["status"] == 429 and b"retry-after" not in dict(message["headers"]):
                    self.without_a_time += 1

        await self._app(dict(SCOPE), receive, send)


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    house = House(tmp_path, max_waiting=ROOM)
    monkeypatch.setattr(house.scheduler, "find", house.model)
    yield house
    await house.stop()


async def test_of_ten_thousand_requests_at_once_those_without_room_are_told_when_to_come_back(house: House) -> None:
    house.gate = threading.Semaphore(0)
    app = build_app(house.scheduler, token=TOKEN, on_shutdown=lambda: None, on_request=lambda _: None)
    flood = Flood(app)
    asking = [asyncio.create_task(flood.ask()) for _ in range(MANY)]
    async with asyncio.timeout(240):
        while flood.answered[429] < MANY - ROOM - house.slots:
            await asyncio.sleep(0.01)
        assert set(flood.answered) == {429}
        assert house.scheduler.waiting == ROOM
        house.gate.release(PLENTY)
        await asyncio.gather(*asking)

    assert flood.answered == {429: MANY - ROOM - house.slots, 200: ROOM + house.slots}
    assert flood.without_a_time == 0
    assert not house.scheduler.busy
    await Flood(app).ask()
