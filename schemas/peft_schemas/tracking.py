"""How far a run's measurements have reached its tracker: `tracker.json` in the run directory."""

from typing import Literal

from peft_schemas.base import Word

TrackedState = Literal["running", "paused", "completed", "failed", "stopped", "cancelled"]
"""What a tracker is told of a run's state."""


class TrackerFile(Word):
    """`tracker.json`: where a run's measurements go, and which of them are there. Rewritten whole after each batch.

    A run has this file if its config names a tracker.
    """

    type: Literal["mlflow"]
    url: str
    experiment: str
    key: str
    """Chosen here before the tracker knows of the run, and kept there with it: by it the run is found again after a crash
    between asking for it and learning its id."""

    run: str | None = None
    """The id that the tracker gave the run."""

    page: str | None = None
    """The address at which a person sees the run there."""

    replaces: list[str] = []
    """The tracker's ids of earlier copies that have yet to be marked there as replaced."""

    inode: int = 0
    offset: int = 0
    mark: int = 0
    """With `inode` and `offset`: a place in `events.jsonl` before which everything was sent."""

    seq: int = 0
    """The number of the newest event that was sent."""

    last_steps: dict[str, int] = {}
    """The newest step that the tracker has of each metric."""

    state: TrackedState = "running"
    """What the tracker was told last of the run's state."""

    problem: str | None = None
    """One plain sentence that says why nothing could be sent the last time."""

    since: str | None = None
    """Since when nothing can be sent."""


class RunTracker(Word):
    """How far a run's measurements have reached its tracker, as lists and panels show it."""

    type: Literal["mlflow"]
    page: str | None
    """The address at which a person sees the run there, once the tracker has it."""

    complete: bool
    """Whether everything that the run wrote is there."""

    missing_steps: int
    """How many steps the tracker is behind."""

    problem: str | None
    """Why nothing can be sent, and what to do about it; None where nothing hinders it."""

    since: str | None
    """Since when nothing can be sent."""
