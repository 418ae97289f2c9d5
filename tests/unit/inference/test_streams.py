"""How answers travel: as they are made, to clients that are slow, that vanish, and that never read."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from peft_engine.catalog import Servable
from peft_engine.inference.contract import (
    Capability,
    Conversation,
    Delta,
    Embedding,
    FinishReason,
    GenerationRequest,
    Sampling,
    TokenLogprob,
)
from peft_engine.inference.http import running, sse
from peft_engine.inference.http.app import OPERATIONS, build_app
from peft_engine.inference.http.bounds import Streams
from peft_engine.inference.http.errors import ErrorAnswer
from peft_engine.inference.http.openapi import document
from peft_engine.inference.http.running import Running
from peft_engine.inference.job import Finished, Job, Opened, Piece
from peft_engine.inference.residency import Residency
from peft_engine.inference.scheduler import Scheduler
from peft_engine.loopback.listening import QuietServer, listen

TOKEN = "a-token"
CALL = '<tool_call>\n{"name": "look", "arguments": {"at": "sea"}}\n</tool_call>'
LOOK = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


@dataclass
class Recital:
    """Says what the last message tells it to say, some letters a step."""

    request: GenerationRequest
    text: str
    letters: int
    prompt_tokens: int = 5
    cached_tokens: int = 2
    completion_tokens: int = 0
    finish_reason: FinishReason | None = None
    failure: None = None
    closed: bool = False
    said: int = 0

    def advance(self) -> None:
        self.completion_tokens += 1
        if self.text == "forever":
            return
        if self.completion_tokens * self.letters >= len(self.text):
            self.finish_reason = "stop"
        elif self.completion_tokens == self.request.max_tokens:
            self.finish_reason = "length"

    def take(self) -> Delta:
        if self.text == "forever":
            return Delta("x" * 20_000)
        end = self.completion_tokens * self.letters
        start, self.said = self.said, end
        return Delta(self.text[start:end])

    def close(self) -> None:
        self.closed = True


@dataclass
class RecitingEngine:
    """Steps while its gate is open."""

    slots: int = 2
    context_length: int = 1000
    capabilities: frozenset[Capability] = frozenset({"chat"})
    memory_bytes: int = 1
    kept_bytes: int = 0
    letters: int = 3
    gate: threading.Event = field(default_factory=threading.Event)
    recitals: list[Recital] = field(default_factory=list)

    def forget_kept(self, size: int) -> None:
        pass

    def ready(self, request: GenerationRequest, when_ready: Callable[[], None]) -> bool:
        return True

    def open(self, request: GenerationRequest) -> Recital:
        assert isinstance(request.prompt, Conversation)
        self.recitals.append(Recital(request, request.prompt.messages[-1]["content"], self.letters))
        return self.recitals[-1]

    def step(self) -> None:
        self.gate.wait(60)
        # Real ones take their time too, and a stream without end must not fill the memory.
        time.sleep(0.005)
        for recital in self.recitals:
            if not recital.closed:
                if recital.text.startswith("fail") and recital.completion_tokens == 2:
                    raise OSError("a step failed")
                recital.advance()

    def embed(self, texts: Any, adapters: Any) -> list[Embedding]:
        raise NotImplementedError

    def tokenize(self, text: str) -> list[int]:
        raise NotImplementedError

    def unload(self) -> None:
        for recital in self.recitals:
            recital.closed = True


@dataclass
class House:
    """A server whose models recite."""

    port: int
    engine: RecitingEngine
    scheduler: Scheduler

    def body(self, text: str, **changes: Any) -> dict[str, Any]:
        return {"model": "m", "messages": [{"role": "user", "content": text}], **changes}

    def post(self, text: str, **changes: Any) -> httpx.Response:
        url = f"http://127.0.0.1:{self.port}/v1/chat/completions"
        return httpx.post(
            url, json=self.body(text, **changes), headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60
        )

    def connect(self, text: str, **changes: Any) -> socket.socket:
        """Send a request and leave the answer where it is."""
        body = json.dumps(self.body(text, **changes))
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", self.port))
        connection.sendall(
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
            f"Authorization: Bearer {TOKEN}\r\n\r\n{body}".encode()
        )
        return connection

    def until(self, condition: Any) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    @property
    def idle(self) -> bool:
        return not self.scheduler.active and not self.scheduler.waiting


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    impatient = Streams(keep_alive_seconds=1, patience_seconds=1)
    monkeypatch.setattr(running, "STREAMS", impatient)
    monkeypatch.setattr(sse, "STREAMS", impatient)
    weights = tmp_path / "m.gguf"
    weights.touch()
    model = Servable(
        id="m", label="m", base="m", weights=weights, format="gguf", context_length=1000, created=0, size_bytes=1,
        source="folder",
    )  # fmt: skip
    engine = RecitingEngine()
    engine.gate.set()
    scheduler = Scheduler(Residency(lambda model, progress: engine), max_waiting=3)
    monkeypatch.setattr(scheduler, "find", lambda model_id: model)
    listener = listen(0)
    server = QuietServer(build_app(scheduler, token=TOKEN, on_shutdown=lambda: None, on_request=lambda path: None))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    scheduler.start()
    thread.start()
    house = House(listener.getsockname()[1], engine, scheduler)
    house.until(lambda: server.started)
    yield house
    engine.gate.set()
    for recital in engine.recitals:
        recital.finish_reason = "stop"
    server.should_exit = True
    thread.join()
    scheduler.stop()


def events(response: httpx.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def test_J3_a_call_streams_out_of_the_text_around_it(house: House) -> None:
    response = house.post(f"Look:\n{CALL}", stream=True, tools=[LOOK])
    deltas = [event["choices"][0]["delta"] for event in events(response)]
    calls = [call for delta in deltas for call in delta.get("tool_calls", [])]

    assert "".join(delta.get("content") or "" for delta in deltas) == "Look:"
    assert calls[0]["function"] == {"name": "look", "arguments": ""}
    assert "".join(call["function"]["arguments"] for call in calls) == '{"at": "sea"}'
    assert events(response)[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert response.text.endswith("data: [DONE]\n\n")


def test_J2_a_call_that_is_cut_off_ends_by_length(house: House) -> None:
    choice = house.post(CALL, tools=[LOOK], max_tokens=17).json()["choices"][0]

    assert choice["finish_reason"] == "length"
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"at": "s'


def test_J2_without_tools_a_call_is_text(house: House) -> None:
    assert house.post(CALL).json()["choices"][0]["message"] == {"role": "assistant", "content": CALL, "refusal": None}
    assert house.post(CALL, tools=[LOOK], tool_choice="none").json()["choices"][0]["message"]["content"] == CALL


def test_J3_a_failure_in_the_middle_is_an_event_of_the_stream(house: House) -> None:
    response = house.post("fail after some words", stream=True)

    assert response.status_code == 200
    assert events(response)[0]["choices"][0]["delta"]["role"] == "assistant"
    assert events(response)[-1]["error"]["type"] == "server_error"
    # The document promises it, so that a generated client can read it.
    promised = document(OPERATIONS)["paths"]["/v1/chat/completions"]["post"]["responses"]["200"]["content"]
    variants = promised["text/event-stream"]["schema"]["properties"]["data"]["contentSchema"]["anyOf"]
    assert {"$ref": "#/components/schemas/ErrorAnswer"} in variants
    ErrorAnswer.model_validate(events(response)[-1])
    assert "[DONE]" not in response.text
    assert house.post("fail after some words").status_code == 500
    assert house.post("fine").status_code == 200


def test_J3_a_silent_stream_says_that_it_lives(house: House) -> None:
    house.engine.gate.clear()
    connection = house.connect("hello", stream=True)
    received = b""
    while b": still computing" not in received:
        received += connection.recv(4096)
    house.engine.gate.set()
    while b"[DONE]" not in received:
        received += connection.recv(4096)

    assert received.startswith(b"HTTP/1.1 200")
    assert received.index(b'"role":"assistant"') < received.index(b'"content":"hel')


def test_J3_a_request_that_waits_for_long_hears_that_it_is_alive(house: House) -> None:
    first = [house.connect("forever", stream=True) for _ in range(2)]
    house.until(lambda: house.scheduler.active == 2)
    connection = house.connect("at last", stream=True)
    received = b""
    while b": still computing" not in received:
        received += connection.recv(4096)
    for other in first:
        other.close()
    while b"[DONE]" not in received:
        received += connection.recv(4096)

    assert received.startswith(b"HTTP/1.1 200")
    assert received.count(b'"role":"assistant"') == 1


def test_J3_a_client_that_never_reads_stalls_nobody_and_is_given_up(house: House) -> None:
    connection = house.connect("forever", stream=True)
    house.until(lambda: house.scheduler.active)
    for _ in range(5):
        assert house.post("a word for me").json()["choices"][0]["message"]["content"] == "a word for me"

    house.until(lambda: house.idle)
    connection.close()


def test_J3_a_client_that_vanishes_is_given_up(house: House) -> None:
    for stream in (True, False):
        connection = house.connect("forever", stream=stream)
        house.until(lambda: house.scheduler.active)
        connection.close()
        house.until(lambda: house.idle)
    assert all(recital.closed for recital in house.engine.recitals)


def test_J2_more_answers_than_may_wait_are_refused_together(house: House) -> None:
    first = [house.connect("forever", stream=True) for _ in range(2)]
    house.until(lambda: house.scheduler.active == 2)

    refused = house.post("two", n=4)
    assert refused.status_code == 429
    assert refused.headers["retry-after"]
    house.until(lambda: not house.scheduler.waiting)
    for connection in first:
        connection.close()
    house.until(lambda: house.idle)
    assert len(house.engine.recitals) == 2


async def test_J3_what_waits_comes_as_one_piece() -> None:
    wanted = GenerationRequest(Conversation(()), (), Sampling(0, 1, 0), None)
    jobs = [Job(None, wanted), Job(None, wanted)]  # type: ignore[arg-type]
    for job, letter in zip(jobs, "ab", strict=True):
        job.tell(Opened(1))
        for number in range(3):
            job.tell(Piece(Delta(f"{letter}{number}", (TokenLogprob(number, b"", 0.0),))))
        job.tell(Finished("stop", 0, 3, 0, 0, 1))
    await asyncio.sleep(0)
    together = Running(jobs, answers=1)
    happened = [one async for batch in together.batches() for one in batch]

    pieces = [(number, event.delta) for number, event in happened if isinstance(event, Piece)]
    assert [(number, delta.text) for number, delta in pieces] == [(0, "a0a1a2"), (1, "b0b1b2")]
    assert [token.id for token in pieces[0][1].logprobs] == [0, 1, 2]
    assert together.usage().completion_tokens == 6
