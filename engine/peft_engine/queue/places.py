"""Places in the line: the one that a run's priority and time give it, or the one that a person gave it instead."""

import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import NamedTuple

from peft_engine.files import write_atomic
from peft_schemas.events import StateFile

_FILE = ".places.json"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEP = 1000
"""Microseconds between two places at an end of the line, as between two runs that join."""


class Place(NamedTuple):
    """Where a run stands. Of two places, the lesser goes first."""

    rank: int
    """The priority, negated."""

    since: Fraction
    """When the run came, in microseconds since 1970. Exact, so that there is always room between two."""

    run_id: str

    def moment(self) -> datetime:
        """Return the first whole microsecond that is not before this place."""
        return _EPOCH + timedelta(microseconds=ceil(self.since))


class Places:
    """The places of the runs. Used by who holds the line; a damaged file only loses what people moved."""

    def __init__(self, folder: Path) -> None:
        """Read what people gave.

        Args:
            folder: Of the line.
        """
        self._path = folder / _FILE
        self._given = _read(self._path)

    def of(self, state: StateFile) -> Place:
        """Return the place of the run that is in a state."""
        if (given := self._given.get(state.run_id)) is not None:
            return Place(*given, state.run_id)
        joined = datetime.fromisoformat(state.queued or state.created) - _EPOCH
        return Place(-state.priority, Fraction(joined // timedelta(microseconds=1)), state.run_id)

    def give(self, place: Place, waiting: Collection[str]) -> None:
        """Give a run a place, and forget those that were given to runs that wait no more.

        Args:
            place: Of the run that it names.
            waiting: The ids of all runs that wait.
        """
        kept = {run_id: given for run_id, given in self._given.items() if run_id in waiting}
        self._write({**kept, place.run_id: (place.rank, place.since)})

    def forget(self, run_id: str) -> None:
        """Let a run have the place again that its priority and time give it."""
        if run_id in self._given:
            self._write({other: given for other, given in self._given.items() if other != run_id})

    def _write(self, given: dict[str, tuple[int, Fraction]]) -> None:
        content = {run_id: (rank, str(since)) for run_id, (rank, since) in given.items()}
        write_atomic(self._path, json.dumps(content) + "\n")
        self._given = given


def place_before(others: Sequence[Place], index: int, run_id: str) -> Place:
    """Return a place just before the one at an index; `len(others)` is not one, see `place_after`.

    Args:
        others: The line without the run, in order.
        index: Of the one that is to be next.
        run_id: Whose place it is to be. It goes with the priority of the next one.
    """
    after = others[index]
    ahead = others[index - 1] if index else None
    if ahead is not None and ahead.rank == after.rank:
        return Place(after.rank, (ahead.since + after.since) / 2, run_id)
    return Place(after.rank, after.since - _STEP, run_id)


def place_after(others: Sequence[Place], index: int, run_id: str) -> Place:
    """Return a place just behind the one at an index, with its priority; the mirror image of `place_before`."""
    ahead = others[index]
    after = others[index + 1] if index + 1 < len(others) else None
    if after is not None and after.rank == ahead.rank:
        return Place(ahead.rank, (ahead.since + after.since) / 2, run_id)
    return Place(ahead.rank, ahead.since + _STEP, run_id)


def _read(path: Path) -> dict[str, tuple[int, Fraction]]:
    try:
        content = json.loads(path.read_bytes())
        return {str(run_id): (int(rank), Fraction(since)) for run_id, (rank, since) in content.items()}
    except (OSError, ValueError, TypeError, AttributeError, ArithmeticError):
        return {}
