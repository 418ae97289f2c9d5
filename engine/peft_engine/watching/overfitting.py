"""The run learns its examples by heart."""

from peft_engine.watching.anomaly import Anomaly
from peft_engine.watching.series import Series
from peft_engine.watching.thresholds import OverfittingThresholds


def overfitting(series: Series, limits: OverfittingThresholds) -> Anomaly | None:
    """Look for a loss on held-out examples that rises while the training loss goes on falling."""
    evaluations = series.evaluations
    if len(evaluations) <= limits.evaluations:
        return None
    best = min(evaluations, key=lambda one: one.loss)
    recent = evaluations[-limits.evaluations :]
    margin = max(limits.rise * best.loss, limits.least_rise)
    if any(one.loss <= best.loss + margin for one in recent):
        return None
    newest = recent[-1]
    if newest.training_loss is None or best.training_loss is None or newest.training_loss >= best.training_loss:
        return None
    return Anomaly(
        "overfitting",
        newest.step,
        f"The loss on held-out examples rose from {best.loss:.3g} at step {best.step} to {newest.loss:.3g}, while the "
        f"training loss fell to {newest.training_loss:.3g}: the run learns its examples by heart.",
        "training.num_epochs",
        {
            "evaluation_loss": newest.loss,
            "lowest_evaluation_loss": best.loss,
            "lowest_at_step": float(best.step),
            "training_loss": newest.training_loss,
            "gap": newest.loss - newest.training_loss,
        },
        best.step,
    )
