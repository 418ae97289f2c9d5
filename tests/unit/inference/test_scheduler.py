"""The queue: in turn, ended within a step, and not ended by a fault."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from peft_engine.catalog import Servable
from peft_engine.inference.contract import Capability, Conversation, Delta, FinishReason, GenerationRequest, Sampling
from peft_engine.inference.residency import OnProgress, Residency
from peft_engine.inference.scheduler import Event, Failed, Finished, Job, Opened, Overloaded, Piece, Scheduler
from peft_schemas.errors import WorkbenchError


def asked(text: str, *, max_tokens: int | None = 3) -> GenerationRequest:
    return GenerationRequest(Conversation(({"role": "user", "content": text},)), (), Sampling(0, 1, 0), max_tokens)


@dataclass
class EchoSequence:
    """Answers each step with the question."""

    text: str
    limit: int | None
    prompt_tokens: int = 5
    cached_tokens: int = 2
    completion_tokens: int = 0
    finish_reason: FinishReason | None = None
    closed: bool = False

    def take(self) -> Delta:
        return Delta(self.text)

    def close(self) -> None:
        self.closed = True


@dataclass
class EchoEngine:
    """An engine whose steps the test lets happen."""

    slots: int = 1
    gate: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(10**6))
    open_sequences: list[EchoSequence] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    unloaded: bool = False
    most_open: int = 0
    memory_bytes: int = 0
    context_length: int = 100
    capabilities: frozenset[Capability] = frozenset()

    def open(self, request: GenerationRequest) -> EchoSequence:
        assert isinstance(request.prompt, Conversation)
        text = request.prompt.messages[0]["content"]
        if text == "refuse":
            raise WorkbenchError("context-exceeded", "Too long.", "Shorten it.")
        if text == "fault in open":
            raise ZeroDivisionError
        sequence = EchoSequence(text, request.max_tokens)
        self.opened.append(text)
        self.open_sequences.append(sequence)
        return sequence

    def step(self) -> None:
        self.gate.acquire()
        self.open_sequences = [sequence for sequence in self.open_sequences if not sequence.closed]
        self.most_open = max(self.most_open, len(self.open_sequences))
        for sequence in self.open_sequences:
            if sequence.text == "fault":
                raise OSError("a step failed")
            sequence.completion_tokens += 1
            if sequence.completion_tokens == sequence.limit:
                sequence.finish_reason = "length"

    def unload(self) -> None:
        self.unloaded = True


class House:
    """A scheduler whose engines are echoes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engines: list[EchoEngine] = []
        self.slots = 1
        self.gate = threading.Semaphore(10**6)
        self.scheduler = Scheduler(Residency(self._load), max_waiting=3)
        self.scheduler.start()

    def _load(self, model: Servable, _: OnProgress) -> EchoEngine:
        if model.base == "broken":
            raise WorkbenchError("model-unreadable", "It is broken.", "Mend it.")
        self.engines.append(EchoEngine(self.slots, self.gate))
        return self.engines[-1]

    def model(self, base: str = "base") -> Servable:
        path = self.folder / base
        if not path.exists():
            path.touch()
        return Servable(
            id=base,
            label=base,
            base=base,
            weights=path,
            format="gguf",
            context_length=100,
            created=0,
            size_bytes=0,
            source="package",
        )

    def submit(self, text: str, *, base: str = "base", max_tokens: int | None = 3) -> Job:
        return self.scheduler.submit(self.model(base), asked(text, max_tokens=max_tokens))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.005)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    yield house
    for _ in range(100):
        house.gate.release()
    await asyncio.to_thread(house.scheduler.stop)


async def all_of(job: Job) -> list[Event]:
    async with asyncio.timeout(20):
        return [event async for event in job.events()]


async def test_a_job_is_opened_answered_and_finished(house: House) -> None:
    opened, *pieces, finished = await all_of(house.submit("a"))

    assert opened == Opened(prompt_tokens=5, cached_tokens=2)
    assert pieces == [Piece(Delta("a"))] * 3
    assert isinstance(finished, Finished)
    assert (finished.reason, finished.completion_tokens) == ("length", 3)
    assert 0 <= finished.queued <= finished.first_token
    assert finished.generation >= 0
    assert house.scheduler.generated_tokens == 3


