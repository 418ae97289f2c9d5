"""A scheduler over engines that answer each step with the question, so that a test decides when each step happens."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from peft_engine.catalog import Servable
from peft_engine.inference.contract import (
    AdapterUse,
    Capability,
    Conversation,
    Delta,
    Embedding,
    FinishReason,
    GenerationRequest,
    Sampling,
)
from peft_engine.inference.residency import OnProgress, Residency
from peft_engine.inference.scheduler import Event, Job, Scheduler
from peft_schemas.errors import WorkbenchError

PLENTY = 10**6


def asked(text: str, *, max_tokens: int | None = 3) -> GenerationRequest:
    return GenerationRequest(Conversation(({"role": "user", "content": text},)), (), Sampling(0, 1, 0), max_tokens)


def servable(path: Path, *, size: int = 0) -> Servable:
    """A model whose base is a file, which is made."""
    if not path.exists():
        path.touch()
    return Servable(
        id=path.name,
        label=path.name,
        base=path.name,
        weights=path,
        format="gguf",
        context_length=100,
        created=0,
        size_bytes=size,
        source="package",
    )


@dataclass
class EchoSequence:
    """Answers each step with the question."""

    text: str
    limit: int | None
    prompt_tokens: int = 5
    cached_tokens: int = 2
    completion_tokens: int = 0
    finish_reason: FinishReason | None = None
    failure: WorkbenchError | None = None
    closed: bool = False

    def advance(self) -> None:
        self.completion_tokens += 1
        if self.completion_tokens == self.limit:
            self.finish_reason = "length"

    def take(self) -> Delta:
        return Delta(self.text)

    def close(self) -> None:
        self.closed = True


@dataclass
class EchoEngine:
    """An engine whose steps the test lets happen."""

    slots: int = 1
    gate: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(PLENTY))
    memory_bytes: int = 0
    kept_bytes: int = 0
    base: str = ""
    open_sequences: list[EchoSequence] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    unloaded: bool = False
    most_open: int = 0
    prepared: bool = False
    when_ready: Callable[[], None] = lambda: None
    context_length: int = 100
    capabilities: frozenset[Capability] = frozenset()

    def keep(self, size: int) -> None:
        """Take memory for what only saves time."""
        self.kept_bytes += size
        self.memory_bytes += size

    def forget_kept(self, size: int) -> None:
        assert not self.unloaded
        self.keep(-min(size, self.kept_bytes))

    def ready(self, request: GenerationRequest, when_ready: Callable[[], None]) -> bool:
        assert isinstance(request.prompt, Conversation)
        self.when_ready = when_ready
        return self.prepared or request.prompt.messages[0]["content"] != "constrained"

    def open(self, request: GenerationRequest) -> EchoSequence:
        assert not self.unloaded
        assert isinstance(request.prompt, Conversation)
        text = request.prompt.messages[0]["content"]
        if text == "refuse":
            raise WorkbenchError("context-exceeded", "Too long.", "Shorten it.")
        if text == "fault in open":
            raise ZeroDivisionError
        sequence = EchoSequence(text, request.max_tokens)
        if text == "known":
            sequence.advance()
        self.opened.append(text)
        self.open_sequences.append(sequence)
        return sequence

    def step(self) -> None:
        assert not self.unloaded
        self.gate.acquire()
        self.open_sequences = [sequence for sequence in self.open_sequences if not sequence.closed]
        self.most_open = max(self.most_open, len(self.open_sequences))
        for sequence in self.open_sequences:
            if sequence.text == "fault":
                raise OSError("a step failed")
            if sequence.text == "fail alone":
                sequence.failure = WorkbenchError("model-unreadable", "No numbers.", "Get the file again.")
                continue
            sequence.advance()

    def embed(self, texts: Sequence[str | Sequence[int]], adapters: tuple[AdapterUse, ...]) -> list[Embedding]:
        assert not self.unloaded
        if "fault" in texts:
            raise OSError("a computation failed")
        if "refuse" in texts:
            raise WorkbenchError("context-exceeded", "Too long.", "Shorten it.")
        return [Embedding([float(len(text))], len(text)) for text in texts]

    def tokenize(self, text: str) -> list[int]:
        assert not self.unloaded
        if text == "fault":
            raise OSError("the tokenizer failed")
        return [ord(character) for character in text]

    def unload(self) -> None:
        self.unloaded = True


class House:
    """A scheduler whose engines are echoes."""

    def __init__(
        self,
        folder: Path,
        *,
        budget: int = PLENTY,
        idle_seconds: float = 0,
        clock: Callable[[], float] = time.monotonic,
        max_waiting: int = 3,
    ) -> None:
        self.folder = folder
        self.engines: list[EchoEngine] = []
        self.slots = 1
        self.gate = threading.Semaphore(PLENTY)
        self.load_gate = threading.Semaphore(PLENTY)
        """Each load takes ten of it."""

        self.given_up: list[str] = []
        residency = Residency(
            self._load,
            budget=budget,
            estimate=lambda model: model.size_bytes,
            idle_seconds=idle_seconds,
            clock=clock,
        )
        self.scheduler = Scheduler(residency, max_waiting=max_waiting)
        self.scheduler.start()

    def _load(self, model: Servable, on_progress: OnProgress) -> EchoEngine:
        if model.base == "broken":
            raise WorkbenchError("model-unreadable", "It is broken.", "Mend it.")
        for tenth in range(10):
            while not self.load_gate.acquire(timeout=0.01):
                if not on_progress(tenth / 10):
                    self.given_up.append(model.base)
                    raise WorkbenchError("load-cancelled", "It was given up.", "Ask again.")
            on_progress((tenth + 1) / 10)
        self.engines.append(EchoEngine(self.slots, self.gate, model.size_bytes, base=model.base))
        return self.engines[-1]

    def model(self, base: str = "base", *, size: int = 0) -> Servable:
        return servable(self.folder / base, size=size)

    def submit(
        self, text: str, *, base: str = "base", size: int = 0, max_tokens: int | None = 3, client: str = ""
    ) -> Job:
        return self.scheduler.submit(self.model(base, size=size), asked(text, max_tokens=max_tokens), client=client)

    def engine(self, base: str) -> EchoEngine:
        """The engine that was loaded last for a base."""
        return [engine for engine in self.engines if engine.base == base][-1]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Let everything end."""
        for _ in range(100):
            self.gate.release()
            self.load_gate.release()
        await asyncio.to_thread(self.scheduler.stop)


async def all_of(job: Job) -> list[Event]:
    async with asyncio.timeout(20):
        return [event async for event in job.events()]
