"""What the events of a run come to, kept small enough to be stored between two readings."""

from pydantic import BaseModel

from peft_engine.rundir import RunDirectory
from peft_schemas.events import AnyEvent, StateFile
from peft_schemas.protocol import RunSummary


class RunFold(BaseModel):
    """The events so far, folded into what lists and panels show. As JSON, it lets another reader go on from here."""

    metrics: dict[str, float | None] = {}
    step: int = 0
    total_steps: int | None = None
    eta: float | None = None
    checkpoint: str | None = None
    adapter: str | None = None
    servable: bool = False
    """Whether the adapter has the form in which it is served."""

    def take(self, event: AnyEvent) -> None:
        """Add the next event."""
        match event.type:
            case "plan":
                self.total_steps = event.total_steps
            case "metric":
                self.step, self.eta = event.step, event.eta_seconds
                self.metrics.update(event.values)
            case "evaluation":
                self.metrics.update({f"eval_{name}": value for name, value in event.values.items()})
            case "checkpoint":
                self.checkpoint = event.path
            case "completed":
                self.adapter = event.adapter
                self.servable = event.gguf is not None

    def summary(self, run: RunDirectory, state: StateFile) -> RunSummary:
        """Return the run as of the last event, in the state that its file says."""
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
            eta_seconds=self.eta if state.state == "running" else None,
            error=state.error,
            checkpoint=self.checkpoint,
            adapter=self.adapter,
            chat_model=f"{state.base}:{run.id}" if self.servable else None,
        )
