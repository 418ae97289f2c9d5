"""What the events of a run come to, kept small enough to be stored between two readings."""

from dataclasses import dataclass, field

from pydantic import TypeAdapter

from peft_engine.rundir import RunDirectory
from peft_engine.rundir.tracking import tracker_of
from peft_schemas.events import AnomalyEvent, AnyEvent, MetricEvent, RecoveryEvent, RunState, StateFile
from peft_schemas.records import RunNotes
from peft_schemas.runs import RunSummary

_EXPECTING: frozenset[RunState] = frozenset({"running", "stopping", "paused"})
"""States in which the remaining time says something."""

_KEPT = 10
"""Anomalies of a kind that are remembered, because a run may go on from a step before the newest of them."""


@dataclass
class RunFold:
    """The events so far, folded into what lists and panels show. As JSON, it lets another reader go on from here."""

    metrics: dict[str, float | None] = field(default_factory=dict)
    step: int = 0
    total_steps: int | None = None
    eta: float | None = None
    checkpoint: str | None = None
    adapter: str | None = None
    servable: bool = False
    """Whether the adapter has the form in which it is served."""

    elapsed: float | None = None
    """Seconds in training, those of earlier workers included."""

    anomalies: list[AnomalyEvent] = field(default_factory=list)
    """Not dealt with."""

    dealt_with: dict[str, AnomalyEvent] = field(default_factory=dict)
    """By the recovery that did it, which may be taken back."""

    @staticmethod
    def from_json(text: str) -> "RunFold":
        """Return the fold that was written."""
        return _FOLD.validate_json(text)

    def to_json(self) -> str:
        """Write the fold down."""
        return _FOLD.dump_json(self).decode()

    def take(self, event: AnyEvent) -> None:
        """Add the next event."""
        match event.type:
            case "plan":
                self.total_steps = event.total_steps
            case "metric":
                self._measure(event)
            case "evaluation":
                self.metrics.update({f"eval_{name}": value for name, value in event.values.items()})
            case "checkpoint":
                self.checkpoint = event.path
            case "resumed":
                self.step = event.step
                self.anomalies = [anomaly for anomaly in self.anomalies if anomaly.step <= event.step]
            case "paused":
                self.step, self.eta, self.checkpoint = event.step, event.eta_seconds, event.checkpoint
                self.metrics.update(event.values)
                self.elapsed = event.elapsed_seconds
            case "anomaly":
                self._see(event)
            case "recovery":
                self._recover(event)
            case "completed":
                self.adapter = event.adapter
                self.servable = event.gguf is not None

    def wrong(self) -> list[AnomalyEvent]:
        """Return what is wrong with the run now, newest last: of each kind the newest, which may have come and gone."""
        newest = {anomaly.kind: anomaly for anomaly in sorted(self.anomalies, key=lambda one: one.seq)}
        return [anomaly for anomaly in self.anomalies if newest[anomaly.kind] is anomaly]

    def summary(self, run: RunDirectory, state: StateFile, notes: RunNotes, seq: int) -> RunSummary:
        """Return the run as of the last event, whose number is `seq`, in the state that its file says."""
        return RunSummary(
            id=run.id,
            name=state.name,
            state=state.state,
            base=state.base,
            step=max(self.step, state.step),
            total_steps=self.total_steps if self.total_steps is not None else state.total_steps,
            directory=str(run.path),
            config_path=state.config_path,
            created=state.created,
            updated=state.updated,
            metrics=dict(self.metrics),
            eta_seconds=self.eta if state.state in _EXPECTING else None,
            error=state.error,
            checkpoint=self.checkpoint,
            adapter=self.adapter,
            chat_model=f"{state.base}:{run.id}" if self.servable else None,
            attempt=state.attempt,
            detail=state.detail,
            elapsed_seconds=self.elapsed,
            anomalies=self.wrong(),
            notes=notes,
            tracker=tracker_of(run, step=self.step, seq=seq),
        )

    def _measure(self, event: MetricEvent) -> None:
        self.step, self.eta = event.step, event.eta_seconds
        self.metrics.update(event.values)
        self.elapsed = event.elapsed_seconds
        # A step is the end of any standstill before it.
        self.anomalies = [one for one in self.anomalies if one.kind != "stall" or one.step >= event.step]

    def _see(self, event: AnomalyEvent) -> None:
        alike = [one for one in self.anomalies if one.kind == event.kind]
        forgotten = {one.id for one in alike[: 1 - _KEPT]}
        self.anomalies = [*(one for one in self.anomalies if one.id not in forgotten), event]

    def _recover(self, event: RecoveryEvent) -> None:
        if event.undoes is not None:
            again = self.dealt_with.get(event.undoes)
            self.anomalies = [*self.anomalies, *([again] if again else [])]
        done = next((anomaly for anomaly in self.anomalies if anomaly.id == event.anomaly), None)
        if done is not None and event.undoes is None:
            self.dealt_with = {**self.dealt_with, event.id: done}
            # What is done about the newest is done about those of its kind before it.
            self.anomalies = [one for one in self.anomalies if one.kind != done.kind or one.seq > done.seq]


_FOLD = TypeAdapter(RunFold)


@dataclass(frozen=True)
class Place:
    """How far the events of a run were read, and what they came to up to there."""

    offset: int = 0
    """Bytes of `events.jsonl`."""

    seq: int = 0
    """Of the newest event before there."""

    fold: RunFold = field(default_factory=RunFold)
    """Belongs to the one reader that goes on from here."""
