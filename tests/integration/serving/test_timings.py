"""I4: what an answer says of its own time, held against the clock of whoever waits for it."""

import json
import threading
import time
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from peft_daemon.serving.endpoint import authorization
from tests.integration.serving.homes import BASE, Served

pytestmark = pytest.mark.model
TOKENS = 48
TRAVEL = 2.0
"""Seconds that a piece may take to its client where other work has the processor."""


@dataclass
class Watched:
    """An answer as its client saw it: seconds since it asked."""

    first: float
    end: float
    tokens: int
    timings: dict[str, Any]

    @property
    def generation(self) -> float:
        """What the answer says that it took after its first token."""
        return float((self.tokens - 1) / self.timings["tokens_per_second"])


def watch(served: Served, prompt: str) -> Watched:
    body = {
        "model": BASE,
        "prompt": prompt,
        "max_tokens": TOKENS,
        "temperature": 0,
        "logit_bias": {"0": -100, "2": -100},
    }
    asked = body | {"stream": True, "stream_options": {"include_usage": True}}
    arrived, events, start = [], [], time.perf_counter()
    url, headers = f"{served.record.url}/completions", authorization(served.record)
    with httpx.stream("POST", url, json=asked, headers=headers, timeout=300) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                arrived.append(time.perf_counter() - start)
                events.append(json.loads(line.removeprefix("data: ")))
    texts = [at for at, event in zip(arrived, events, strict=True) if event["choices"] and event["choices"][0]["text"]]
    return Watched(texts[0], arrived[-1], events[-1]["usage"]["completion_tokens"], events[-1]["timings"])


def test_I4_first_token_and_speed_are_what_the_client_sees(served: Served) -> None:
    served.say(BASE, "Hello", max_tokens=1)
    seen = watch(served, "A long time ago, " * 20)

    assert seen.tokens == TOKENS
    assert 0 <= seen.timings["queued_seconds"] <= seen.timings["first_token_seconds"] <= seen.first
    assert seen.first - seen.timings["first_token_seconds"] < TRAVEL
    ended = seen.timings["first_token_seconds"] + seen.generation
    assert ended <= seen.end
    assert seen.end - ended < TRAVEL


def test_I4_who_waits_for_a_place_is_told_for_how_long(served: Served) -> None:
    """There are four places, so the fifth and the sixth wait for the first answers to end."""
    served.say(BASE, "Hello", max_tokens=1)
    seen: list[Watched] = []
    threads = [
        threading.Thread(target=lambda text=f"{number} of six things is": seen.append(watch(served, text)))
        for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    waited = sorted(one.timings["queued_seconds"] for one in seen)
    soonest = min(one.end for one in seen)
    assert waited[4] > soonest / 2
    assert waited[3] < soonest
    assert all(one.timings["queued_seconds"] <= one.timings["first_token_seconds"] <= one.first for one in seen)
