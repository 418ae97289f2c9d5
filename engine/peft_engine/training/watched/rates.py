"""Changing the learning rate of a schedule that is under way."""

from collections.abc import Sequence
from typing import Any


def set_peaks(optimizer: Any, scheduler: Any, peaks: Sequence[float]) -> None:
    """Give each group of weights another peak rate; the shape of the schedule and the place on it stay.

    Args:
        optimizer: The optimizer, whose next step takes the new rates.
        scheduler: Its `LambdaLR`, which every schedule of transformers is.
        peaks: One rate a group.
    """
    scheduler.base_lrs = list(peaks)
    rates = [peak * shape(scheduler.last_epoch) for peak, shape in zip(peaks, scheduler.lr_lambdas, strict=True)]
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    # What `get_last_lr` answers, and so what the run reports.
    scheduler._last_lr = rates
