"""Server-sent events."""

import asyncio
import json
from collections.abc import AsyncGenerator

from pydantic import BaseModel
from starlette.responses import StreamingResponse
from starlette.types import Send

from peft_engine.inference.http.bounds import STREAMS

DONE = b"data: [DONE]\n\n"
"""What OpenAI's streams end with."""

KEEP_ALIVE = b": still computing\n\n"
"""A comment, which clients pass over."""


def sse_event(body: BaseModel) -> bytes:
    """Return an event. What was not set in the body is left out."""
    return b"data: " + body.model_dump_json(exclude_unset=True).encode() + b"\n\n"


def sse_data(body: dict[str, object]) -> bytes:
    """Return an event of a body that has no shape of its own."""
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


class EventStream(StreamingResponse):
    """A stream that ends when its client goes away, or takes nothing of it for long."""

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        """Stream what the generator yields; it is closed at the end, whatever that was."""
        self._events = events
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)

    async def stream_response(self, send: Send) -> None:
        """Send all events, waiting for the client where it is slow."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async for event in self._events:
                async with asyncio.timeout(STREAMS.patience_seconds):
                    await send({"type": "http.response.body", "body": event, "more_body": True})
        except TimeoutError:
            # The server closes the connection, because the answer lacks its end.
            return
        finally:
            # Not with the garbage: closing it is what stops the computation.
            await self._events.aclose()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
