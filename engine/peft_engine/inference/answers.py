"""What is being computed: open sequences of every base, and one list of texts to embed."""

import logging
import time
from collections.abc import Callable, Iterator

from peft_engine.inference.contract import AdapterUse, OpenSequence, PartRefused, RequestPart
from peft_engine.inference.deaths import Deaths
from peft_engine.inference.job import Embedded, EmbeddingJob, Failed, Finished, Job, Opened, Piece
from peft_engine.inference.line import Waiting
from peft_engine.inference.metrics import Metrics
from peft_engine.inference.residency import Place, Residency
from peft_schemas.errors import ErrorReport, WorkbenchError

_log = logging.getLogger(__name__)
_FAULT = ErrorReport(
    code="internal",
    message="The model could not compute this answer.",
    remedy="Ask again: the model is loaded anew. The reason is in the log of the inference process.",
)


class Answers:
    """Used by the computing thread alone, but for what only looks."""

    def __init__(self, residency: Residency, metrics: Metrics, deaths: Deaths, wake: Callable[[], None]) -> None:
        """Begin with none; `wake` tells the computing thread that a request may begin now."""
        self._residency = residency
        self._metrics = metrics
        self._deaths = deaths
        self._wake = wake
        self._open: dict[Job, tuple[Place, OpenSequence]] = {}
        self._embedding: tuple[Place, EmbeddingJob] | None = None

    def __len__(self) -> int:
        return len(self._open) + (self._embedding is not None)

    def __iter__(self) -> Iterator[Waiting]:
        yield from list(self._open)
        if self._embedding is not None:
            yield self._embedding[1]

    def has_room(self, place: Place, job: Waiting) -> bool:
        """Tell whether a request can begin on a base now."""
        if not place.usable or place.engine is None:
            return False
        if isinstance(job, EmbeddingJob):
            return self._embedding is None
        room = sum(1 for other, _ in self._open.values() if other is place) < place.engine.slots
        return room and place.engine.ready(job.request, self._wake)

    def begin(self, place: Place, job: Waiting) -> None:
        """Begin a request that there is room for."""
        if isinstance(job, EmbeddingJob):
            self._residency.begin(place)
            self._embedding = place, job
        else:
            self._begin_answer(place, job)

    def advance(self) -> None:
        """Let every base that has open answers make one step, and embed one text."""
        for place in dict.fromkeys(place for place, _ in self._open.values()):
            self._step(place)
        if self._embedding is not None:
            self._embed(*self._embedding)
        if not len(self):
            self._deaths.computing.with_models(())

    def drop_cancelled(self) -> None:
        """End what nobody waits for any more."""
        for job in [job for job in self._open if job.cancelled]:
            self._close(job)
            self._count_cancelled(job)
        if self._embedding is not None and self._embedding[1].cancelled:
            self._count_cancelled(self._embedding[1])
            self._end_embedding()

    def _begin_answer(self, place: Place, job: Job) -> None:
        if place.engine is None:
            raise AssertionError("there is room on a base in memory only")
        job.started = time.monotonic()
        self._deaths.computing.with_models((job.model.id,))
        try:
            sequence = place.engine.open(job.request)
        except WorkbenchError as error:
            self._fail(job, error.report(), error.part if isinstance(error, PartRefused) else None)
        except Exception:
            self._give_up(place)
            self._fail(job, _FAULT)
        else:
            self._open[job] = place, sequence
            self._residency.begin(place)
            self._metrics.queued.add(job.started - job.arrived)
            self._metrics.prompt_tokens += sequence.prompt_tokens
            self._metrics.completion_tokens += sequence.completion_tokens
            job.tell(Opened(sequence.prompt_tokens))
            if sequence.completion_tokens or sequence.finish_reason or sequence.failure:
                # The prompt was known as a whole: its first token is there at once.
                self._report(job, sequence)

    def _step(self, place: Place) -> None:
        jobs = {job: sequence for job, (other, sequence) in self._open.items() if other is place}
        if place.engine is None:
            raise AssertionError("a base with open answers is never unloaded")
        before = sum(sequence.completion_tokens for sequence in jobs.values())
        self._deaths.computing.with_models(tuple(dict.fromkeys(job.model.id for job in jobs)))
        try:
            place.engine.step()
        except WorkbenchError as error:
            self._give_up(place, error.report())
            return
        except Exception:
            self._give_up(place)
            return
        self._metrics.completion_tokens += sum(sequence.completion_tokens for sequence in jobs.values()) - before
        for job, sequence in jobs.items():
            self._report(job, sequence)

    def _report(self, job: Job, sequence: OpenSequence) -> None:
        if not job.first_token and (sequence.completion_tokens or sequence.finish_reason):
            job.first_token = time.monotonic()
        delta = sequence.take()
        if delta.text or delta.logprobs:
            job.tell(Piece(delta))
        if sequence.failure is not None:
            self._close(job)
            self._fail(job, sequence.failure.report())
            return
        if sequence.finish_reason is None:
            return
        finished = Finished(
            reason=sequence.finish_reason,
            cached_tokens=sequence.cached_tokens,
            completion_tokens=sequence.completion_tokens,
            queued=job.started - job.arrived,
            first_token=job.first_token - job.arrived,
            generation=time.monotonic() - job.first_token,
        )
        self._close(job)
        self._metrics.requests[job.model.id] += 1
        self._metrics.first_token.add(finished.first_token)
        self._metrics.generation.add(finished.generation)
        self._metrics.generation_tokens += max(0, finished.completion_tokens - 1)
        if finished.completion_tokens > 1 and finished.generation > 0:
            self._metrics.speeds[job.model.id] = (finished.completion_tokens - 1) / finished.generation
        self._deaths.answered(job.model)
        job.tell(finished)

    def _close(self, job: Job) -> None:
        place, sequence = self._open.pop(job)
        self._metrics.cached_tokens += sequence.cached_tokens
        sequence.close()
        self._residency.end(place)

    def _embed(self, place: Place, job: EmbeddingJob) -> None:
        if place.engine is None:
            raise AssertionError("a base that embeds is never unloaded")
        adapters = tuple(AdapterUse(adapter.path, adapter.scale) for adapter in job.model.adapters)
        self._deaths.computing.with_models((job.model.id,))
        try:
            job.done += place.engine.embed(job.texts[len(job.done) : len(job.done) + 1], adapters)
        except WorkbenchError as error:
            self._end_embedding()
            self._fail(job, error.report())
        except Exception:
            self._give_up(place)
        else:
            if len(job.done) == len(job.texts):
                self._end_embedding()
                self._deaths.answered(job.model)
                self._metrics.requests[job.model.id] += 1
                self._metrics.embedded_tokens += sum(embedding.tokens for embedding in job.done)
                job.tell(Embedded(tuple(job.done)))

    def _end_embedding(self) -> None:
        if self._embedding is not None:
            place, self._embedding = self._embedding[0], None
            self._residency.end(place)

    def _give_up(self, place: Place, fault: ErrorReport = _FAULT) -> None:
        """After a fault the engine's state is not to be trusted: the next request loads it anew."""
        _log.exception("the engine of %s failed", place.model.base)
        failed: list[Waiting] = [job for job, (other, _) in self._open.items() if other is place]
        self._open = {job: opened for job, opened in self._open.items() if opened[0] is not place}
        if self._embedding is not None and self._embedding[0] is place:
            failed.append(self._embedding[1])
            self._embedding = None
        self._residency.remove(place)
        for job in failed:
            self._fail(job, fault)

    def _fail(self, job: Waiting, error: ErrorReport, part: RequestPart | None = None) -> None:
        self._metrics.count_failure(job.model.id, error.code)
        job.tell(Failed(error, part))

    def _count_cancelled(self, job: Waiting) -> None:
        self._metrics.requests[job.model.id] += 1
        self._metrics.cancelled += 1
