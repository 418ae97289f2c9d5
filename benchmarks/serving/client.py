"""Asking a server as its users do, with the official client, and measuring what comes back."""

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import openai
import psutil
from benchmarks.serving.servers import Server

ANSWER = 48
"""Tokens of each answer."""


@dataclass(frozen=True)
class Measured:
    """What some requests that were open together took."""

    first_token: float
    """Seconds until an answer began, the mean of all."""

    tokens_per_second: float
    """Of all answers, from the first request to the last token; for one request from its first token."""

    tokens_per_processor_second: float
    """Of the server's time from the first request to the last token, which other work on the machine disturbs less."""


async def measure(server: Server, prompts: Sequence[str], adapters: Sequence[int]) -> Measured:
    """Ask all prompts at once.

    Args:
        server: Who is asked.
        prompts: Continued as they stand.
        adapters: For each prompt, which of the server's models answers.
    """
    process = psutil.Process(server.pid)
    async with openai.AsyncOpenAI(base_url=server.url, api_key=server.token, timeout=900, max_retries=0) as client:
        # The connection is made before the clock starts.
        await client.models.list()
        before, start = _processor(process), time.perf_counter()
        answers = [_ask(client, server, *pair) for pair in zip(prompts, adapters, strict=True)]
        found = await asyncio.gather(*answers)
        end, spent = time.perf_counter(), _processor(process) - before
    tokens = sum(count for count, _, _ in found)
    first = [begun - start for _, begun, _ in found]
    wall = tokens / (end - start)
    if len(found) == 1:
        count, begun, ended = found[0]
        wall = (count - 1) / (ended - begun)
    return Measured(statistics.mean(first), wall, tokens / spent)


async def _ask(client: openai.AsyncOpenAI, server: Server, prompt: str, adapter: int) -> tuple[int, float, float]:
    """Return how many tokens came, when the first did and when the last."""
    stream = await client.completions.create(
        model=server.models[adapter],
        prompt=prompt,
        max_tokens=ANSWER,
        temperature=0,
        stream=True,
        # A model that ends its answer early would be measured on other work than one that does not.
        logit_bias={"2": -100, "0": -100},
        extra_body=server.extras[adapter],
    )
    times = [time.perf_counter() async for chunk in stream if chunk.choices and chunk.choices[0].text]
    return ANSWER, times[0], times[-1]


def _processor(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return float(spent.user + spent.system)
