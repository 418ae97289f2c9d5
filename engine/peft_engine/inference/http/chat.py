"""`POST /v1/chat/completions`: from a request to jobs, and from their events to OpenAI's shapes."""

import time
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from peft_engine.inference.http.answering import FINGERPRINT, answer_streaming, answer_whole
from peft_engine.inference.http.asking import read_body
from peft_engine.inference.http.chat_choice import Choice
from peft_engine.inference.http.chat_request import ChatCompletionRequest
from peft_engine.inference.http.chat_shapes import ChatChoice, ChatChunkChoice, ChatCompletion, ChatCompletionChunk
from peft_engine.inference.http.hang_up import unless_gone
from peft_engine.inference.http.running import Running
from peft_engine.inference.http.talk import begin
from peft_engine.inference.job import Finished, Piece
from peft_engine.inference.tools.plan import Plan


async def complete(request: Request) -> Response:
    """Answer one chat completion request."""
    asked = await read_body(request, ChatCompletionRequest)
    talk = await begin(request, asked)
    running = talk.running
    telling = _ChatTelling(asked, talk.model.id, talk.plan, running)
    answer = answer_streaming if asked.stream else answer_whole
    return await unless_gone(request, answer(running, telling))


class _ChatTelling:
    """Tells of the answers to one request. Contract: `Telling`."""

    def __init__(self, asked: ChatCompletionRequest, model: str, way: Plan, running: Running) -> None:
        self._asked = asked
        self._running = running
        self._head: dict[str, Any] = {
            "id": f"chatcmpl-{uuid4().hex}",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": FINGERPRINT,
        }
        self._choices = [Choice(index, way.reader(), logprobs=bool(asked.logprobs)) for index in range(len(running))]
        self._ended: dict[int, ChatChoice] = {}

    def begin(self) -> Iterable[ChatCompletionChunk]:
        return [self._chunk(choice.begin()) for choice in self._choices]

    def more(self, number: int, event: Piece | Finished) -> Iterable[ChatCompletionChunk]:
        choice = self._choices[number]
        if isinstance(event, Piece):
            return [self._chunk(part) for part in choice.more(event.delta)]
        parts = choice.end(event)
        self._ended[number] = choice.whole(event)
        return [self._chunk(part) for part in parts]

    def end(self) -> Iterable[ChatCompletionChunk]:
        if not self._asked.wants_usage:
            return []
        usage, timings = self._running.usage(), self._running.timings()
        return [self._event(choices=[], usage=usage, timings=timings)]

    def whole(self) -> ChatCompletion:
        return ChatCompletion(
            **self._head,
            object="chat.completion",
            choices=[self._ended[number] for number in range(len(self._running))],
            usage=self._running.usage(),
            timings=self._running.timings(),
        )

    def _chunk(self, choice: ChatChunkChoice) -> ChatCompletionChunk:
        return self._event(choices=[choice])

    def _event(self, **more: Any) -> ChatCompletionChunk:
        # What is not set is not sent, so what has a default is named here.
        return ChatCompletionChunk(**self._head, object="chat.completion.chunk", **more)
