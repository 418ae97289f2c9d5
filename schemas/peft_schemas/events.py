"""What a run says while it goes: the lines of `events.jsonl` and the small files beside it."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from peft_schemas.base import Word
from peft_schemas.errors import ErrorReport

RunState = Literal["queued", "preparing", "running", "stopping", "completed", "failed", "stopped"]
FINAL_STATES: frozenset[RunState] = frozenset({"completed", "failed", "stopped"})


class Event(Word):
    """What every line of `events.jsonl` has."""

    seq: int
    """Strictly rising from 1."""

    time: str
    """RFC 3339, UTC."""


class StateEvent(Event):
    """The run entered a state."""

    type: Literal["state"] = "state"
    state: RunState
    detail: str | None = None
    """What is being done, for people: `loading the model`."""


class PlanEvent(Event):
    """What the run is going to do, known once data and model are ready."""

    type: Literal["plan"] = "plan"
    total_steps: int
    examples: int
    """Training examples after the evaluation split."""

    trainable_parameters: int
    total_parameters: int
    device: str
    dtype: str
    backend: str
    """The library that trains, and why it was chosen."""


class MetricEvent(Event):
    """Measurements at one optimizer step."""

    type: Literal["metric"] = "metric"
    step: int
    epoch: float
    values: dict[str, float | None]
    """`loss` (nats a trained token), `learning_rate`, `grad_norm`, `tokens_per_second`, `tokens` (trained on so far),
    `memory_bytes` (resident) and others. None where the measurement was not a finite number."""

    eta_seconds: float | None = None
    """Expected seconds until the last step."""


class EvaluationEvent(Event):
    """The loss on the held-out examples."""

    type: Literal["evaluation"] = "evaluation"
    step: int
    values: dict[str, float | None]
    """`loss`, `examples`. None where the measurement was not a finite number."""


class CheckpointEvent(Event):
    """A checkpoint is complete on disk."""

    type: Literal["checkpoint"] = "checkpoint"
    step: int
    path: str
    """Relative to the run directory."""

    sha256: str
    """Of the checkpoint's manifest, which holds the hash of every file in it."""


class LogEvent(Event):
    """A sentence for people."""

    type: Literal["log"] = "log"
    level: Literal["info", "warning", "error"]
    message: str


class CompletedEvent(Event):
    """The run reached its last step and its artifact is written and verified."""

    type: Literal["completed"] = "completed"
    run_id: str
    directory: str
    step: int
    adapter: str | None
    """Path of the PEFT adapter relative to the run directory; None for full fine-tuning."""

    gguf: str | None
    """Path of the adapter in GGUF form relative to the run directory, when it could be written."""

    merged: str | None = None
    """Path of the base with the adapter merged into it, relative to the run directory, when the config asks for it."""


class FailedEvent(Event):
    """The run ended by a fault."""

    type: Literal["failed"] = "failed"
    run_id: str
    directory: str
    step: int
    error: ErrorReport
    checkpoint: str | None
    """The newest checkpoint that was verified, relative to the run directory."""


class StoppedEvent(Event):
    """The run was stopped by a person."""

    type: Literal["stopped"] = "stopped"
    run_id: str
    directory: str
    step: int
    checkpoint: str | None


LAST_WORDS = (CompletedEvent, FailedEvent, StoppedEvent)
"""The events that end a run; their `type` is the run's final state."""

AnyEvent = Annotated[
    StateEvent
    | PlanEvent
    | MetricEvent
    | EvaluationEvent
    | CheckpointEvent
    | LogEvent
    | CompletedEvent
    | FailedEvent
    | StoppedEvent,
    Field(discriminator="type"),
]
EVENT: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)
"""Validates one event: `EVENT.validate_json(line)`."""


class StateFile(Word):
    """`state.json`: who runs, and how far. Rewritten whole at each state change, and at most once a second while running."""

    run_id: str
    name: str
    state: RunState
    pid: int | None
    """The worker's process id, None before it was started."""

    started: float | None
    """The worker's start time, seconds since the epoch: with the pid it identifies the process."""

    created: str
    """RFC 3339, when the run was made."""

    updated: str
    """RFC 3339."""

    base: str
    """`model.base` as written."""

    config_path: str
    """The file that the run was started from."""

    step: int
    total_steps: int | None
    error: ErrorReport | None = None


class ControlFile(Word):
    """`control.json`: what a person asks of the worker, read at each step edge."""

    command: Literal["run", "stop"] = "run"
