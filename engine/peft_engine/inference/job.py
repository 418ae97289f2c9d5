"""What is asked of the scheduler, and what it tells in return."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from peft_engine.catalog import Servable
from peft_engine.inference.contract import (
    Delta,
    Embedding,
    FinishReason,
    GenerationRequest,
    PartRefused,
    RequestPart,
)
from peft_schemas.errors import ErrorReport, WorkbenchError


@dataclass(frozen=True)
class Opened:
    """The request is valid and its computation begins."""

    prompt_tokens: int


@dataclass(frozen=True)
class Piece:
    """More of the answer."""

    delta: Delta


@dataclass(frozen=True)
class Finished:
    """The answer is complete. Times are in seconds."""

    reason: FinishReason
    cached_tokens: int
    """Prompt tokens that were computed before, or for another answer meanwhile."""

    completion_tokens: int
    queued: float
    """From the request's arrival to the start of its computation, loading the base included."""

    first_token: float
    """From the request's arrival to its first token."""

    generation: float
    """From the first token to the last."""


@dataclass(frozen=True)
class Embedded:
    """All the embeddings that were asked for."""

    embeddings: tuple[Embedding, ...]


@dataclass(frozen=True)
class Loading:
    """A base is on its way into memory."""

    progress: float | None
    """From 0 to 1; None when the engine cannot say."""


@dataclass(frozen=True)
class Loaded:
    """A base is in memory."""


@dataclass(frozen=True)
class Failed:
    """There is no answer, or no more of it."""

    error: ErrorReport
    part: RequestPart | None = None
    """Of the request, if it is at fault."""

    def raised(self) -> WorkbenchError:
        """Return what the engine raised."""
        error = self.error
        if self.part is not None:
            return PartRefused(self.part, error.message, error.remedy)
        return WorkbenchError(error.code, error.message, error.remedy)


Event = Opened | Piece | Finished | Failed
T = TypeVar("T")


class Asked(Generic[T]):
    """Something that was asked for by the running event loop, which also reads what becomes of it."""

    def __init__(self, model: Servable, client: str, changed: Callable[[], None]) -> None:
        """Remember who asks.

        Args:
            model: Whose base is needed.
            client: Who asks: clients take turns.
            changed: Called when nobody wants this any more.
        """
        self.model = model
        self.client = client
        self.arrived = time.monotonic()
        self._changed = changed
        self._cancelled = False
        self._loop = asyncio.get_running_loop()
        self._told: asyncio.Queue[T] = asyncio.Queue()

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants this any more. Set it to give up; what is complete is not harmed by that."""
        return self._cancelled

    @cancelled.setter
    def cancelled(self, value: bool) -> None:
        if value and not self._cancelled:
            self._cancelled = True
            self._changed()

    def tell(self, event: T) -> None:
        """Send an event, from the computing thread."""
        try:
            self._loop.call_soon_threadsafe(self._told.put_nowait, event)
        except RuntimeError:
            # The loop is closed: the process is leaving, and nobody listens.
            self._cancelled = True

    async def _until(self, *last: type[T]) -> AsyncIterator[T]:
        try:
            while True:
                event = await self._told.get()
                yield event
                if isinstance(event, last):
                    return
        finally:
            self.cancelled = True


class Job(Asked[Event]):
    """An answer."""

    def __init__(
        self, model: Servable, request: GenerationRequest, client: str = "", changed: Callable[[], None] = lambda: None
    ) -> None:
        """Remember the request and who asks."""
        super().__init__(model, client, changed)
        self.request = request
        self.started = 0.0
        self.first_token = 0.0

    def events(self) -> AsyncIterator[Event]:
        """Yield what happens, up to `Finished` or `Failed`. Whoever stops reading cancels the job."""
        return self._until(Finished, Failed)


class EmbeddingJob(Asked[Embedded | Failed]):
    """Texts to be embedded."""

    def __init__(
        self, model: Servable, texts: Sequence[str | Sequence[int]], client: str, changed: Callable[[], None]
    ) -> None:
        """Remember the texts and who asks."""
        super().__init__(model, client, changed)
        self.texts = tuple(texts)
        self.done: list[Embedding] = []
        """Of the first texts, as many as are computed."""

    async def embeddings(self) -> tuple[Embedding, ...]:
        """Wait for the embedding of each text. Whoever stops waiting cancels the job.

        Raises:
            WorkbenchError: There are none.
        """
        async for event in self._until(Embedded, Failed):
            if isinstance(event, Embedded):
                return event.embeddings
            raise WorkbenchError(event.error.code, event.error.message, event.error.remedy)
        raise AssertionError("it ends by Embedded or Failed")


class Load(Asked[Loading | Loaded | Failed]):
    """A base that is wanted in memory."""

    told: float | None = None
    """The progress that was told last."""

    async def progress(self) -> AsyncIterator[float | None]:
        """Yield how much is loaded, from 0 to 1, up to the end. Whoever stops reading cancels the load.

        Raises:
            WorkbenchError: It cannot be loaded, or someone gave it up.
        """
        async for event in self._until(Loaded, Failed):
            if isinstance(event, Loading):
                yield event.progress
            elif isinstance(event, Failed):
                raise WorkbenchError(event.error.code, event.error.message, event.error.remedy)

    async def done(self) -> None:
        """Wait until the base is in memory.

        Raises:
            WorkbenchError: It cannot be loaded, or someone gave it up.
        """
        async for _ in self.progress():
            pass
