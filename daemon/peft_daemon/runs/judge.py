"""The truth about a run whose worker may be gone."""

import shutil
from contextlib import suppress

from peft_engine.rundir import EventLog, EventTail, RunDirectory
from peft_engine.rundir.checkpoints import last_verified_checkpoint
from peft_engine.rundir.directory import now
from peft_engine.rundir.lock import speaking_for
from peft_engine.rundir.mend import mended_state
from peft_engine.rundir.presence import is_present, may_have_worker
from peft_schemas.errors import ErrorReport, WorkbenchError
from peft_schemas.events import (
    LAST_WORDS,
    RESTING_STATES,
    FailedEvent,
    MetricEvent,
    PausedEvent,
    ResumedEvent,
    RunState,
    StateFile,
)

LAST_WORD_BYTES = 64 * 1024
"""What a worker keeps aside for its last word; with less than that on its disk it may not have had one."""


def settle(run: RunDirectory) -> StateFile:
    """Return the run's state, and if its worker is gone without a last word, write that word first.

    Any number of daemons and commands may call this at once: one of them writes, under a lock that whoever speaks for a
    run takes.
    """
    state = _read(run)
    if state.state in RESTING_STATES or may_have_worker(run, state):
        return state
    with speaking_for(run):
        state = _read(run)
        if state.state in RESTING_STATES or may_have_worker(run, state):
            return state
        return _pronounce(run, state)


def _read(run: RunDirectory) -> StateFile:
    """Return the run's state, mended if its file is damaged. A worker that lives will write its own again."""
    try:
        return run.read_state()
    except WorkbenchError:
        if not (run.path / "state.json").is_file():
            # Not a run, or not yet.
            raise
        state = mended_state(run)
        if not is_present(run):
            run.write_state(state)
        return state


def _pronounce(run: RunDirectory, state: StateFile) -> StateFile:
    """Write the end of a run whose worker cannot: copy a last word that is there, else record the failure."""
    events = [event for event in EventTail(run.events).read() if event.seq > state.since]
    for event in reversed(events):
        if isinstance(event, LAST_WORDS):
            error = event.error if isinstance(event, FailedEvent) else None
            return _written(run, _settled(state, event.type, event.step, error))
        if isinstance(event, PausedEvent):
            return _written(run, _settled(state, "paused", event.step))
    step = next((event.step for event in reversed(events) if isinstance(event, MetricEvent | ResumedEvent)), state.step)
    checkpoint = last_verified_checkpoint(run)
    where = "while it waited for its turn" if state.state == "queued" else f"at step {step}"
    onward = "which goes on from its newest checkpoint" if checkpoint else "which begins anew: there is no checkpoint"
    resume = f"esume it with `peftw runs resume {run.id}`, {onward}"
    if shutil.disk_usage(run.path).free < LAST_WORD_BYTES:
        report = ErrorReport(
            code="disk-full",
            message=f"The worker of run {run.id} ended {where} without a word, and its disk is full.",
            remedy=f"Free some space. Then r{resume}.",
        )
    else:
        report = ErrorReport(
            code="worker-killed",
            message=f"The worker of run {run.id} ended {where} without a word: it was killed or crashed.",
            remedy=f"R{resume}; worker.log in its directory may say more.",
        )
    try:
        with EventLog(run.events) as log:
            log.append(
                FailedEvent, run_id=run.id, directory=str(run.path), step=step, error=report, checkpoint=checkpoint
            )
    except OSError:
        return _settled(state, "failed", step, report)
    return _written(run, _settled(state, "failed", step, report))


def _settled(state: StateFile, to: RunState, step: int, error: ErrorReport | None = None) -> StateFile:
    return state.model_copy(update={"state": to, "step": step, "error": error, "detail": None, "updated": now()})


def _written(run: RunDirectory, settled: StateFile) -> StateFile:
    """Keep the verdict. A full disk, which may be what ended the run, must not keep anyone from hearing it."""
    with suppress(OSError):
        run.write_state(settled)
    return settled
