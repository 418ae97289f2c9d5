"""A run as lists and panels show it, and what the editor can ask of it while it is there to be asked."""

from typing import Annotated, Literal

from pydantic import Field

from peft_schemas.base import Word
from peft_schemas.errors import ErrorReport
from peft_schemas.events import AnomalyEvent, AnyEvent, RecoveryAction, RunState
from peft_schemas.findings import FileFinding
from peft_schemas.records import RunNotes, Series
from peft_schemas.tracking import RunTracker


class RunSummary(Word):
    """A run as lists and panels show it, and as `peftw runs show ID --json` prints it."""

    id: str
    name: str
    state: RunState
    base: str
    step: int
    total_steps: int | None
    directory: str
    config_path: str
    created: str
    updated: str
    metrics: dict[str, float | None]
    """The newest value of each metric."""

    eta_seconds: float | None
    error: ErrorReport | None
    checkpoint: str | None
    """The newest complete checkpoint, relative to `directory`."""

    adapter: str | None
    """The PEFT adapter's folder, relative to `directory`, once the run has completed."""

    chat_model: str | None
    """The model id to chat with this run's adapter, once it can be served."""

    attempt: int = 1
    """Which worker of this run it is: one more with each resume."""

    detail: str | None = None
    """What is being done or waited for, for people: `waiting for nightly-3, which trains on this device`."""

    elapsed_seconds: float | None = None
    """Time spent in training so far, pauses not counted; None before the first step."""

    anomalies: list[AnomalyEvent] = []
    """What is wrong with the run and not yet dealt with, newest last."""

    notes: RunNotes | None = None
    """What a person says about it, None where that was not looked at."""

    tracker: RunTracker | None = None
    """How far its measurements were sent elsewhere, None where its config names no tracker."""


class RunStartParams(Word):
    """Start a run from a config file."""

    path: str
    """The `.peft.yaml` on disk; its saved content is what runs."""


class RunStartResult(Word):
    """A started run, or the reasons why none was started. Exactly one of `run` and (`findings` or `error`) is set."""

    run: RunSummary | None
    findings: list[FileFinding] = []
    error: ErrorReport | None = None


class RunIdParams(Word):
    """Name a run."""

    run_id: str


class RunResumeParams(Word):
    """Resume a run that was paused, was stopped, or failed."""

    run_id: str
    accept_changes: bool = False
    """Go on although the config, the data or the base changed since."""


class RunCancelParams(Word):
    """Give a run up at once."""

    run_id: str
    remove: bool = False
    """Remove its checkpoints too."""


class RunRecoverParams(Word):
    """Do something about an anomaly, or take such a thing back."""

    run_id: str
    action: RecoveryAction
    anomaly: str | None = None
    undoes: str | None = None
    """For `undo`: the recovery to take back."""


QueueMove = Literal["first", "up", "down", "last"]
"""Where a run that waits is put: before all others, one place forward, one place back, or behind all others."""


class RunMoveParams(Word):
    """Give a run that waits another place in the queue."""

    run_id: str
    to: QueueMove


class RunMoveResult(Word):
    """The runs that wait, in the order in which they will go; or why the run was not moved."""

    waiting: list[str] = []
    error: ErrorReport | None = None


class ChangedInput(Word):
    """Something that a run began with and that is another thing now."""

    what: Literal["config", "dataset", "base", "environment"]
    name: str
    """The key, the file or the package."""

    before: str | None
    after: str | None


class RunResumeResult(Word):
    """The resumed run; or what changed since, for which `accept_changes` is needed; or why it cannot be resumed."""

    run: RunSummary | None
    changes: list[ChangedInput] = []
    error: ErrorReport | None = None


class RunResult(Word):
    """A run, or why it could not be had."""

    run: RunSummary | None
    error: ErrorReport | None = None


class RunListResult(Word):
    """Runs, newest first."""

    runs: list[RunSummary]


class RunPage(Word):
    """Some of the runs that meet a query, and how many there are."""

    runs: list[RunSummary]
    total: int


class SubscribeParams(Word):
    """Follow a run's events."""

    run_id: str
    after_seq: int = 0
    """Only events with a higher `seq` are sent; 0 for all."""

    points: Annotated[int, Field(ge=10, le=10_000)] | None = None
    """Send the past as a history instead, whatever `after_seq` says: its measurements as series of at most so many points
    each, and of the other events no more than anybody reads."""


class SubscribeResult(Word):
    """The events so far. Later ones come as `peft/run/events`, with no gap and no repeat."""

    run: RunSummary | None
    events: list[AnyEvent] = []
    series: list[Series] = []
    """Of a history: the measurements up to `last_seq`; those behind are among `events`."""

    last_seq: int = 0
    """Of a history: the newest event that it takes into account, of which `events` may not have all."""

    error: ErrorReport | None = None


class RunEventsParams(Word):
    """New events of a run that is followed."""

    run: RunSummary
    events: list[AnyEvent]
