"""Series of measurements, packed: a million points take a few megabytes and are drawn from a thousand rows.

A series is cut into chunks of neighbouring points. A chunk keeps all of its points, exactly, in two arrays, and apart
from them an outline of five points at most; a picture of a long series is drawn from the outlines alone. The arrays are
in this machine's own byte order, since the index is never carried elsewhere.
"""

import sqlite3
import struct
import zlib
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from math import nan

from peft_daemon.runs.store.decimate import (
    POINTS_OF_A_BUCKET,
    Outline,
    Point,
    buckets,
    decimate,
    flatten,
    join,
    outline,
)

CHUNK = 1024
"""Points of a full chunk: a million points have as many outlines as a chart has pixels across."""

_FAST = 1
"""zlib's quickest level, for the steps, which become a few bytes. Values are measured noise: compressing them took
a fifth of the time of reading a run and saved a sixth of the space."""

_POINT = struct.Struct("=qd")


@dataclass(frozen=True)
class Stretch:
    """A stretch of a series, decimated."""

    points: list[Point]
    total: int
    """How many points the stretch has in the index."""


class SeriesWriter:
    """Appends to the series of one run. What was added is in the database after `flush`."""

    def __init__(self, db: sqlite3.Connection, run: int) -> None:
        """Prepare to append.

        Args:
            db: In a transaction of the caller.
            run: The run's key.
        """
        self._db = db
        self._run = run
        rows = db.execute("SELECT metric, key, last_step FROM series WHERE run = ?", (run,))
        self._open = {metric: _Open(key, last_step) for metric, key, last_step in rows}

    def add(self, step: int, values: Mapping[str, float | None]) -> None:
        """Append the values of a step. A step that the series has, or is past, begins anew from there."""
        for metric, value in values.items():
            series = self._open.get(metric)
            if series is None:
                series = self._open[metric] = self._create(metric)
            if step <= series.last_step:
                self._cut(series, step - 1)
            series.steps.append(step)
            series.values.append(nan if value is None else value)
            series.last_step = step

    def cut(self, step: int) -> None:
        """Drop the points of every series behind a step, because the run goes on from it."""
        for series in self._open.values():
            if series.last_step > step:
                self._cut(series, step)

    def flush(self) -> None:
        """Write what was added."""
        for series in self._open.values():
            self._flush(series)

    def _create(self, metric: str) -> "_Open":
        key = self._db.execute(
            "INSERT INTO series (run, metric, last_step) VALUES (?, ?, ?)", (self._run, metric, _BEFORE)
        ).lastrowid
        assert key is not None  # noqa: S101  (the row was just made)
        return _Open(key, _BEFORE)

    def _cut(self, series: "_Open", step: int) -> None:
        self._flush(series)
        key = series.key
        # The chunk in which the step lies is taken back into the open end; flushing writes it again.
        behind = self._db.execute("SELECT max(number) FROM chunks WHERE series = ? AND first_step <= ?", (key, step))
        number = behind.fetchone()[0]
        if number is not None:
            steps, values = read_chunk(self._db, key, number)
            keep = sum(at <= step for at in steps)
            series.steps, series.values = steps[:keep], values[:keep]
        self._drop_from(key, 0 if number is None else number)
        series.last_step = series.steps[-1] if series.steps else _BEFORE

    def _flush(self, series: "_Open") -> None:
        if not series.steps:
            return
        db, key = self._db, series.key
        row = db.execute("SELECT max(number), count FROM chunks WHERE series = ?", (key,)).fetchone()
        number, count = (-1, CHUNK) if row[0] is None else row
        steps, values = series.steps, series.values
        if count < CHUNK:
            before, numbers = read_chunk(db, key, number)
            steps, values = before + steps, numbers + values
            self._drop_from(key, number)
        else:
            number += 1
        for at in range(0, len(steps), CHUNK):
            _write_chunk(db, key, number + at // CHUNK, steps[at : at + CHUNK], values[at : at + CHUNK])
        db.execute("UPDATE series SET last_step = ? WHERE key = ?", (series.last_step, key))
        series.steps, series.values = array("q"), array("d")

    def _drop_from(self, key: int, number: int) -> None:
        for table in ("chunks", "points"):
            self._db.execute(f"DELETE FROM {table} WHERE series = ? AND number >= ?", (key, number))  # noqa: S608


_BEFORE = -1
"""The last step of a series that has none."""


class _Open:
    """The end of a series that is being appended to."""

    def __init__(self, key: int, last_step: int) -> None:
        self.key = key
        self.last_step = last_step
        self.steps = array("q")
        self.values = array("d")


def read_stretch(db: sqlite3.Connection, key: int, points: int, first: int, last: int) -> Stretch:
    """Return the points of a series between two steps, both included, decimated to at most `points`."""
    rows = db.execute(
        "SELECT number, first_step, last_step, count, outline FROM chunks"
        " WHERE series = ? AND last_step >= ? AND first_step <= ? ORDER BY number",
        (key, first, last),
    ).fetchall()
    whole = [first <= row[1] and row[2] <= last for row in rows]
    # Only the chunks at the two ends can be cut.
    ends = {
        row[0]: _between(read_chunk(db, key, row[0]), first, last)
        for row, is_whole in zip(rows, whole, strict=True)
        if not is_whole
    }
    total = sum(len(ends[row[0]][0]) if row[0] in ends else row[3] for row in rows)
    if total > points and len(rows) >= points // POINTS_OF_A_BUCKET:
        outlines = [
            unpack_outline(row[4]) if row[0] not in ends else outline(*ends[row[0]])
            for row in rows
            if row[0] not in ends or ends[row[0]][0]
        ]
        parts = buckets(len(outlines), points)
        return Stretch(flatten(join(outlines[part]) for part in parts), total)
    steps, values = array("q"), array("d")
    for row in rows:
        chunk = ends[row[0]] if row[0] in ends else read_chunk(db, key, row[0])
        steps.extend(chunk[0])
        values.extend(chunk[1])
    return Stretch(decimate(steps, values, points), total)


def read_chunk(db: sqlite3.Connection, key: int, number: int) -> "tuple[array[int], array[float]]":
    """Return all steps and values of a chunk.

    Raises:
        sqlite3.DatabaseError: It is damaged, or of another layout.
    """
    row = db.execute(
        "SELECT steps, kind, numbers FROM points WHERE series = ? AND number = ?", (key, number)
    ).fetchone()
    try:
        steps = array("q", accumulate(array("q", zlib.decompress(row[0]))))
        values = array(row[1], row[2])
    except (ValueError, TypeError, zlib.error) as error:
        raise sqlite3.DatabaseError(f"chunk {number} of series {key} cannot be read: {error}") from error
    return steps, values if row[1] == "d" else array("d", values)


def _write_chunk(db: sqlite3.Connection, key: int, number: int, steps: "array[int]", values: "array[float]") -> None:
    db.execute(
        "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?)",
        (key, number, steps[0], steps[-1], len(steps), pack_outline(outline(steps, values))),
    )
    gaps = array("q", (after - before for before, after in pairwise(chain([0], steps))))
    short = _as_single(values)
    kind, numbers = ("d", values) if short is None else ("f", short)
    db.execute(
        "INSERT INTO points VALUES (?, ?, ?, ?, ?)",
        (key, number, zlib.compress(gaps.tobytes(), _FAST), kind, numbers.tobytes()),
    )


def _as_single(values: "array[float]") -> "array[float] | None":
    """Return the values in single precision where that loses nothing, as what a float32 tensor held."""
    try:
        short = array("f", values)
    except OverflowError:
        return None
    # A NaN is equal to nothing, itself included, so the bytes are compared.
    same = array("d", short).tobytes() == values.tobytes()
    return short if same else None


def _between(chunk: "tuple[array[int], array[float]]", first: int, last: int) -> "tuple[array[int], array[float]]":
    steps, values = chunk
    low = sum(step < first for step in steps)
    high = sum(step <= last for step in steps)
    return steps[low:high], values[low:high]


def pack_outline(kept: Outline) -> bytes:
    """Return an outline as bytes: which of its points there are, then those."""
    there = sum(1 << i for i, point in enumerate(kept) if point is not None)
    return bytes([there]) + b"".join(_POINT.pack(*point) for point in kept if point is not None)


def unpack_outline(packed: bytes) -> Outline:
    """Return the outline that was packed."""
    points = iter(Point(*each) for each in _POINT.iter_unpack(packed[1:]))
    first, last, low, high, missing = (next(points) if packed[0] >> i & 1 else None for i in range(5))
    assert first is not None and last is not None  # noqa: S101  (an outline is of at least one point)
    return Outline(first, last, low, high, missing)


def metrics_of(db: sqlite3.Connection, run: int) -> Iterable[tuple[str, int]]:
    """Return the name and key of each series of a run, by name."""
    return db.execute("SELECT metric, key FROM series WHERE run = ? ORDER BY metric", (run,)).fetchall()
