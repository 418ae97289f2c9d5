"""The loss rises."""

import math
from collections.abc import Sequence
from statistics import median

from peft_engine.watching.anomaly import Anomaly
from peft_engine.watching.robust import noise
from peft_engine.watching.series import Series
from peft_engine.watching.thresholds import DivergenceThresholds


def divergence(series: Series, limits: DivergenceThresholds) -> Anomaly | None:
    """Look for a loss that left the lowest level it had reached, and stays away from it.

    Medians make a single bad batch invisible. The level is the lowest that there was and not the last, so that a slow
    rise adds up; the noise is that of the series around its trend, so that a steep fall is not taken for noise.
    """
    points = series.finite_losses()
    before, recent = points[: -limits.recent], points[-limits.recent :]
    if len(before) < limits.least_reference:
        return None
    level, good_step = _lowest_level(before, limits.reference)
    now = median(loss for _, loss in recent)
    steps = len(before)
    unsteadiness = noise([loss for _, loss in before]) * (1 + limits.doubt / steps)
    rise = max(limits.rise * abs(level), limits.least_rise, limits.noises * unsteadiness)
    if now <= level + rise:
        return None
    step = recent[-1][0]
    return Anomaly(
        "loss-divergence",
        step,
        f"The loss rose from {level:.3g} to {now:.3g} since step {good_step}: "
        "most likely the learning rate is too high.",
        "training.learning_rate",
        {"loss": recent[-1][1], "recent_loss": now, "lowest_loss": level, "noise": unsteadiness},
        good_step,
    )


def beyond_chance(series: Series, limits: DivergenceThresholds, chance: float) -> Anomaly | None:
    """Look for a loss beyond that of guessing each token at random, where it was below: what the base knew is lost.

    That needs no usual level and no noise to be held against, so it is seen also where the first steps went wrong.

    Args:
        series: What was measured.
        limits: The thresholds.
        chance: The loss of guessing each token at random, in nats.
    """
    points = series.finite_losses()
    lowest = min((loss for _, loss in points), default=math.inf)
    if len(points) <= limits.recent or lowest >= chance:
        return None
    now = median(loss for _, loss in points[-limits.recent :])
    if now <= chance * (1 + limits.rise):
        return None
    step, newest = points[-1]
    return Anomaly(
        "loss-divergence",
        step,
        f"The loss rose from {lowest:.3g} to {now:.3g}, where guessing each token at random comes to {chance:.3g}: "
        "what the base knew is lost, and most likely the learning rate is too high.",
        "training.learning_rate",
        {"loss": newest, "recent_loss": now, "lowest_loss": lowest, "loss_of_chance": chance},
        max(max(step for step, loss in points if loss < chance) - 1, 0),
    )


def _lowest_level(points: Sequence[tuple[int, float]], width: int) -> tuple[float, int]:
    """Return the lowest median of `width` losses in a row, and the last step of those; counted from the newest back."""
    width = min(width, len(points))
    losses = [loss for _, loss in points]
    ends = range(len(points), width - 1, -width)
    return min((median(losses[end - width : end]), points[end - 1][0]) for end in ends)
