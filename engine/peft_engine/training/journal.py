"""What the worker tells the world: events first, then the state that follows from them."""

import math
import time
from collections.abc import Mapping

from peft_engine.process import ProcessIdentity
from peft_engine.rundir import EventLog, RunDirectory
from peft_engine.rundir.checkpoints import Checkpoint, last_verified_checkpoint
from peft_engine.rundir.directory import now
from peft_schemas.errors import ErrorReport
from peft_schemas.events import (
    CheckpointEvent,
    CompletedEvent,
    EvaluationEvent,
    FailedEvent,
    LogEvent,
    MetricEvent,
    PlanEvent,
    RunState,
    StateEvent,
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

    @property
    def step(self) -> int:
        """The newest optimizer step that was reported."""
        return self._state.step

    def begin(self) -> None:
        """Say which process this is, and that it prepares."""
        self._reserve.write_bytes(bytes(_RESERVE_BYTES))
        me = ProcessIdentity.current()
        self._log.append(StateEvent, state="preparing")
        self._write(state="preparing", pid=me.pid, started=me.started)

    def enter(self, state: RunState, detail: str | None = None) -> None:
        """Enter a state, or say what is being done in it."""
        self._log.append(StateEvent, state=state, detail=detail)
        if state != self._state.state:
            self._log.sync()
            self._write(state=state)

    def plan(self, **fields: object) -> None:
        """Say what the run is going to do; the fields are those of `PlanEvent`."""
        event = self._log.append(PlanEvent, **fields)
        self._write(total_steps=getattr(event, "total_steps", None))

    def metric(self, step: int, epoch: float, values: Mapping[str, float | None], eta_seconds: float | None) -> None:
        """Report measurements at an optimizer step."""
        self._log.append(MetricEvent, step=step, epoch=epoch, values=_finite(values), eta_seconds=eta_seconds)
        self._state = self._state.model_copy(update={"step": step})
        if time.monotonic() - self._state_written > _STATE_INTERVAL:
            self._write()

    def evaluation(self, step: int, values: Mapping[str, float | None]) -> None:
        """Report the measurements on the held-out examples."""
        self._log.append(EvaluationEvent, step=step, values=_finite(values))

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Announce a checkpoint that is complete on disk."""
        path = checkpoint.path.relative_to(self._run.path).as_posix()
        self._log.append(CheckpointEvent, step=checkpoint.step, path=path, sha256=checkpoint.sha256)
        self._log.sync()

    def info(self, message: str) -> None:
        """Tell a person something worth knowing."""
        self._log.append(LogEvent, level="info", message=message)

    def warning(self, message: str) -> None:
        """Tell a person something that may not be what they meant."""
        self._log.append(LogEvent, level="warning", message=message)

    def complete(self, *, step: int, adapter: str | None, gguf: str | None, merged: str | None = None) -> None:
        """Close the journal of a run whose artifact is written and verified."""
        self._log.append(CompletedEvent, **self._identity(step), adapter=adapter, gguf=gguf, merged=merged)
        self._end("completed", step)

    def stop(self, *, step: int) -> None:
        """Close the journal of a run that a person stopped."""
        checkpoint = last_verified_checkpoint(self._run)
        self._log.append(StoppedEvent, **self._identity(step), checkpoint=checkpoint)
        self._end("stopped", step)

    def fail(self, error: ErrorReport) -> None:
        """Close the journal of a run that ended by a fault; works on a disk that is full."""
        self._reserve.unlink(missing_ok=True)
        checkpoint = last_verified_checkpoint(self._run)
        self._log.append(FailedEvent, **self._identity(self.step), error=error, checkpoint=checkpoint)
        self._end("failed", self.step, error)

    def _identity(self, step: int) -> dict[str, object]:
        return {"run_id": self._run.id, "directory": str(self._run.path), "step": step}

    def _end(self, state: RunState, step: int, error: ErrorReport | None = None) -> None:
        self._log.close()
        self._reserve.unlink(missing_ok=True)
        self._write(state=state, step=step, error=error)

    def _write(self, **changes: object) -> None:
        self._state = self._state.model_copy(update={**changes, "updated": now()})
        self._run.write_state(self._state)
        self._state_written = time.monotonic()


def _finite(values: Mapping[str, float | None]) -> dict[str, float | None]:
    """Replace what JSON cannot hold, and no chart can show, by None."""
    return {name: value if value is not None and math.isfinite(value) else None for name, value in values.items()}
