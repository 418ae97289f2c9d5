"""`POST /v1/completions`: texts that are continued as they stand, or filled in."""

import time
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from peft_engine.inference.contract import GenerationRequest, TokenLogprob
from peft_engine.inference.http.answering import FINGERPRINT, answer_streaming, answer_whole
from peft_engine.inference.http.asking import find_model, read_body
from peft_engine.inference.http.bounds import DEFAULTS
from peft_engine.inference.http.completion_request import CompletionRequest
from peft_engine.inference.http.completion_shapes import Completion, CompletionChoice
from peft_engine.inference.http.hang_up import unless_gone
from peft_engine.inference.http.logprobs import completion_logprobs
from peft_engine.inference.http.running import Running, adapters_of, start
from peft_engine.inference.http.text_shapes import FinishReason
from peft_engine.inference.job import Finished, Piece


async def complete_text(request: Request) -> Response:
    """Answer one completion request."""
    asked = await read_body(request, CompletionRequest)
    prompts = asked.prompts()
    model = await find_model(request, asked.model)
    sampling, adapters = asked.sampling(model.sampling), adapters_of(model)
    wanted = [
        GenerationRequest(
            prompt=prompt,
            adapters=adapters,
            sampling=sampling,
            max_tokens=asked.max_tokens or model.sampling.max_tokens or DEFAULTS.completion_tokens,
            stop=asked.stops,
            top_logprobs=asked.logprobs,
        )
        for prompt in prompts
    ]
    running = start(request, model, wanted, answers=asked.answers)
    telling = _CompletionTelling(asked, model.id, running)
    answer = answer_streaming if asked.stream else answer_whole
    return await unless_gone(request, answer(running, telling))


class _CompletionTelling:
    """Tells of the answers to one request. Contract: `Telling`."""

    def __init__(self, asked: CompletionRequest, model: str, running: Running) -> None:
        self._asked = asked
        self._running = running
        self._head: dict[str, Any] = {
            "id": f"cmpl-{uuid4().hex}",
            "object": "text_completion",
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": FINGERPRINT,
        }
        written = asked.written() if asked.echo else []
        self._echoes = [str(prompt) for prompt in written for _ in range(asked.answers)]
        self._texts = [""] * len(running)
        self._tokens: list[tuple[TokenLogprob, ...]] = [()] * len(running)
        self._reasons: list[FinishReason] = ["stop"] * len(running)

    def begin(self) -> Iterable[Completion]:
        return [self._event(number, text) for number, text in enumerate(self._echoes)]

    def more(self, number: int, event: Piece | Finished) -> Iterable[Completion]:
        if isinstance(event, Finished):
            self._reasons[number] = event.reason
            return [self._event(number, "", reason=event.reason)]
        start = len(self._texts[number])
        self._texts[number] += event.delta.text
        self._tokens[number] += event.delta.logprobs
        return [self._event(number, event.delta.text, event.delta.logprobs, start=start)]

    def end(self) -> Iterable[Completion]:
        if not self._asked.wants_usage:
            return []
        usage, timings = self._running.usage(), self._running.timings()
        return [Completion(**self._head, choices=[], usage=usage, timings=timings)]

    def whole(self) -> Completion:
        echoes = self._echoes or [""] * len(self._running)
        choices = [
            self._choice(number, echoes[number] + text, self._tokens[number], reason=self._reasons[number])
            for number, text in enumerate(self._texts)
        ]
        usage, timings = self._running.usage(), self._running.timings()
        return Completion(**self._head, choices=choices, usage=usage, timings=timings)

    def _event(
        self,
        number: int,
        text: str,
        tokens: tuple[TokenLogprob, ...] = (),
        *,
        start: int = 0,
        reason: FinishReason | None = None,
    ) -> Completion:
        return Completion(**self._head, choices=[self._choice(number, text, tokens, start=start, reason=reason)])

    def _choice(
        self, number: int, text: str, tokens: tuple[TokenLogprob, ...], *, start: int = 0, reason: FinishReason | None
    ) -> CompletionChoice:
        reported = None if self._asked.logprobs is None else completion_logprobs(tokens, start=start)
        return CompletionChoice(index=number, text=text, logprobs=reported, finish_reason=reason)
