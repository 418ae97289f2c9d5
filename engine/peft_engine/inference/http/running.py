"""The answers that one request asks for, on their way together."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from starlette.requests import Request

from peft_engine.catalog import Servable
from peft_engine.inference.contract import AdapterUse, Delta, GenerationRequest
from peft_engine.inference.http.asking import client_of, scheduler_of
from peft_engine.inference.http.bounds import STREAMS
from peft_engine.inference.http.text_shapes import PromptDetails, Timings, Usage
from peft_engine.inference.job import Event, Failed, Finished, Job, Opened, Piece
from peft_engine.inference.line import Overloaded

Happened = list[tuple[int, Event]]
"""Events, each with the number of its answer."""


class Running:
    """Jobs whose events are read together."""

    def __init__(self, jobs: Sequence[Job], *, answers: int) -> None:
        """Begin.

        Args:
            jobs: Prompt by prompt.
            answers: How many there are of each prompt.
        """
        self._jobs = tuple(jobs)
        self._answers = answers
        self._opened: dict[int, Opened] = {}
        self._finished: dict[int, Finished] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    async def batches(self) -> AsyncGenerator[Happened, None]:
        """Yield what happens, all that is there at once, until each answer is complete or one has failed.

        What waits of the text of one answer comes as one piece. A silence yields an empty batch. Closing the generator
        gives up what is not complete.
        """
        queue: asyncio.Queue[tuple[int, Event]] = asyncio.Queue()
        pumps = [asyncio.create_task(_pump(number, job, queue)) for number, job in enumerate(self._jobs)]
        try:
            while len(self._finished) < len(self._jobs):
                try:
                    async with asyncio.timeout(STREAMS.keep_alive_seconds):
                        batch = [await queue.get()]
                except TimeoutError:
                    yield []
                    continue
                while not queue.empty():
                    batch.append(queue.get_nowait())
                self._note(batch)
                yield _joined(batch)
                if any(isinstance(event, Failed) for _, event in batch):
                    return
        finally:
            for pump in pumps:
                pump.cancel()
            for job in self._jobs:
                job.cancelled = True

    def usage(self) -> Usage:
        """Count the tokens of all answers, which are complete."""
        firsts = range(0, len(self._jobs), self._answers)
        prompt = sum(self._opened[number].prompt_tokens for number in firsts)
        cached = sum(self._finished[number].cached_tokens for number in firsts)
        completion = sum(finished.completion_tokens for finished in self._finished.values())
        return Usage(
            prompt_tokens=prompt,
            completion_tokens=completion,
            total_tokens=prompt + completion,
            prompt_tokens_details=PromptDetails(cached_tokens=cached),
        )

    def timings(self) -> Timings:
        """Say how long the answers took, which are complete."""
        finished = self._finished.values()
        # The first token is the start of the clock, not part of what it measures.
        tokens = sum(max(one.completion_tokens - 1, 0) for one in finished)
        seconds = max(one.generation for one in finished)
        return Timings(
            queued_seconds=min(one.queued for one in finished),
            first_token_seconds=min(one.first_token for one in finished),
            tokens_per_second=tokens / seconds if tokens and seconds > 0 else None,
        )

    def _note(self, batch: Happened) -> None:
        for number, event in batch:
            if isinstance(event, Opened):
                self._opened[number] = event
            elif isinstance(event, Finished):
                self._finished[number] = event


def start(request: Request, model: Servable, prompts: Sequence[GenerationRequest], *, answers: int) -> Running:
    """Queue the answers of a request.

    Args:
        request: Who asks.
        model: What answers.
        prompts: One for each prompt. The first answer has its seed, the second the next one, and so on.
        answers: How many there are to be of each prompt.

    Raises:
        Overloaded: Too many wait already; none of these does then.
    """
    scheduler, client = scheduler_of(request), client_of(request)
    jobs: list[Job] = []
    try:
        for prompt in prompts:
            for number in range(answers):
                sampling = replace(prompt.sampling, seed=(prompt.sampling.seed + number) % 2**32)
                jobs.append(scheduler.submit(model, replace(prompt, sampling=sampling), client=client))
    except Overloaded:
        for job in jobs:
            job.cancelled = True
        raise
    return Running(jobs, answers=answers)


def adapters_of(model: Servable) -> tuple[AdapterUse, ...]:
    """Return the adapters of a model as the engine takes them."""
    return tuple(AdapterUse(adapter.path, adapter.scale) for adapter in model.adapters)


async def _pump(number: int, job: Job, queue: "asyncio.Queue[tuple[int, Event]]") -> None:
    async for event in job.events():
        queue.put_nowait((number, event))


def _joined(batch: Happened) -> Happened:
    """Make one piece of the pieces of each answer that follow each other."""
    result: Happened = []
    last: dict[int, int] = {}
    for number, event in batch:
        if not isinstance(event, Piece):
            result.append((number, event))
            continue
        before = result[last[number]][1] if number in last else None
        if isinstance(before, Piece):
            delta = Delta(before.delta.text + event.delta.text, before.delta.logprobs + event.delta.logprobs)
            result[last[number]] = (number, Piece(delta))
        else:
            last[number] = len(result)
            result.append((number, event))
    return result
