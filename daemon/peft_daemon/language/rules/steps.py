"""How long a run is, as far as the config and its data tell."""

import math
from fractions import Fraction

from peft_daemon.language.rules.subject import Subject
from peft_engine.config.document import Path
from peft_engine.config.schema import key_at

_DATASETS: Path = ("datasets",)


def total_steps(subject: Subject) -> int | None:
    """Return the optimizer steps of the run, None when they cannot be known.

    Without `max_steps` they follow from the number of records, which is known where every dataset is read whole and
    every record becomes one row.
    """
    limit = subject.setting("training.max_steps")
    if limit is None or limit.value is not None:
        return None if limit is None else int(limit.value)
    packing, epochs = subject.setting("training.packing"), subject.setting("training.num_epochs")
    batch, records = effective_batch(subject), training_records(subject)
    if packing is None or packing.value or epochs is None or batch is None or not records:
        return None
    return max(1, math.ceil(math.ceil(records / batch) * float(epochs.value)))


def effective_batch(subject: Subject) -> int | None:
    """Return the examples of one optimizer step, of all processes together."""
    found = subject.settings("training.batch_size", "training.gradient_accumulation_steps", "compute.processes")
    return None if found is None else math.prod(int(setting.value) for setting in found)


def training_records(subject: Subject) -> int | None:
    """Return the records that an epoch trains on, None when not all datasets were read whole."""
    share = subject.setting("evaluation.split")
    if share is None or not subject.context.datasets:
        return None
    shared = subject.shared_of(_DATASETS)
    if training_records not in shared:
        shared[training_records] = _records(subject)
    total: float | None = shared[training_records]
    return None if total is None else math.ceil(total * (1 - float(share.value)))


def _records(subject: Subject) -> float | None:
    """Return the records of all datasets, each as often as it is taken."""
    total, known = 0.0, subject.context.datasets
    for _, values, path in subject.entries(_DATASETS):
        fact, weight = None if path is None else known.get(path), values.get("weight", 1)
        if fact is None or fact.records is None or "split" in values or not _is_weight(weight):
            return None
        total += fact.records * weight
    return total


def _is_weight(value: object) -> bool:
    """Tell whether the language takes a value as a weight; NaN is a number that it does not take."""
    key = key_at((*_DATASETS, "weight"))
    if key is None or isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return key.bounds.contain(value)


def exact(cadence: float) -> Fraction:
    """Return a cadence as the exact number that was written: 0.3 is three tenths."""
    return Fraction(repr(cadence))
