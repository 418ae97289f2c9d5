"""Memory runs short."""

from peft_engine.watching.anomaly import Anomaly
from peft_engine.watching.series import Series


def memory_pressure(series: Series, limit: float) -> Anomaly | None:
    """Look at whether the device's memory is filled to its limit or beyond.

    Args:
        series: What was measured.
        limit: The share of the memory, 0 to 1.
    """
    newest = series.measurements[-1]
    if newest.memory_share is None or newest.memory_share < limit:
        return None
    return Anomaly(
        "memory-pressure",
        newest.step,
        f"{newest.memory_share:.1%} of the device's memory is in use, and the limit is {limit:.1%}: "
        "the batch is larger than fits, or other programs take too much.",
        "training.batch_size",
        {"memory_share": newest.memory_share, "memory_limit": limit},
        newest.step,
    )
