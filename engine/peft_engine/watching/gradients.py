"""The gradients explode."""

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
    norms = [norm for _, norm in points]
    if len(norms) <= limits.least_reference:
        return None
    newest, usual = norms[-1], median(norms[:-1])
    before, now = norms[: -limits.recent], median(norms[-limits.recent :])
    lasting = len(before) >= limits.least_reference and now > max(limits.factor * median(before), clipped_to)
    if not lasting and newest <= max(limits.spike * usual, clipped_to):
        return None
    good_step = points[-limits.recent - 1][0] if lasting else points[-2][0] - 1
    return Anomaly(
        "gradient-explosion",
        points[-1][0],
        f"The norm of the gradients is {newest:.3g}, where {usual:.3g} is usual in this run: "
        "such steps lead nowhere, and most likely the learning rate is too high.",
        _KEY,
        {"grad_norm": newest, "recent_grad_norm": now, "usual_grad_norm": usual, "max_grad_norm": clipped_to},
        good_step,
    )
