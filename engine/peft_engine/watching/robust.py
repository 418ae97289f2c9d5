"""Statistics that a few outliers do not move."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

_NORMAL = 1.4826
"""The standard deviation of a normal distribution over its median absolute deviation."""


def noise(values: Sequence[float]) -> float:
    """Return the standard deviation of a series around its trend.

    It is taken from the differences between neighbours, which a trend shifts but does not widen, through their median
    absolute deviation (Rousseeuw and Croux 1993); a difference of two has sqrt(2) times the noise of one.

    Args:
        values: At least three numbers.
    """
    differences = [after - before for before, after in pairwise(values)]
    middle = median(differences)
    return _NORMAL * median(abs(one - middle) for one in differences) / 2**0.5
