"""`POST /v1/responses`: the newer way of OpenAI's clients to ask for an answer."""

import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Literal
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from peft_engine.inference.http.answering import raise_failure
from peft_engine.inference.http.asking import read_body
from peft_engine.inference.http.hang_up import unless_gone
from peft_engine.inference.http.operations import json_response
from peft_engine.inference.http.responses_output import Output
from peft_engine.inference.http.responses_request import ResponsesRequest
from peft_engine.inference.http.responses_shapes import (
    IncompleteDetails,
    InputDetails,
    ResponseAnswer,
    ResponseEvent,
    ResponseFault,
    ResponseUsage,
)
from peft_engine.inference.http.running import Happened
from peft_engine.inference.http.sse import KEEP_ALIVE, EventStream
from peft_engine.inference.http.talk import Talk, begin
from peft_engine.inference.job import Event, Failed, Finished, Piece
from peft_engine.inference.tools.reader import Said
from peft_schemas.errors import ErrorReport


async def respond(request: Request) -> Response:
    """Answer one request."""
    asked = await read_body(request, ResponsesRequest)
    talk = await begin(request, asked.chat())
    telling = _Telling(asked, talk)
    return await unless_gone(request, _stream(talk, telling) if asked.stream else _whole(talk, telling))


async def _whole(talk: Talk, telling: "_Telling") -> Response:
    async with aclosing(talk.running.batches()) as batches:
        async for batch in batches:
            raise_failure(batch)
            for _, event in batch:
                telling.more(event)
    return json_response(telling.answer)


async def _stream(talk: Talk, telling: "_Telling") -> Response:
    batches = talk.running.batches()
    first = await anext(batches)
    raise_failure(first)
    return EventStream(_events(batches, first, telling))


async def _events(
    batches: AsyncGenerator[Happened, None], first: Happened, telling: "_Telling"
) -> AsyncGenerator[bytes, None]:
    async with aclosing(batches):
        yield _sse(telling.begin())
        yield _told(first, telling)
        async for batch in batches:
            if told := _told(batch, telling):
                yield told


def _told(batch: Happened, telling: "_Telling") -> bytes:
    if not batch:
        return KEEP_ALIVE
    return b"".join(_sse(telling.more(event)) for _, event in batch)


def _sse(events: Iterable[ResponseEvent]) -> bytes:
    return b"".join(
        f"event: {event.type}\ndata: {event.model_dump_json(include=event.model_fields_set)}\n\n".encode()
        for event in events
    )


class _Telling:
    """Tells of the answer to one request."""

    def __init__(self, asked: ResponsesRequest, talk: Talk) -> None:
        self._running = talk.running
        self._reader = talk.plan.reader()
        self._output = Output()
        self.answer = ResponseAnswer(
            id=f"resp_{uuid4().hex}",
            created_at=int(time.time()),
            status="in_progress",
            model=talk.model.id,
            output=[],
            instructions=asked.instructions,
            max_output_tokens=asked.max_output_tokens,
            metadata=asked.metadata,
            parallel_tool_calls=asked.parallel_tool_calls is not False,
            temperature=asked.temperature,
            text=asked.text.model_dump(by_alias=True, exclude_none=True),
            tool_choice=_as_sent(asked),
            tools=[tool.model_dump() for tool in asked.tools],
            top_p=asked.top_p,
        )
        """As far as it is known."""

    def begin(self) -> list[ResponseEvent]:
        return [
            self._output.event("response.created", response=self.answer),
            self._output.event("response.in_progress", response=self.answer),
        ]

    def more(self, event: Event) -> list[ResponseEvent]:
        match event:
            case Piece(delta):
                parts = [Said(delta.text)] if self._reader is None else self._reader.feed(delta.text)
                return [told for part in parts for told in self._output.add(part)]
            case Finished():
                return self._end(event)
            case Failed(error):
                return [*self._output.end("incomplete"), self._fail(error)]
        return []

    def _end(self, finished: Finished) -> list[ResponseEvent]:
        rest = [] if self._reader is None else self._reader.end()
        told = [told for part in rest for told in self._output.add(part)]
        cut = finished.reason == "length"
        status: Literal["completed", "incomplete"] = "incomplete" if cut else "completed"
        told += self._output.end(status)
        usage = self._running.usage()
        self._settle(
            status=status,
            incomplete_details=IncompleteDetails(reason="max_output_tokens") if cut else None,
            usage=ResponseUsage(
                input_tokens=usage.prompt_tokens,
                input_tokens_details=InputDetails(cached_tokens=usage.prompt_tokens_details.cached_tokens),
                output_tokens=usage.completion_tokens,
                total_tokens=usage.total_tokens,
            ),
        )
        return [*told, self._output.event(f"response.{status}", response=self.answer)]

    def _fail(self, error: ErrorReport) -> ResponseEvent:
        self._settle(status="failed", error=ResponseFault(code=error.code, message=f"{error.message} {error.remedy}"))
        return self._output.event("response.failed", response=self.answer)

    def _settle(self, **known: object) -> None:
        self.answer = self.answer.model_copy(update={"output": list(self._output.items), **known})


def _as_sent(asked: ResponsesRequest) -> str | dict[str, str]:
    choice = asked.tool_choice
    if choice is None:
        return "auto"
    return choice if isinstance(choice, str) else choice.model_dump()
