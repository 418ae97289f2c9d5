"""The queue between the API's event loop and the thread that computes.

Jobs are served first come, first served; as many at once as the engine has slots. A job that is cancelled, because its
client asked or went away, ends within one step and leaves nothing behind.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from peft_engine.catalog import Servable
from peft_engine.inference.contract import Delta, Engine, FinishReason, GenerationRequest, OpenSequence
from peft_engine.inference.residency import Residency
from peft_schemas.errors import ErrorReport, WorkbenchError

_log = logging.getLogger(__name__)


class Overloaded(Exception):
    """Too many requests wait already."""


@dataclass(frozen=True)
class Opened:
    """The request is valid and its computation begins."""

    prompt_tokens: int
    cached_tokens: int


@dataclass(frozen=True)
class Piece:
    """More of the answer."""

    delta: Delta


@dataclass(frozen=True)
class Finished:
    """The answer is complete. Times are in seconds."""

    reason: FinishReason
    completion_tokens: int
    queued: float
    """From the request's arrival to the start of its computation, loading the base included."""

    first_token: float
    """From the request's arrival to its first token."""

    generation: float
    """From the first token to the last."""


@dataclass(frozen=True)
class Failed:
    """There is no answer, or no more of it."""

    error: ErrorReport


Event = Opened | Piece | Finished | Failed


class Job:
    """One request on its way. Its events are read by the event loop that submitted it."""

    def __init__(self, model: Servable, request: GenerationRequest) -> None:
        """Remember the request and the running event loop."""
        self.model = model
        self.request = request
        self.arrived = time.monotonic()
        self.started = 0.0
        self.first_token = 0.0
        self.cancelled = False
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    async def events(self) -> AsyncIterator[Event]:
        """Yield what happens, up to `Finished` or `Failed`. Whoever stops reading cancels the job."""
        try:
            while True:
                event = await self._events.get()
                yield event
                if isinstance(event, Finished | Failed):
                    return
        finally:
            self.cancelled = True

    def tell(self, event: Event) -> None:
        """Send an event, from the computing thread."""
        try:
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)
        except RuntimeError:
            # The loop is closed: the process is leaving, and nobody listens.
            self.cancelled = True


class Scheduler:
    """Owns the computing thread."""

    def __init__(self, residency: Residency, *, max_waiting: int = 64) -> None:
        """Prepare; `start` begins.

        Args:
            residency: Where engines come from.
            max_waiting: Requests that may wait; one more is refused.
        """
        self._residency = residency
        self._max_waiting = max_waiting
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._active: dict[Job, OpenSequence] = {}
        self._engine: Engine | None = None
        self._leaving = False
        self._thread = threading.Thread(target=self._run, name="inference")
        self.generated_tokens = 0
        """Tokens computed since the start; stands still while nothing is generated."""

    def start(self) -> None:
        """Start computing."""
        self._thread.start()

    def stop(self) -> None:
        """Fail whatever is open, unload every base and wait for the thread."""
        with self._changed:
            self._leaving = True
            self._changed.notify()
        self._thread.join()

    def submit(self, model: Servable, request: GenerationRequest) -> Job:
        """Queue a request.

        Raises:
            Overloaded: Too many wait already.
        """
        job = Job(model, request)
        with self._changed:
            self._waiting = deque(waiting for waiting in self._waiting if not waiting.cancelled)
            if len(self._waiting) >= self._max_waiting:
                raise Overloaded
            self._waiting.append(job)
            self._changed.notify()
        return job

    @property
    def computing(self) -> bool:
        """Whether the thread lives, without which no request is ever answered."""
        return self._thread.is_alive()

    @property
    def loaded(self) -> tuple[str, ...]:
        """The ids of the bases in memory."""
        return self._residency.loaded

    @property
    def active(self) -> int:
        """Requests being computed."""
        return len(self._active)

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiting)

    def _run(self) -> None:
        while self._wait_for_work():
            job = self._next_job()
            if job is not None:
                self._open(job)
            self._drop_cancelled()
            if self._active and self._engine is not None:
                self._step(self._engine)
        leaving = ErrorReport(
            code="serve-failed", message="The inference process was told to stop.", remedy="Ask again: it starts anew."
        )
        for open_job in [*self._active, *self._waiting]:
            open_job.tell(Failed(leaving))
        self._residency.clear()

    def _wait_for_work(self) -> bool:
        """Sleep until there is something to do; tell whether to go on."""
        with self._changed:
            self._changed.wait_for(lambda: self._leaving or self._active or self._waiting)
            return not self._leaving

    def _next_job(self) -> Job | None:
        """Take the job at the head of the queue if there is room for it beside the active ones."""
        with self._changed:
            while self._waiting and self._waiting[0].cancelled:
                self._waiting.popleft()
            if not self._waiting:
                return None
            if self._active and not self._fits_beside_active(self._waiting[0]):
                return None
            return self._waiting.popleft()

    def _fits_beside_active(self, job: Job) -> bool:
        slots = 0 if self._engine is None else self._engine.slots
        return len(self._active) < slots and self._residency.is_resident(job.model)

    def _open(self, job: Job) -> None:
        try:
            self._engine = self._residency.engine_for(job.model)
            job.started = time.monotonic()
            sequence = self._engine.open(job.request)
        except WorkbenchError as error:
            job.tell(Failed(error.report()))
        except Exception:
            self._give_up_engine([*self._active, job])
        else:
            self._active[job] = sequence
            job.tell(Opened(sequence.prompt_tokens, sequence.cached_tokens))

    def _drop_cancelled(self) -> None:
        for job in [job for job in self._active if job.cancelled]:
            self._close(job)

    def _step(self, engine: Engine) -> None:
        before = sum(sequence.completion_tokens for sequence in self._active.values())
        try:
            engine.step()
        except Exception:
            self._give_up_engine(list(self._active))
            return
        self.generated_tokens += sum(sequence.completion_tokens for sequence in self._active.values()) - before
        for job, sequence in list(self._active.items()):
            self._report(job, sequence)

    def _report(self, job: Job, sequence: OpenSequence) -> None:
        if not job.first_token and (sequence.completion_tokens or sequence.finish_reason):
            job.first_token = time.monotonic()
        delta = sequence.take()
        if delta.text or delta.logprobs:
            job.tell(Piece(delta))
        if sequence.finish_reason is not None:
            self._close(job)
            job.tell(
                Finished(
                    reason=sequence.finish_reason,
                    completion_tokens=sequence.completion_tokens,
                    queued=job.started - job.arrived,
                    first_token=job.first_token - job.arrived,
                    generation=time.monotonic() - job.first_token,
                )
            )

    def _close(self, job: Job) -> None:
        self._active.pop(job).close()

    def _give_up_engine(self, jobs: list[Job]) -> None:
        """After a fault the engine's state is not to be trusted: the next request loads it anew."""
        _log.exception("the engine failed")
        report = ErrorReport(
            code="internal",
            message="The model could not compute this answer.",
            remedy="Ask again: the model is loaded anew. The reason is in the log of the inference process.",
        )
        for job in jobs:
            job.tell(Failed(report))
        self._active.clear()
        self._engine = None
        self._residency.clear()
