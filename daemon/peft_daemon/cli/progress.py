"""A run on a terminal: one live line, and the sentences that stay."""

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from peft_daemon.cli.output import err, show_error
from peft_daemon.cli.runs_words import changes_of
from peft_daemon.language.wording import counted
from peft_schemas.events import AnyEvent, MetricEvent


class RunProgress:
    """Shows step, loss, tokens a second and the time left; on a pipe, one plain line for each report."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._total: int | None = None
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[values]}"),
            console=err,
            transient=False,
        )
        self._task = self._progress.add_task(run_id, total=None, values="starting")

    def __enter__(self) -> Self:
        if err.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if err.is_terminal:
            self._progress.stop()

    def stopping(self) -> None:
        """Say that Ctrl-C was heard."""
        self._say("stopping after this step; press Ctrl-C again to end it at once")

    def show(self, event: AnyEvent) -> None:
        """Show one event."""
        match event.type:
            case "state":
                if event.detail:
                    self._say(event.detail)
            case "plan":
                self._total = event.total_steps
                self._progress.update(self._task, total=event.total_steps)
                share = event.trainable_parameters / max(event.total_parameters, 1)
                work = f"{counted(event.examples, 'example')}, {counted(event.total_steps, 'step')}"
                self._line(
                    f"{work} on {event.device} in {event.dtype}; "
                    f"training {event.trainable_parameters:,} of {event.total_parameters:,} parameters ({share:.1%})"
                )
                self._line(event.backend)
            case "metric":
                self._progress.update(self._task, completed=event.step)
                self._say(_metrics(event), step=event.step)
            case "evaluation":
                loss = event.values.get("loss")
                self._line(f"step {event.step}: evaluation loss {_number(loss)}")
            case "checkpoint":
                self._line(f"step {event.step}: checkpoint {event.path}")
            case "resumed":
                self._line(f"goes on from step {event.step}: {event.checkpoint or 'no checkpoint, so from the start'}")
            case "anomaly":
                self._line(f"step {event.step}: {event.cause}")
                for proposed in event.actions:
                    self._line(f"  {proposed.title}: peftw runs recover {self._run_id} {proposed.action}")
            case "recovery":
                self._line(f"step {event.step}: {event.action} was done. {changes_of(event)}".rstrip())
            case "log":
                self._line(event.message)
            case "completed":
                self._line(f"completed: {event.directory}")
            case "paused":
                self._line(f"paused at step {event.step}; go on with `peftw runs resume {self._run_id}`")
            case "cancelled":
                self._line(f"cancelled at step {event.step}: {event.directory}")
            case "stopped":
                self._line(f"stopped at step {event.step}: {event.directory}")
            case "failed":
                show_error(event.error)

    def _say(self, text: str, *, step: int | None = None) -> None:
        self._progress.update(self._task, values=text)
        if not err.is_terminal:
            where = f"step {step}/{self._total or '?'}: " if step is not None else ""
            err.print(f"{self._run_id}: {where}{text}", markup=False)

    def _line(self, text: str) -> None:
        err.print(f"{self._run_id}: {text}", markup=False)


def _metrics(event: MetricEvent) -> str:
    parts = [f"loss {_number(event.values.get('loss'))}"]
    speed = event.values.get("tokens_per_second")
    if speed is not None:
        parts.append(f"{speed:,.0f} tokens/s")
    if event.eta_seconds is not None:
        minutes, seconds = divmod(round(event.eta_seconds), 60)
        parts.append(f"{minutes}:{seconds:02d} left")
    return " · ".join(parts)


def _number(value: float | None) -> str:
    return "not a number" if value is None else f"{value:.4f}"
