"""The gradients explode."""

import math
from statistics import median

from peft_engine.watching.anomaly import Anomaly
from peft_engine.watching.series import Series
from peft_engine.watching.thresholds import ExplosionThresholds

_KEY = "training.max_grad_norm"


def explosion(series: Series, limits: ExplosionThresholds, clipped_to: float) -> Anomaly | None:
    """Look for gradient norms far above what is usual in this run.

    Args:
        series: What was measured.
        limits: The thresholds.
        clipped_to: The norm that longer gradients are scaled down to; shorter ones do no harm, however unusual.
    """
    points = series.finite_norms()
    recent = [norm for _, norm in points[-limits.recent :]]
    before = points[: -limits.recent]
    if len(before) < limits.least_reference:
        return None
    usual, now, newest = median(norm for _, norm in before), median(recent), recent[-1]
    lasting = now > max(limits.factor * usual, clipped_to)
    if not lasting and newest <= max(limits.spike * usual, clipped_to):
        return None
    good_step = before[-1][0]
    return Anomaly(
        "gradient-explosion",
        points[-1][0],
        f"The norm of the gradients is {newest:.3g}, where {usual:.3g} is usual in this run: "
        "such steps lead nowhere, and most likely the learning rate is too high.",
        _KEY,
        {"grad_norm": newest, "recent_grad_norm": now, "usual_grad_norm": usual, "max_grad_norm": clipped_to},
        good_step,
    )


def non_finite_gradients(series: Series, in_a_row: int) -> Anomaly | None:
    """Look for gradients with NaN or infinity in them, of a loss that is finite.

    Args:
        series: What was measured.
        in_a_row: How many such measurements in a row it takes.
    """
    newest = series.measurements[-in_a_row:]
    norms = [one.grad_norm for one in newest]
    if len(newest) < in_a_row or any(norm is None or math.isfinite(norm) for norm in norms):
        return None
    last = newest[-1]
    return Anomaly(
        "gradient-explosion",
        last.step,
        f"The gradients of step {last.step} are not finite numbers: they grew past what they are held in, most likely "
        "because the learning rate is too high.",
        _KEY,
        {"loss": last.loss if last.loss is not None and math.isfinite(last.loss) else None, "grad_norm": None},
        max(newest[0].step - 1, 0),
    )
