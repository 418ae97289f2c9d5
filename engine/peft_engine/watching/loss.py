"""The loss rises."""

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


def _lowest_level(points: Sequence[tuple[int, float]], width: int) -> tuple[float, int]:
    """Return the lowest median of `width` losses in a row, and the last step of those; counted from the newest back."""
    width = min(width, len(points))
    losses = [loss for _, loss in points]
    ends = range(len(points), width - 1, -width)
    return min((median(losses[end - width : end]), points[end - 1][0]) for end in ends)
