"""What every tracker can do: keep a run's measurements on a server of the user's choice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from peft_schemas.errors import WorkbenchError
from peft_schemas.tracking import TrackedState


class TrackerUnreachable(WorkbenchError):
    """The server does not answer, or says that it cannot now: the same may succeed later."""

    def __init__(self, message: str) -> None:
        super().__init__(
            "tracker-unreachable",
            message,
            "Start the server or correct `tracker.url`; what is missing is sent when it answers.",
        )


class TrackerRefused(WorkbenchError):
    """The server answers, and does not take what it is sent."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__("tracker-refused", message, remedy)


@dataclass(frozen=True)
class Point:
    """One measurement."""

    metric: str
    step: int
    value: float | None
    """None where it was not a finite number."""

    time: int
    """Milliseconds since the epoch, when it was measured."""


@dataclass(frozen=True)
class Beginning:
    """What a tracker is told of a run before its first measurement."""

    key: str
    """Unique to this run, by which a tracker recognises a run that it was told of before."""

    name: str
    experiment: str
    time: int
    """Milliseconds since the epoch."""

    params: Mapping[str, str] = field(default_factory=dict)
    """The effective values of the config, by dotted path."""

    environment: Mapping[str, str] = field(default_factory=dict)
    """What the run computed with: versions, device, seed."""


class Tracker(Protocol):
    """A connection to a tracker. Each method raises `TrackerUnreachable` or `TrackerRefused`, and nothing else.

    Every call may be made again with the same arguments, after an answer that was lost: what comes of it is that
    of one call.
    """

    def begin(self, beginning: Beginning) -> str:
        """Have the tracker keep a run, and return the id that it has there."""

    def page(self, run: str) -> str:
        """Return the address at which a person sees a run; nothing is asked of the tracker."""

    def log(self, run: str, points: Sequence[Point]) -> None:
        """Add measurements to a run, in their order."""

    def enter(self, run: str, state: TrackedState, time: int) -> None:
        """Say which state the run is in since a moment, in milliseconds since the epoch."""

    def supersede(self, run: str, name: str, by: str) -> None:
        """Mark a run as an earlier copy that another takes the place of; nothing of it is deleted.

        Args:
            run: The earlier copy.
            name: The run's name.
            by: The id of the run that counts.
        """

    def close(self) -> None:
        """Let go of the connection."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
