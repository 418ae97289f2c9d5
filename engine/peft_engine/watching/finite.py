"""What is computed is no number any more."""

import math

from peft_engine.watching.anomaly import Anomaly
from peft_engine.watching.series import Series


def non_finite(series: Series, in_a_row: int) -> Anomaly | None:
    """Look for NaN or infinity in the newest loss, or in the newest gradients.

    Args:
        series: What was measured.
        in_a_row: How many measurements in a row it takes where only the gradients are not finite.
    """
    newest = series.measurements[-1]
    recent = [one.grad_norm for one in series.measurements[-in_a_row:]]
    if _broken(newest.loss):
        what = "loss"
    elif len(recent) == in_a_row and all(_broken(norm) for norm in recent):
        what = "norm of the gradients"
    else:
        return None
    if newest.step == 1:
        # It is that of the weights with which the run began.
        cause = "this is before anything was learned, so most likely the precision cannot hold what the base computes."
        key = "training.precision"
    else:
        cause = "the numbers grew past what they are held in, most likely because the learning rate is too high."
        key = "training.learning_rate"
    return Anomaly(
        "non-finite",
        newest.step,
        f"The {what} of step {newest.step} is not a finite number: {cause}",
        key,
        {"loss": _shown(newest.loss), "grad_norm": _shown(newest.grad_norm)},
        _good_step(series),
    )


def _good_step(series: Series) -> int:
    """Return the last step whose weights gave a finite loss with finite gradients: those of a step come before it."""
    whole = (one.step for one in series.measurements if not _broken(one.loss) and not _broken(one.grad_norm))
    return max(max(whole, default=0) - 1, 0)


def _broken(value: float | None) -> bool:
    return value is not None and not math.isfinite(value)


def _shown(value: float | None) -> float | None:
    return None if _broken(value) else value
