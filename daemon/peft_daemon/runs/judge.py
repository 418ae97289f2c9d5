"""The truth about a run whose worker may be gone."""

from contextlib import suppress
from datetime import UTC, datetime

from peft_engine.process import ProcessIdentity
from peft_engine.queue.line import BIRTH_SECONDS
from peft_engine.rundir import EventLog, EventTail, RunDirectory
from peft_engine.rundir.checkpoints import last_verified_checkpoint
from peft_engine.rundir.directory import now
from peft_engine.rundir.lock import speaking_for
from peft_schemas.errors import ErrorReport
from peft_schemas.events import FINAL_STATES, LAST_WORDS, FailedEvent, MetricEvent, StateFile


def settle(run: RunDirectory) -> StateFile:
    """Return the run's state, and if its worker is gone without a last word, write that word first.

    Any number of daemons and commands may call this at once: one of them writes, under a lock that only judges take.
    """
    state = run.read_state()
    if state.state in FINAL_STATES or _worker_may_live(state):
        return state
    with speaking_for(run):
        state = run.read_state()
        if state.state in FINAL_STATES:
            return state
        return _pronounce(run, state)


def _worker_may_live(state: StateFile) -> bool:
    if state.pid is None or state.started is None:
        age = datetime.now(UTC) - datetime.fromisoformat(state.queued or state.created)
        return age.total_seconds() < BIRTH_SECONDS
    return ProcessIdentity(state.pid, state.started).alive()


def _pronounce(run: RunDirectory, state: StateFile) -> StateFile:
    """Write the end of a run whose worker cannot: copy a final event that is there, else record the failure."""
    events = EventTail(run.events).read()
    final = next((event for event in reversed(events) if isinstance(event, LAST_WORDS)), None)
    if final is not None:
        error = final.error if isinstance(final, FailedEvent) else None
        settled = state.model_copy(update={"state": final.type, "error": error, "updated": now()})
        return _written(run, settled)
    step = max((event.step for event in events if isinstance(event, MetricEvent)), default=state.step)
    report = ErrorReport(
        code="worker-killed",
        message=f"The worker of run {run.id} ended at step {step} without a word: it was killed or crashed.",
        remedy="Look at worker.log in the run's directory, then run the config again.",
    )
    settled = state.model_copy(update={"state": "failed", "error": report, "step": step, "updated": now()})
    try:
        with EventLog(run.events) as log:
            log.append(
                FailedEvent,
                run_id=run.id,
                directory=str(run.path),
                step=step,
                error=report,
                checkpoint=last_verified_checkpoint(run),
            )
    except OSError:
        return settled
    return _written(run, settled)


def _written(run: RunDirectory, settled: StateFile) -> StateFile:
    """Keep the verdict. A full disk, which may be what ended the run, must not keep anyone from hearing it."""
    with suppress(OSError):
        run.write_state(settled)
    return settled
