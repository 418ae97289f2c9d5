"""What an event log comes to as series, the same as the run store has: what a resume takes back is not among them."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from math import inf
from pathlib import Path

from peft_connectors.tracker import Point
from peft_daemon.runs.store.reading import Cursor, next_block
from peft_schemas.events import AnyEvent
from peft_schemas.tracking import TrackedState

_MILLISECONDS = 1000


class Cuts:
    """Where series begin anew: points behind a step that were measured before an event do not count."""

    def __init__(self) -> None:
        self._cuts: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        """The number of the event and the step, by metric; those of every metric under the empty name."""

        self._lowest: dict[str, tuple[list[int], list[int]]] = {}

    def add(self, seq: int, step: int, metric: str = "") -> None:
        """Take back all points, or those of one metric, behind a step. Cuts come in the order of their events."""
        self._cuts[metric].append((seq, step))
        self._lowest.pop(metric, None)

    def leave(self, seq: int, step: int, metric: str) -> bool:
        """Tell whether a point that an event measured still counts."""
        return step <= min(self._after(seq, ""), self._after(seq, metric))

    def _after(self, seq: int, metric: str) -> float:
        """Return the lowest step that is cut to behind an event."""
        if metric not in self._cuts:
            return inf
        if metric not in self._lowest:
            cuts = self._cuts[metric]
            falling = [*accumulate((step for _, step in reversed(cuts)), min)]
            self._lowest[metric] = ([seq for seq, _ in cuts], falling[::-1])
        seqs, lowest = self._lowest[metric]
        at = bisect_right(seqs, seq)
        return lowest[at] if at < len(lowest) else inf


@dataclass
class Ahead:
    """What stands in a log behind the place up to which it was sent."""

    seq: int
    """The number of the newest event."""

    cuts: Cuts = field(default_factory=Cuts)
    takes_back: bool = False
    """Whether something that was sent does not count any more."""

    measured: bool = False
    state: TrackedState | None = None
    """Of the run, None where nothing is said of it."""

    time: int = 0
    """Since when, in milliseconds since the epoch."""


def look_ahead(log: Path, place: Cursor, sent: Mapping[str, int]) -> Ahead:
    """Read a log from a place to its end.

    Args:
        log: The events of a run.
        place: Up to where they were sent.
        sent: The newest step of each metric that was.
    """
    ahead = Ahead(place.seq)
    last = dict(sent)

    def cut(event: AnyEvent, step: int, metric: str = "") -> None:
        ahead.cuts.add(event.seq, step, metric)
        reached = sent.values() if not metric else [sent.get(metric, -1)]
        ahead.takes_back |= any(there > step for there in reached)

    for event in events_behind(log, place):
        ahead.seq = event.seq
        state = _state(event)
        if state is not None:
            ahead.state, ahead.time = state, milliseconds(event)
        if event.type == "resumed":
            cut(event, event.step)
            last = {metric: min(step, event.step) for metric, step in last.items()}
        for point in points_of(event):
            ahead.measured = True
            # A step that a series has, or is past, begins it anew from there.
            if point.step <= last.get(point.metric, -1):
                cut(event, point.step - 1, point.metric)
            last[point.metric] = point.step
    return ahead


def events_behind(log: Path, place: Cursor) -> Iterator[AnyEvent]:
    """Yield the whole events behind a place, a block in memory at a time."""
    at_end = False
    while not at_end:
        block = next_block(log, place)
        yield from block.events
        place, at_end = block.cursor, block.at_end


def points_of(event: AnyEvent) -> list[Point]:
    """Return what an event measured, under the names that the run store has."""
    if event.type == "metric":
        prefix = ""
    elif event.type == "evaluation":
        prefix = "eval_"
    else:
        return []
    time = milliseconds(event)
    return [Point(f"{prefix}{name}", event.step, value, time) for name, value in event.values.items()]


def milliseconds(event: AnyEvent) -> int:
    """Return the time of an event since the epoch."""
    return round(datetime.fromisoformat(event.time).timestamp() * _MILLISECONDS)


def _state(event: AnyEvent) -> TrackedState | None:
    match event.type:
        case "completed" | "failed" | "stopped" | "cancelled" | "paused":
            return event.type
        case "state" | "resumed" | "metric":
            # A state that rests is told by an event of its own.
            return "running"
    return None
