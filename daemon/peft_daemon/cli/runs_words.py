"""What the commands about runs share: their arguments, and how they write states, numbers and sizes."""

from typing import Annotated

import typer

from peft_schemas.events import RecoveryEvent
from peft_schemas.runs import RunSummary

Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]
RunId = Annotated[str, typer.Argument(help="The run's id, as `peftw runs list` shows it.", metavar="ID")]

_COLOURS = {"completed": "green", "failed": "red", "running": "cyan", "stopped": "yellow", "paused": "yellow"}
_THOUSAND = 1000


def state_of(run: RunSummary) -> str:
    """Return a run's state in its colour."""
    return f"[{_COLOURS.get(run.state, 'default')}]{run.state}[/]"


def changes_of(recovery: RecoveryEvent) -> str:
    """Return what a recovery changed, from what to what."""
    return "; ".join(f"{change.key}: {change.before:g} -> {change.after:g}" for change in recovery.changes)


def steps_of(run: RunSummary) -> str:
    """Return how far a run is."""
    return f"{run.step}/{run.total_steps}" if run.total_steps else str(run.step)


def number(value: float | None) -> str:
    """Return a measurement in four digits."""
    return "–" if value is None else f"{value:,.4g}"


def measurement(name: str, value: float | None) -> str:
    """Return a metric's value: bytes in their unit, shares in percent, anything else in four digits."""
    if value is None:
        return number(value)
    if name.endswith("_bytes"):
        return size(value)
    return f"{value:.0%}" if name.endswith("_share") else number(value)


def duration(seconds: float | None) -> str | None:
    """Return a time span as `2 h 05 min`, `3 min 20 s` or `4 s`; None stays None."""
    if seconds is None:
        return None
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def size(count: float) -> str:
    """Return a number of bytes in the unit that suits it."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < _THOUSAND:
            return f"{count:.0f} B" if unit == "B" else f"{count:.3g} {unit}"
        count /= _THOUSAND
    return f"{count:.3g} TB"
