"""Trading the batch against accumulation: less memory, the same effective batch."""

from collections.abc import Callable, Iterator

from peft_daemon.language.refactoring.offer import Refactoring, revising
from peft_daemon.language.revision import Revision
from peft_engine.bounds import bounds
from peft_engine.config.schema import key_at

_KIND = "refactor.rewrite.peft.batch"
_BATCH, _ACCUMULATION = "training.batch_size", "training.gradient_accumulation_steps"


def trades(revision: Revision) -> Iterator[Refactoring]:
    """Yield the two ways to halve one and double the other, where the numbers are even."""
    batch, accumulation = revision.value(_BATCH), revision.value(_ACCUMULATION)
    if batch is None or accumulation is None:
        return
    for name, smaller in (("halve", 0.5), ("double", 2)):
        new = int(batch * smaller), int(accumulation / smaller)
        if new[0] * new[1] != batch * accumulation or not all(map(_allowed, (_BATCH, _ACCUMULATION), new)):
            continue
        verb = "Halve" if name == "halve" else "Double"
        effect = f"accumulate {new[1]}: less memory" if name == "halve" else f"accumulate {new[1]}: more memory, faster"
        title = f"{verb} the batch to {new[0]} and {effect}, the effective batch stays {batch * accumulation}"
        yield Refactoring(f"batch.{name}", title, _KIND, revising(revision, _set(*new)))


def _set(batch: int, accumulation: int) -> Callable[[Revision], Revision]:
    def revise(revision: Revision) -> Revision:
        return revision.with_value(_BATCH, batch).with_value(_ACCUMULATION, accumulation)

    return revise


def _allowed(path: str, value: int) -> bool:
    key, limit = key_at(tuple(path.split("."))), bounds().limits.get(path)
    advised = limit is None or limit.least <= value <= limit.most
    return advised and key is not None and key.bounds.contain(value)
