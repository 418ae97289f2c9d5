"""Following a run: its events as they come, folded into the summary that lists and panels show."""

from peft_daemon.runs.judge import settle
from peft_engine.rundir import EventTail, RunDirectory
from peft_schemas.events import AnyEvent, StateFile
from peft_schemas.protocol import RunSummary


class RunFollower:
    """One reader's view of a run. Each `read` costs only what was written since the last."""

    def __init__(self, run: RunDirectory) -> None:
        self.run = run
        self._tail = EventTail(run.events)
        self._state: StateFile = run.read_state()
        self._metrics: dict[str, float | None] = {}
        self._step = 0
        self._total_steps: int | None = None
        self._eta: float | None = None
        self._checkpoint: str | None = None
        self._adapter: str | None = None
        self._chat_model: str | None = None

    @property
    def last_seq(self) -> int:
        """The number of the newest event that was read."""
        return self._tail.last_seq

    def read(self) -> list[AnyEvent]:
        """Judge the run, take in what it wrote since the last call, and return the new events."""
        self._state = settle(self.run)
        events = self._tail.read()
        for event in events:
            self._fold(event)
        return events

    def summary(self) -> RunSummary:
        """Return the run as of the last `read`."""
        state = self._state
        return RunSummary(
            id=self.run.id,
            name=state.name,
            state=state.state,
            base=state.base,
            step=max(self._step, state.step),
            total_steps=self._total_steps if self._total_steps is not None else state.total_steps,
            directory=str(self.run.path),
            config_path=state.config_path,
            created=state.created,
            updated=state.updated,
            metrics=dict(self._metrics),
            eta_seconds=self._eta if state.state == "running" else None,
            error=state.error,
            checkpoint=self._checkpoint,
            adapter=self._adapter,
            chat_model=self._chat_model,
        )

    def _fold(self, event: AnyEvent) -> None:
        match event.type:
            case "plan":
                self._total_steps = event.total_steps
            case "metric":
                self._step, self._eta = event.step, event.eta_seconds
                self._metrics.update(event.values)
            case "evaluation":
                self._metrics.update({f"eval_{name}": value for name, value in event.values.items()})
            case "checkpoint":
                self._checkpoint = event.path
            case "completed":
                self._adapter = event.adapter
                if event.gguf is not None:
                    self._chat_model = f"{self._state.base}:{self.run.id}"


def summarise(run: RunDirectory) -> RunSummary:
    """Return a run's summary as it is now."""
    follower = RunFollower(run)
    follower.read()
    return follower.summary()
