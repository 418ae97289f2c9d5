"""From running answers to a response: in one piece, or as a stream. Each API says what its events look like."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Protocol

from pydantic import BaseModel
from starlette.responses import Response

from peft_engine.inference.http.errors import report_body
from peft_engine.inference.http.running import Happened, Running
from peft_engine.inference.http.sse import DONE, KEEP_ALIVE, EventStream, sse_data, sse_event
from peft_engine.inference.job import Event, Failed, Finished, Piece
from peft_schemas import __version__

FINGERPRINT = f"peftw-{__version__}"
"""OpenAI's `system_fingerprint`: what computed the answer."""


class Telling(Protocol):
    """How an API tells of the answers to a request."""

    def begin(self) -> Iterable[BaseModel]:
        """Return the first events of a stream."""

    def more(self, number: int, event: Piece | Finished) -> Iterable[BaseModel]:
        """Take in what happened to an answer, and return the events of a stream that tell it."""

    def end(self) -> Iterable[BaseModel]:
        """Return the last events of a stream, when all answers are complete."""

    def whole(self) -> BaseModel:
        """Return the body that tells everything, when all answers are complete."""


async def answer_whole(running: Running, telling: Telling) -> Response:
    """Return the complete answers.

    Raises:
        WorkbenchError: There are none.
    """
    async with aclosing(running.batches()) as batches:
        async for batch in batches:
            raise_failure(batch)
            for number, event in batch:
                if isinstance(event, Piece | Finished):
                    telling.more(number, event)
    # What was not set is left out, as OpenAI does it.
    return Response(telling.whole().model_dump_json(exclude_unset=True), media_type="application/json")


async def answer_streaming(running: Running, telling: Telling) -> Response:
    """Return a stream, once the request is known to be valid or has waited for long.

    Raises:
        WorkbenchError: There is no answer. What is found out later is told by an event of the stream.
    """
    batches = running.batches()
    first = await anext(batches)
    raise_failure(first)
    return EventStream(_events(batches, first, telling))


async def _events(
    batches: AsyncGenerator[Happened, None], first: Happened, telling: Telling
) -> AsyncGenerator[bytes, None]:
    async with aclosing(batches):
        yield b"".join(sse_event(body) for body in telling.begin()) + _told(first, telling)
        async for batch in batches:
            if told := _told(batch, telling):
                yield told
            if _failure(batch) is not None:
                return
    yield b"".join(sse_event(body) for body in telling.end()) + DONE


def _told(batch: Happened, telling: Telling) -> bytes:
    """Return the events of a batch as one piece: each costs a turn of the loop and a system call."""
    if not batch:
        return KEEP_ALIVE
    return b"".join(_events_of(number, event, telling) for number, event in batch)


def _events_of(number: int, event: Event, telling: Telling) -> bytes:
    if isinstance(event, Failed):
        return sse_data(report_body(event.error))
    if isinstance(event, Piece | Finished):
        return b"".join(sse_event(body) for body in telling.more(number, event))
    return b""


def _failure(batch: Happened) -> Failed | None:
    return next((event for _, event in batch if isinstance(event, Failed)), None)


def raise_failure(batch: Happened) -> None:
    """Raise what went wrong, if something did.

    Raises:
        WorkbenchError: As the engine raised it.
    """
    if (failed := _failure(batch)) is not None:
        raise failed.raised()
