"""Fewer points of a series, with nothing cut off.

A bucket of neighbouring points is told by its first, lowest, highest and last one: M4, after U. Jugel et al., "M4: A
Visualization-Oriented Time Series Data Aggregation" (VLDB 2014), which draws the same line as all points do. The first
point that is missing (a loss that was no number) is kept too, because it is what one looks for.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

POINTS_OF_A_BUCKET = 5
"""The most that a bucket comes to."""


class Point(NamedTuple):
    """One measurement; a value that is missing is a NaN."""

    step: int
    value: float


class Outline(NamedTuple):
    """What is kept of neighbouring points. `low` and `high` are None where every value is missing."""

    first: Point
    last: Point
    low: Point | None
    high: Point | None
    missing: Point | None

    def points(self) -> list[Point]:
        """Return each point that is kept once, in order."""
        kept = {point.step: point for point in self if point is not None}
        return [kept[step] for step in sorted(kept)]


def outline(steps: Sequence[int], values: Sequence[float]) -> Outline:
    """Return the outline of at least one point; of equal extremes the earliest is kept."""
    missing = None
    present: Sequence[float] = values
    if any(map(math.isnan, values)):
        at = next(i for i, value in enumerate(values) if math.isnan(value))
        missing = Point(steps[at], math.nan)
        present = [value for value in values if not math.isnan(value)]
    low = high = None
    if present:
        least, most = min(present), max(present)
        low = Point(steps[values.index(least)], least)
        high = Point(steps[values.index(most)], most)
    return Outline(Point(steps[0], values[0]), Point(steps[-1], values[-1]), low, high, missing)


def join(outlines: Sequence[Outline]) -> Outline:
    """Return the outline of neighbouring stretches as if it had been taken of their points."""
    lows = [part.low for part in outlines if part.low is not None]
    highs = [part.high for part in outlines if part.high is not None]
    return Outline(
        outlines[0].first,
        outlines[-1].last,
        min(lows, key=_value, default=None),
        max(highs, key=_value, default=None),
        next((part.missing for part in outlines if part.missing is not None), None),
    )


def buckets(count: int, points: int) -> list[slice]:
    """Cut `count` neighbours into as many buckets of about the same size as `points` points can tell."""
    number = min(count, max(points // POINTS_OF_A_BUCKET, 1))
    edges = [count * i // number for i in range(number + 1)]
    return [slice(low, high) for low, high in pairwise(edges)]


def decimate(steps: Sequence[int], values: Sequence[float], points: int) -> list[Point]:
    """Return at most `points` points of a series, in order, or all of them where that is no more.

    Args:
        steps: Rising.
        values: As many; NaN where one is missing.
        points: At least those of two buckets.
    """
    if len(steps) <= points:
        return [Point(step, value) for step, value in zip(steps, values, strict=True)]
    return flatten(outline(steps[part], values[part]) for part in buckets(len(steps), points))


def flatten(outlines: Iterable[Outline]) -> list[Point]:
    """Return the points of neighbouring buckets."""
    return [point for part in outlines for point in part.points()]


def _value(point: Point) -> float:
    return point.value