async def test_jobs_are_served_first_come_first_served(house: House) -> None:
    jobs = [house.submit(text) for text in "abc"]
    await asyncio.gather(*map(all_of, jobs))

    assert house.engines[0].opened == ["a", "b", "c"]
    assert house.engines[0].most_open == 1


async def test_an_engine_with_slots_is_given_as_many_jobs(house: House) -> None:
    house.slots = 2
    house.gate = threading.Semaphore(0)
    jobs = [house.submit(text) for text in "abc"]
    await house.until(lambda: house.scheduler.active >= 1)
    for _ in range(50):
        house.gate.release()
    await asyncio.gather(*map(all_of, jobs))

    assert house.engines[0].most_open == 2


async def test_one_too_many_is_refused_and_cancelled_ones_make_room(house: House) -> None:
    house.gate = threading.Semaphore(0)
    house.submit("active")
    await house.until(lambda: house.scheduler.active == 1)
    waiting = [house.submit("waiting") for _ in range(3)]
    with pytest.raises(Overloaded):
        house.submit("one too many")
    waiting[1].cancelled = True

    house.submit("fits again")


async def test_who_stops_reading_frees_the_slot_within_a_step(house: House) -> None:
    endless = house.submit("endless", max_tokens=None)
    async for event in endless.events():
        if isinstance(event, Piece):
            break
    assert [event async for event in house.submit("next").events()][-1]

    assert endless.cancelled
    assert house.scheduler.active == 0


async def test_a_cancelled_job_in_the_queue_is_never_opened(house: House) -> None:
    house.gate = threading.Semaphore(0)
    first = house.submit("first")
    await house.until(lambda: house.scheduler.active == 1)
    second, third = house.submit("second"), house.submit("third")
    second.cancelled = True
    for _ in range(50):
        house.gate.release()
    await asyncio.gather(all_of(first), all_of(third))

    assert house.engines[0].opened == ["first", "third"]


async def test_a_refused_request_disturbs_nobody(house: House) -> None:
    refused, fine = house.submit("refuse"), house.submit("fine")

    (failed,) = await all_of(refused)
    assert isinstance(failed, Failed)
    assert failed.error.code == "context-exceeded"
    assert isinstance((await all_of(fine))[-1], Finished)
    assert len(house.engines) == 1


@pytest.mark.parametrize("text", ["fault", "fault in open"])
async def test_after_a_fault_the_next_job_gets_a_new_engine(house: House, text: str) -> None:
    failed = (await all_of(house.submit(text)))[-1]
    finished = (await all_of(house.submit("fine")))[-1]

    assert isinstance(failed, Failed)
    assert failed.error.code == "internal"
    assert isinstance(finished, Finished)
    assert [engine.unloaded for engine in house.engines] == [True, False]


async def test_a_base_that_cannot_be_loaded_is_a_sentence(house: House) -> None:
    (failed,) = await all_of(house.submit("a", base="broken"))

    assert isinstance(failed, Failed)
    assert failed.error.code == "model-unreadable"
    assert house.scheduler.loaded == ()


async def test_another_base_waits_its_turn_and_replaces_the_first(house: House) -> None:
    first, second = house.submit("a", base="one"), house.submit("b", base="two")
    await asyncio.gather(all_of(first), all_of(second))

    assert [engine.unloaded for engine in house.engines] == [True, False]
    assert house.scheduler.loaded == ("two",)


async def test_a_base_whose_file_changed_is_loaded_anew(house: House) -> None:
    await all_of(house.submit("a"))
    (house.folder / "base").write_text("another")
    await all_of(house.submit("b"))

    assert len(house.engines) == 2


async def test_a_base_whose_file_is_gone_is_a_sentence(house: House) -> None:
    model = house.model()
    model.weights.unlink()
    (failed,) = await all_of(house.scheduler.submit(model, asked("a")))

    assert isinstance(failed, Failed)
    assert failed.error.code == "model-missing"


async def test_when_the_process_leaves_every_open_job_hears_of_it(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.gate = threading.Semaphore(0)
    jobs = [house.submit(text, max_tokens=None) for text in "ab"]
    await house.until(lambda: house.scheduler.active == 1)
    stopping = asyncio.create_task(asyncio.to_thread(house.scheduler.stop))
    await asyncio.sleep(0.05)
    house.gate.release()
    last = [(await all_of(job))[-1] for job in jobs]
    await stopping

    assert all(isinstance(event, Failed) and event.error.code == "serve-failed" for event in last)
    assert house.engines[0].unloaded
