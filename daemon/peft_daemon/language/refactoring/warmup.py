"""Writing the warm-up as steps or as a share of the run, when the number of steps is known."""

import math
from collections.abc import Callable, Iterator

from peft_daemon.language.figures import estimate
from peft_daemon.language.refactoring.offer import Refactoring, revising
from peft_daemon.language.revision import Revision

_KIND = "refactor.rewrite.peft.warmup"
_STEPS, _RATIO = "training.warmup_steps", "training.warmup_ratio"
_MOST_DIGITS = 6


def conversions(revision: Revision) -> Iterator[Refactoring]:
    """Yield the conversion of the warm-up that is written."""
    steps, ratio = (revision.subject.setting(path) for path in (_STEPS, _RATIO))
    if steps is None or ratio is None or steps.is_written == ratio.is_written:
        return
    total = next((f.value for f in estimate(revision.subject).figures if f.name == "steps" and not f.is_upper_bound), 0)
    if steps.is_written and 0 < steps.value < total:
        share = _share(steps.value, total)
        if share is not None:
            title = f"Write the warm-up as a share: {share:g} of {total} steps"
            yield Refactoring("warmup.ratio", title, _KIND, revising(revision, _swap(_STEPS, _RATIO, share)))
    elif ratio.is_written and ratio.value is not None and total:
        count = math.ceil(ratio.value * total)
        title = f"Write the warm-up as steps: {count} of {total}"
        yield Refactoring("warmup.steps", title, _KIND, revising(revision, _swap(_RATIO, _STEPS, count)))


def _share(steps: int, total: int) -> float | None:
    """Return the shortest share that comes to exactly so many steps when it is rounded up, as the training does."""
    for digits in range(1, _MOST_DIGITS + 1):
        for share in (round(steps / total, digits), round(steps / total - 10**-digits, digits)):
            if 0 < share < 1 and math.ceil(total * share) == steps:
                return share
    return None


def _swap(old: str, new: str, value: float) -> Callable[[Revision], Revision]:
    def revise(revision: Revision) -> Revision:
        return revision.with_value(new, value).without(old)

    return revise
