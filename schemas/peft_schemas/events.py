"""What a run says while it goes: the lines of `events.jsonl` and the small files beside it."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from peft_schemas.base import Word
from peft_schemas.errors import ErrorReport

RunState = Literal[
    "queued", "preparing", "running", "stopping", "paused", "completed", "failed", "stopped", "cancelled"
]
FINAL_STATES: frozenset[RunState] = frozenset({"completed", "failed", "stopped", "cancelled"})
"""The run has had its last word. Nothing leaves them but a person who resumes what failed or was stopped."""

RESTING_STATES: frozenset[RunState] = FINAL_STATES | {"paused"}
"""No worker is there, and none is missed."""

LEGAL_MOVES: dict[RunState, frozenset[RunState]] = {
    "queued": frozenset({"preparing", "paused", "failed", "stopped", "cancelled"}),
    "preparing": frozenset({"running", "queued", "paused", "failed", "stopped", "cancelled"}),
    "running": frozenset({"stopping", "completed", "failed", "cancelled"}),
    "stopping": frozenset({"queued", "paused", "completed", "failed", "stopped", "cancelled"}),
    "paused": frozenset({"queued", "stopped", "cancelled"}),
    "failed": frozenset({"queued"}),
    "stopped": frozenset({"queued"}),
    "completed": frozenset(),
    "cancelled": frozenset(),
}
"""Which state may follow which. `stopping` goes back to `queued` where a schedule's window closes."""

AnomalyKind = Literal["loss-divergence", "non-finite", "gradient-explosion", "overfitting", "memory-pressure", "stall"]
RecoveryAction = Literal["cut-learning-rate", "clip-gradients", "cut-batch", "roll-back", "pause", "stop", "undo"]


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

    elapsed_seconds: float = 0.0
    """Seconds in training so far, those of earlier workers included and pauses left out, by a clock that nobody sets."""


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


class ResumedEvent(Event):
    """A run goes on from a checkpoint. What was reported of later steps before is replaced by what follows."""

    type: Literal["resumed"] = "resumed"
    step: int
    """The step of the checkpoint; 0 where the run begins anew, because it never wrote one."""

    attempt: int
    """Which worker of this run it is, from 2."""

    checkpoint: str | None
    """Relative to the run directory."""


class PausedEvent(Event):
    """The run rests at a step edge, with a complete checkpoint, until it is resumed."""

    type: Literal["paused"] = "paused"
    step: int
    checkpoint: str | None
    """Relative to the run directory; None where it was paused before its first step."""

    elapsed_seconds: float
    """Time spent in training so far, pauses not counted."""

    eta_seconds: float | None
    """Expected seconds of training from the resume to the last step."""

    values: dict[str, float | None]
    """The newest measurements, those of resources included."""


class Recovery(Word):
    """Something that can be done about an anomaly."""

    action: RecoveryAction
    title: str
    """What it does, in a few words for a button: `Halve the learning rate`."""


class AnomalyEvent(Event):
    """A detector saw something wrong with the run."""

    type: Literal["anomaly"] = "anomaly"
    id: str
    """Unique in the run."""

    kind: AnomalyKind
    step: int
    cause: str
    """One plain sentence: what is seen and what most likely brings it about."""

    key: str | None
    """The config key to look at first, such as `training.learning_rate`."""

    evidence: dict[str, float | None]
    """The measurements that it is concluded from."""

    actions: list[Recovery]
    """Two or three, the most promising first."""


class Change(Word):
    """A setting of the loop that was changed while it ran."""

    key: str
    before: float
    after: float


class RecoveryEvent(Event):
    """Something was done about an anomaly, after a checkpoint."""

    type: Literal["recovery"] = "recovery"
    id: str
    """Unique in the run; `undo` names it."""

    anomaly: str | None
    """The id of the anomaly."""

    action: RecoveryAction
    by: Literal["person", "auto"]
    step: int
    changes: list[Change]
    undoes: str | None = None
    """The recovery whose changes were taken back."""


class LogEvent(Event):
    """A sentence for people."""

    type: Literal["log"] = "log"
    level: Literal["info", "warning", "error"]
    message: str
    recovery: str | None = None
    """The id of the recovery that was asked for, where the sentence says why it was not done."""


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


class CancelledEvent(Event):
    """The run was given up by a person, at once."""

    type: Literal["cancelled"] = "cancelled"
    run_id: str
    directory: str
    step: int
    removed: bool
    """Whether its checkpoints were removed as asked."""


LAST_WORDS = (CompletedEvent, FailedEvent, StoppedEvent, CancelledEvent)
"""The events that end a run; their `type` is the run's final state."""

AnyEvent = Annotated[
    StateEvent
    | PlanEvent
    | MetricEvent
    | EvaluationEvent
    | CheckpointEvent
    | ResumedEvent
    | PausedEvent
    | AnomalyEvent
    | RecoveryEvent
    | LogEvent
    | CompletedEvent
    | FailedEvent
    | StoppedEvent
    | CancelledEvent,
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
    attempt: int = 1
    """Which worker of this run it is: one more with each resume."""

    since: int = 0
    """The `seq` of the newest event before this worker's first: a last word up to there is of an earlier worker."""

    queued: str | None = None
    """RFC 3339, when it was last put into the queue; None for `created`."""

    queued_uptime: float | None = None
    """The same moment by the machine's monotonic clock, which nobody can set: seconds since the machine started."""

    priority: int = 0
    """Of those that wait, the highest goes first, and among equals the one that was queued first."""

    detail: str | None = None
    """What is being done or waited for, for people."""


class RecoveryRequest(Word):
    """A recovery that a person asks for."""

    id: str
    """Chosen by who asks; the worker does each id once."""

    action: RecoveryAction
    anomaly: str | None = None
    undoes: str | None = None
    """For `undo`: the recovery to take back."""


class ControlFile(Word):
    """`control.json`: what a person asks of the worker, read at each step edge."""

    command: Literal["run", "pause", "stop", "cancel"] = "run"
    remove: bool = False
    """With `cancel`: remove the checkpoints too."""

    recoveries: list[RecoveryRequest] = []
