"""What the worker tells the world: events first, then the state that follows from them."""

import math
import time
from collections.abc import Mapping

from peft_engine.process import ProcessIdentity
from peft_engine.rundir import EventLog, RunDirectory
from peft_engine.rundir.checkpoints import Checkpoint, last_verified_checkpoint
from peft_engine.rundir.directory import now
from peft_engine.rundir.moves import move
from peft_schemas.errors import ErrorReport
from peft_schemas.events import (
    AnomalyEvent,
    CancelledEvent,
    CheckpointEvent,
    CompletedEvent,
    EvaluationEvent,
    Event,
    FailedEvent,
    LogEvent,
    MetricEvent,
    PausedEvent,
    PlanEvent,
    RecoveryEvent,
    ResumedEvent,
    RunState,
    StateEvent,
    StateFile,
    StoppedEvent,
)

_STATE_INTERVAL = 1.0
"""Seconds between two rewrites of `state.json` while steps go by."""

_RESERVE_BYTES = 64 * 1024
"""Space kept aside so that the last word can be written on a full disk."""


class Journal:
    """The only writer of a run's `events.jsonl` and `state.json` while its worker lives.

    `state.json` never says what `events.jsonl` does not: every change is an event before it is a state.
    """

    def __init__(self, run: RunDirectory) -> None:
        """Open the journal of a run that a launcher has made.

        Raises:
            WorkbenchError: The directory has no readable state (`run-missing`).
        """
        self._run = run
        self._state = run.read_state()
        self._log = EventLog(run.events)
        self._state_written = 0.0
        self._reserve = run.path / ".reserve"
        self._values: dict[str, float | None] = {}
        self._eta: float | None = None

    @property
    def step(self) -> int:
        """The newest optimizer step that was reported."""
        return self._state.step

    @property
    def attempt(self) -> int:
        """Which worker of the run this is, from 1."""
        return self._state.attempt

    def arrive(self) -> None:
        """Say which process this is, and keep space aside for its last word; the run still waits."""
        # From here on: a disk that fills while the run waits must not keep it from saying so.
        self._reserve.write_bytes(bytes(_RESERVE_BYTES))
        me = ProcessIdentity.current()
        self._write(pid=me.pid, started=me.started)

    def prepare(self) -> None:
        """Say that the run's turn has come."""
        self.enter("preparing")

    def enter(self, state: RunState, detail: str | None = None) -> None:
        """Enter a state, or say what is being done in it.

        Raises:
            WorkbenchError: The run cannot enter it from where it is (`move-illegal`).
        """
        entered = move(self._state, state, detail=detail)
        self._log.append(StateEvent, state=state, detail=detail)
        if state != self._state.state or detail != self._state.detail:
            self._log.sync()
            self._keep(entered)

    def resumed(self, *, step: int, checkpoint: str | None) -> None:
        """Say from where the run goes on; what was reported of later steps is replaced by what follows."""
        self._log.append(ResumedEvent, step=step, attempt=self.attempt, checkpoint=checkpoint)
        self._write(step=step)

    def plan(self, **fields: object) -> None:
        """Say what the run is going to do; the fields are those of `PlanEvent`."""
        event = self._log.append(PlanEvent, **fields)
        self._write(total_steps=getattr(event, "total_steps", None))

    def metric(
        self,
        step: int,
        epoch: float,
        values: Mapping[str, float | None],
        *,
        eta_seconds: float | None,
        elapsed_seconds: float,
    ) -> None:
        """Report measurements at an optimizer step."""
        event = self._log.append(
            MetricEvent,
            step=step,
            epoch=epoch,
            values=_finite(values),
            eta_seconds=eta_seconds,
            elapsed_seconds=elapsed_seconds,
        )
        self._values.update(event.values)
        self._eta = eta_seconds
        self._state = self._state.model_copy(update={"step": step})
        if time.monotonic() - self._state_written > _STATE_INTERVAL:
            self._write()

    def evaluation(self, step: int, values: Mapping[str, float | None]) -> None:
        """Report the measurements on the held-out examples."""
        event = self._log.append(EvaluationEvent, step=step, values=_finite(values))
        self._values.update({f"eval_{name}": value for name, value in event.values.items()})

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Announce a checkpoint that is complete on disk."""
        path = checkpoint.path.relative_to(self._run.path).as_posix()
        self._log.append(CheckpointEvent, step=checkpoint.step, path=path, sha256=checkpoint.sha256)
        self._log.sync()

    def anomaly(self, **fields: object) -> None:
        """Say that something is wrong with the run; the fields are those of `AnomalyEvent`."""
        self._log.append(AnomalyEvent, **fields)

    def recovery(self, **fields: object) -> None:
        """Say that something was done about an anomaly; the fields are those of `RecoveryEvent`."""
        self._log.append(RecoveryEvent, **fields)
        self._log.sync()

    def refusal(self, recovery: str, message: str) -> None:
        """Say why a recovery that was asked for was not done."""
        self._log.append(LogEvent, level="warning", message=message, recovery=recovery)

    def info(self, message: str) -> None:
        """Tell a person something worth knowing."""
        self._log.append(LogEvent, level="info", message=message)

    def warning(self, message: str) -> None:
        """Tell a person something that may not be what they meant."""
        self._log.append(LogEvent, level="warning", message=message)

    def complete(self, *, step: int, adapter: str | None, gguf: str | None, merged: str | None = None) -> None:
        """Close the journal of a run whose artifact is written and verified."""
        self._end("completed", step, CompletedEvent, {"adapter": adapter, "gguf": gguf, "merged": merged})

    def stop(self, *, step: int) -> None:
        """Close the journal of a run that a person stopped."""
        self._end("stopped", step, StoppedEvent, {"checkpoint": last_verified_checkpoint(self._run)})

    def cancel(self, *, step: int, removed: bool) -> None:
        """Close the journal of a run that a person gave up."""
        self._end("cancelled", step, CancelledEvent, {"removed": removed})

    def fail(self, error: ErrorReport) -> None:
        """Close the journal of a run that ended by a fault; works on a disk that is full."""
        self._reserve.unlink(missing_ok=True)
        fields: dict[str, object] = {"error": error, "checkpoint": last_verified_checkpoint(self._run)}
        self._end("failed", self.step, FailedEvent, fields, error=error)

    def pause(self, *, step: int, checkpoint: str | None, elapsed_seconds: float) -> None:
        """Close the journal of a run that rests until it is resumed.

        Args:
            step: The step edge that it rests at.
            checkpoint: What it goes on from, relative to the run directory; None before its first step.
            elapsed_seconds: Time spent in training so far.
        """
        paused = move(self._state, "paused", step=step, detail=None)
        self._log.append(
            PausedEvent,
            step=step,
            checkpoint=checkpoint,
            elapsed_seconds=elapsed_seconds,
            eta_seconds=self._eta,
            values=self._values,
        )
        self._close(paused)

    def requeue(self, *, step: int, detail: str) -> None:
        """Close the journal of a run that leaves its device to others and waits for its turn again.

        The process stays the run's worker, and starts anew as its next attempt.
        """
        attempt = self.attempt + 1
        queued = move(self._state, "queued", step=step, detail=detail, attempt=attempt, queued=now())
        event = self._log.append(StateEvent, state="queued", detail=detail)
        self._close(queued.model_copy(update={"since": event.seq}))

    def _end(self, state: RunState, step: int, make: type[Event], fields: dict[str, object], **changes: object) -> None:
        ended = move(self._state, state, step=step, detail=None, **changes)
        self._log.append(make, run_id=self._run.id, directory=str(self._run.path), step=step, **fields)
        self._close(ended)

    def _close(self, state: StateFile) -> None:
        self._log.close()
        self._reserve.unlink(missing_ok=True)
        self._keep(state)

    def _write(self, **changes: object) -> None:
        self._keep(move(self._state, self._state.state, **changes))

    def _keep(self, state: StateFile) -> None:
        self._state = state
        self._run.write_state(state)
        self._state_written = time.monotonic()


def _finite(values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Replace what JSON cannot hold, and no chart can show, by None."""
    return {name: value if value is not None and math.isfinite(value) else None for name, value in values.items()}
