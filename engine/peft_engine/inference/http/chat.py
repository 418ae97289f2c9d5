"""`POST /v1/chat/completions`: from a request to a job, and from its events to OpenAI's shapes."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from peft_engine.catalog import Servable, find_servable
from peft_engine.inference.contract import AdapterUse, Conversation, GenerationRequest, Sampling
from peft_engine.inference.http.errors import invalid_request, overloaded, report_body, report_response
from peft_engine.inference.http.requests import ChatCompletionRequest, first_fault
from peft_engine.inference.scheduler import Event, Failed, Finished, Job, Opened, Overloaded, Piece, Scheduler
from peft_schemas.errors import WorkbenchError

_TEMPERATURE = 0.8
_TOP_P = 0.95
"""What small models do well with when a client does not say; those of llama.cpp's own server."""

_KEEP_ALIVE = 10.0
"""Seconds after which a silent stream sends a comment, so that no client takes a long prompt for a dead connection."""


async def complete(request: Request) -> Response:
    """Answer one chat completion request."""
    try:
        asked = ChatCompletionRequest.model_validate_json(await request.body())
    except ValidationError as error:
        param, message = first_fault(error)
        return invalid_request(message, param=param)
    scheduler: Scheduler = request.app.state.scheduler
    try:
        model = await asyncio.to_thread(find_servable, asked.model)
        job = scheduler.submit(model, _generation_request(asked, model))
    except WorkbenchError as error:
        return report_response(error.report())
    except Overloaded:
        return overloaded()
    answer = _Answer(asked, job)
    return await _until_hang_up(request, job, answer.streamed() if asked.stream else answer.whole())


def _generation_request(asked: ChatCompletionRequest, model: Servable) -> GenerationRequest:
    roles = {"developer": "system"}
    seed = secrets.randbits(32) if asked.seed is None else asked.seed % 2**32
    return GenerationRequest(
        prompt=Conversation(
            tuple({"role": roles.get(turn.role, turn.role), "content": turn.text()} for turn in asked.messages)
        ),
        adapters=tuple(AdapterUse(adapter.path, adapter.scale) for adapter in model.adapters),
        sampling=Sampling(
            temperature=_TEMPERATURE if asked.temperature is None else asked.temperature,
            top_p=_TOP_P if asked.top_p is None else asked.top_p,
            seed=seed,
        ),
        max_tokens=asked.limit,
        stop=asked.stops,
    )


async def _until_hang_up(request: Request, job: Job, answering: Any) -> Response:
    """Wait for the answer, or for its first byte when it streams; give up the job when the client goes away."""
    answer = asyncio.ensure_future(answering)
    hang_up = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({answer, hang_up}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()  # type: ignore[no-any-return]
        # Nobody reads this: the connection is gone.
        return Response(status_code=499)
    finally:
        hang_up.cancel()
        if not answer.done():
            answer.cancel()
            job.cancelled = True


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


class _Answer:
    """One answer in OpenAI's shapes."""

    def __init__(self, asked: ChatCompletionRequest, job: Job) -> None:
        self._asked = asked
        self._job = job
        self._events = job.events()
        self._id = f"chatcmpl-{uuid4().hex}"
        self._created = int(time.time())
        self._opened = Opened(prompt_tokens=0, cached_tokens=0)

    async def whole(self) -> Response:
        """Return the answer in one piece."""
        parts: list[str] = []
        async for event in self._events:
            match event:
                case Opened():
                    self._opened = event
                case Piece(delta):
                    parts.append(delta.text)
                case Failed(error):
                    return report_response(error)
                case Finished():
                    message = {"role": "assistant", "content": "".join(parts), "refusal": None}
                    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": event.reason}
                    return JSONResponse(self._body("chat.completion", [choice], **self._measures(event)))
        raise AssertionError("a job ends by Finished or Failed")

    async def streamed(self) -> Response:
        """Return the answer as server-sent events, once the request is known to be valid."""
        first = await anext(self._events)
        if isinstance(first, Failed):
            return report_response(first.error)
        if isinstance(first, Opened):
            self._opened = first
        return StreamingResponse(
            self._sse(),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _sse(self) -> AsyncIterator[str]:
        try:
            yield self._delta({"role": "assistant", "content": ""})
            async for event in _with_pauses(self._events):
                match event:
                    case None:
                        yield ": still computing\n\n"
                    case Piece(delta):
                        yield self._delta({"content": delta.text})
                    case Failed(error):
                        yield _sse_line(report_body(error))
                        return
                    case Finished():
                        yield self._delta({}, event)
                        if self._asked.stream_options is not None and self._asked.stream_options.include_usage:
                            yield _sse_line(self._body("chat.completion.chunk", [], **self._measures(event)))
                        yield "data: [DONE]\n\n"
        finally:
            # The client may have gone away in the middle.
            self._job.cancelled = True

    def _delta(self, delta: dict[str, str], finished: Finished | None = None) -> str:
        reason = None if finished is None else finished.reason
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _sse_line(self._body("chat.completion.chunk", [choice]))

    def _body(self, kind: str, choices: list[dict[str, Any]], **more: object) -> dict[str, object]:
        head = {"id": self._id, "object": kind, "created": self._created, "model": self._asked.model}
        return {**head, "choices": choices, **more}

    def _measures(self, finished: Finished) -> dict[str, object]:
        prompt, completion = self._opened.prompt_tokens, finished.completion_tokens
        # The first token is the start of the clock, not part of what it measures.
        speed = (completion - 1) / finished.generation if completion > 1 and finished.generation > 0 else None
        return {
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
                "prompt_tokens_details": {"cached_tokens": self._opened.cached_tokens},
            },
            "timings": {
                "queued_seconds": finished.queued,
                "first_token_seconds": finished.first_token,
                "tokens_per_second": speed,
            },
        }


def _sse_line(body: dict[str, object]) -> str:
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n"


async def _with_pauses(events: AsyncIterator[Event]) -> AsyncIterator[Event | None]:
    """Yield events, and None whenever nothing has come for a while."""
    while True:
        waiting = asyncio.ensure_future(anext(events, None))
        try:
            while not (await asyncio.wait({waiting}, timeout=_KEEP_ALIVE))[0]:
                yield None
        finally:
            if not waiting.done():
                waiting.cancel()
        event = waiting.result()
        if event is None:
            return
        yield event
