"""Between the API's event loop and the one thread that computes.

One thread steps every base that has open answers, one step each in turn. A second one would not compute more: a step
uses all the processor threads that it was given, and two at once only take them from each other. Bases are loaded in a
thread of their own, so answers go on meanwhile.

Clients take turns. A request that is cancelled, because its client asked or went away, ends within one step and leaves
nothing behind.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from peft_engine.catalog import Servable, find_servable
from peft_engine.inference.answers import Answers
from peft_engine.inference.contract import GenerationRequest
from peft_engine.inference.deaths import Deaths
from peft_engine.inference.footprint import base_key
from peft_engine.inference.job import EmbeddingJob, Event, Failed, Finished, Job, Load, Opened, Piece
from peft_engine.inference.line import Line, Overloaded, Waiting
from peft_engine.inference.loads import Loads
from peft_engine.inference.metrics import Metrics
from peft_engine.inference.residency import Residency
from peft_schemas.errors import ErrorReport, WorkbenchError
from peft_schemas.serving import ResidentModel

__all__ = ["Event", "Failed", "Finished", "Job", "Opened", "Overloaded", "Piece", "Scheduler"]

DEFAULT_MODEL = "default"
"""The model id that stands for whatever model was switched to."""

_LEAVING = ErrorReport(
    code="serve-failed", message="The inference process was told to stop.", remedy="Ask again: it starts anew."
)


class Scheduler:
    """Owns the computing thread."""

    def __init__(self, residency: Residency, *, max_waiting: int = 64) -> None:
        """Prepare; `start` begins.

        Args:
            residency: Where engines come from.
            max_waiting: Requests of one client that may wait; one more is refused.
        """
        self.metrics = Metrics()
        self.default_model: str | None = None
        """The id of the model that requests for `default` get."""

        self._residency = residency
        self._changed = threading.Condition()
        self._dirty = False
        self._leaving = False
        self._line = Line(max_waiting)
        self._commands: deque[Callable[[], object]] = deque()
        self._deaths = Deaths()
        residency.failures |= self._deaths.newest
        self._answers = Answers(residency, self.metrics, self._deaths, wake=self._wake)
        self._loads = Loads(residency, self.metrics, self._deaths, wake=self._wake, refuse=self._refuse)
        self._thread = threading.Thread(target=self._run, name="inference")

    def start(self) -> None:
        """Start computing."""
        self._loads.start()
        self._thread.start()

    def stop(self) -> None:
        """Fail whatever is open, unload every base and wait for the threads."""
        with self._changed:
            self._leaving = True
            self._changed.notify()
        self._thread.join()

    # What the event loop asks for.

    def submit(self, model: Servable, request: GenerationRequest, *, client: str = "") -> Job:
        """Queue a request.

        Args:
            model: Whose base computes it.
            request: What is asked for.
            client: Who asks. Clients take turns, however much each of them asks for.

        Raises:
            Overloaded: Too many wait already.
        """
        job = Job(model, request, client, self._wake)
        self._add(job)
        return job

    def submit_embedding(
        self, model: Servable, texts: Sequence[str | Sequence[int]], *, client: str = ""
    ) -> EmbeddingJob:
        """Queue texts, or lists of tokens, to be embedded by a model with its adapters. Between two, answers go on.

        Raises:
            Overloaded: Too many wait already.
        """
        job = EmbeddingJob(model, texts, client, self._wake)
        self._add(job)
        return job

    def load(self, model: Servable) -> Load:
        """Bring a model's base into memory. The load is given up when nobody waits for it any more."""
        load = Load(model, "", self._wake)
        self._command(lambda: self._loads.add(load))
        return load

    async def unload(self, base: str) -> None:
        """Free a base, pinned or not, and wait until it is; its open answers are completed first.

        Requests that wait for it to be loaded fail; a load that goes on is given up.
        """
        loop = asyncio.get_running_loop()
        gone: asyncio.Queue[int] = asyncio.Queue()

        def tell(change: int) -> None:
            loop.call_soon_threadsafe(gone.put_nowait, change)

        def unload() -> None:
            places = self._loads.unload(base, self._waiting())
            for place in places:
                place.when_gone.append(lambda: tell(-1))
            tell(len(places))

        self._command(unload)
        missing = await gone.get()
        while missing > 0:
            missing += await gone.get()

    async def pin(self, base: str, *, pinned: bool) -> None:
        """Keep a base in memory once it is there, or no longer, and return when that holds."""
        held: Future[None] = Future()

        def change() -> None:
            kept = self._residency.pinned
            self._residency.pinned = kept | {base} if pinned else kept - {base}
            if held.set_running_or_notify_cancel():
                held.set_result(None)

        self._command(change)
        await asyncio.wrap_future(held)

    async def tokenize(self, model: Servable, text: str) -> Sequence[int]:
        """Return the tokens that a model's base makes of a text, between two steps. Nothing is loaded for it.

        Raises:
            WorkbenchError: The base is not in memory (`model-not-loaded`).
        """
        found: Future[Sequence[int]] = Future()

        def tokenize() -> None:
            if not found.set_running_or_notify_cancel():
                return
            try:
                found.set_result(self._residency.engine_of(model).tokenize(text))
            except Exception as error:  # It is the request's, and must not end the thread.
                found.set_exception(error)

        self._command(tokenize)
        return await asyncio.wrap_future(found)

    def died_of(self, model: Servable) -> ErrorReport | None:
        """Return what there is to say where an earlier process died of a model that gave no answer since."""
        return self._deaths.of(model)

    def note_failure(self, model_id: str, error: ErrorReport) -> None:
        """Show that a model that was asked for cannot be had, until it can."""
        self._command(lambda: self._residency.failures.setdefault(model_id, error))

    async def switch(self, model: Servable) -> None:
        """Make a model the default once its base is in memory. Requests that began before keep the model they have.

        Raises:
            WorkbenchError: It cannot be loaded; the default is the one before.
        """
        await self.load(model).done()
        self.default_model = model.id
        self.metrics.switches += 1

    def find(self, model_id: str) -> Servable:
        """Return the model of an id, or of the default. Looks at files.

        Raises:
            WorkbenchError: There is no such model, or there is no default (`model-missing`), or it cannot be served.
        """
        if model_id != DEFAULT_MODEL:
            return find_servable(model_id)
        if self.default_model is None:
            raise WorkbenchError(
                "model-missing",
                "No default model has been chosen.",
                "Name a model, or choose one with `peftw serve switch MODEL`.",
            )
        return find_servable(self.default_model)

    # What anyone may look at.

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
        return len(self._answers)

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._line)

    @property
    def busy(self) -> bool:
        """Whether anything is computed, loaded or waited for."""
        return bool(self.active or self.waiting or len(self._loads))

    @property
    def pinned(self) -> bool:
        """Whether a base is in memory that shall stay there."""
        return not self._residency.pinned.isdisjoint(self.loaded)

    @property
    def generated_tokens(self) -> int:
        """Tokens computed since the start; stands still while nothing is generated."""
        return self.metrics.completion_tokens

    @property
    def memory_bytes(self) -> int:
        """What all bases take, an estimate for those that are being loaded."""
        return self._residency.used

    @property
    def kept_bytes(self) -> dict[str, int]:
        """What of that each base takes only to save time."""
        return {place.model.base: place.kept_bytes for place in self._residency.places}

    @property
    def memory_limit(self) -> int:
        """What they may take together."""
        return self._residency.budget

    def residents(self) -> list[ResidentModel]:
        """Describe the bases that are in memory, on their way there, or could not be loaded the last time."""
        waiting = [job.model.base for job in self._waiting()]
        residents = [
            ResidentModel(
                base=place.model.base,
                state="ready" if place.state == "ready" else "loading",
                progress=place.progress,
                pinned=place.model.base in self._residency.pinned,
                memory_bytes=place.bytes,
                active=place.in_use,
                waiting=waiting.count(place.model.base),
            )
            for place in self._residency.places
        ]
        present = {resident.base for resident in residents}
        failed = [
            ResidentModel(base=base, state="error", error=error)
            for base, error in list(self._residency.failures.items())
            if base not in present
        ]
        return residents + failed

    # What the computing thread does.

    def _run(self) -> None:
        try:
            while self._wait_for_work():
                self._turn()
        finally:
            # Also where this program itself is at fault: nobody shall wait for an answer that cannot come.
            for job in [*self._answers, *self._waiting()]:
                job.tell(Failed(_LEAVING))
        self._deaths.computing.with_models(())
        self._loads.stop(_LEAVING)
        self._residency.clear()

    def _wait_for_work(self) -> bool:
        """Sleep until there is something to do; tell whether to go on."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._leaving or self._dirty or len(self._answers), self._residency.next_idle()
            )
            self._dirty = False
            return not self._leaving

    def _turn(self) -> None:
        with self._changed:
            self._line.drop(lambda job: job.cancelled)
            commands, self._commands = self._commands, deque()
        for command in commands:
            command()
        computing = len(self._answers)
        self._answers.drop_cancelled()
        self._begin_next()
        self._answers.advance()
        self._residency.unload_idle()
        self.metrics.unloads = self._residency.unloads
        if len(self._answers) < computing:
            # What has ended may make room for what waits, for a slot or for memory.
            self._wake()

    def _begin_next(self) -> None:
        """Begin at most one request, so that those that go on do not wait long for their next token."""
        places = self._loads.places_of(self._waiting())

        def may_begin(job: Waiting) -> bool:
            place = places.get(base_key(job.model))
            return place is not None and self._answers.has_room(place, job)

        with self._changed:
            job = self._line.take(may_begin)
        if job is not None:
            self._answers.begin(places[base_key(job.model)], job)
            self._wake()
        self._loads.begin(self._waiting())

    def _waiting(self) -> list[Waiting]:
        with self._changed:
            return list(self._line)

    def _refuse(self, job: Waiting, error: ErrorReport) -> None:
        with self._changed:
            self._line.drop(lambda waiting: waiting is job)
        self.metrics.count_failure(job.model.id, error.code)
        job.tell(Failed(error))

    def _add(self, job: Waiting) -> None:
        with self._changed:
            try:
                self._line.add(job)
            except Overloaded:
                self.metrics.errors["overloaded"] += 1
                raise
        self._wake()

    def _command(self, command: Callable[[], object]) -> None:
        with self._changed:
            self._commands.append(command)
        self._wake()

    def _wake(self) -> None:
        with self._changed:
            self._dirty = True
            self._changed.notify()
