"""The numbers that a config comes to: effective batch, steps, tokens a step, trainable parameters. Pure arithmetic.

The same function feeds the lenses, the hints, the hovers and `peftw estimate`, so they cannot disagree. A number that
cannot be told is left out and its reason said; none is guessed.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

from peft_daemon.language.context import DatasetFact
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.trained import trainable
from peft_engine.datasets.slices import count
from peft_schemas.errors import WorkbenchError
from peft_schemas.estimate import EstimateReport, Figure, FigureName, UnknownFigure

_FAULTY = "A value that it follows from is faulty or cannot be known."


class Unknown(Exception):
    """A number cannot be told; the message is the sentence that says why."""


def estimate(subject: Subject) -> EstimateReport:
    """Return every number that a document and what is known of the world determine."""
    figures, unknown = [], []
    for name, compute in _COMPUTE.items():
        try:
            figures.append(compute(subject))
        except Unknown as reason:
            unknown.append(UnknownFigure(name=name, reason=str(reason)))
    return EstimateReport(figures=figures, unknown=unknown)


def thousands(value: float) -> str:
    """Write a count as people read it: `4,096`."""
    return f"{value:,.0f}"


def _effective_batch(subject: Subject) -> Figure:
    batch, accumulation, processes = _values(
        subject, "training.batch_size", "training.gradient_accumulation_steps", "compute.processes"
    )
    numbers, names = f"{thousands(batch)} × {thousands(accumulation)}", "batch_size × gradient_accumulation_steps"
    if processes > 1:
        numbers, names = f"{numbers} × {thousands(processes)}", f"{names} × processes"
    return Figure(name="effective_batch", value=batch * accumulation * processes, formula=f"{numbers} ({names})")


def _examples(subject: Subject) -> Figure:
    """Count as the training does: what is held out first, then the weights."""
    share, held_out_elsewhere = _values(subject, "evaluation.split", "evaluation.datasets")
    (datasets,) = _values(subject, "datasets")
    if not isinstance(datasets, list) or not datasets:
        raise Unknown("No dataset is named.")
    share = 0.0 if held_out_elsewhere else share
    total, exact, parts = 0, True, []
    for dataset in datasets:
        records, fact, weight = _records(subject, dataset)
        held_out = _held_out(max(records - fact.duplicates, 1), share)
        # Copies of a held-out example are held out with it, and which examples those are only the seed knows.
        exact = exact and not (held_out and fact.duplicates)
        train = records - held_out
        total += int(weight) * train + round(train * (weight - int(weight)))
        part = thousands(records) + (f" - {thousands(held_out)} held out" if held_out else "")
        parts.append(part if weight == 1 else f"{weight:g} × ({part})")
    return Figure(name="examples", value=total, is_upper_bound=not exact, formula=" + ".join(parts))


def _records(subject: Subject, dataset: Any) -> tuple[int, DatasetFact, float]:
    if not isinstance(dataset, dict) or not isinstance(path := dataset.get("path"), str):
        raise Unknown(_FAULTY)
    weight = dataset.get("weight", 1.0)
    if not isinstance(weight, int | float) or isinstance(weight, bool) or not 0 < weight <= 100:
        raise Unknown(_FAULTY)
    fact = subject.context.datasets.get(path)
    if fact is None or fact.records is None:
        raise Unknown(f"The records of `{path}` have not been counted.")
    try:
        split = dataset.get("split")
        records = fact.records if split is None else count(fact.records, str(split), path)
    except WorkbenchError as error:
        raise Unknown(error.message) from error
    return records, fact, float(weight)


def _held_out(distinct: int, share: float) -> int:
    """Return how many examples the training holds out of so many distinct ones."""
    return max(min(max(round(distinct * share), 1), distinct - 1), 0) if share > 0 else 0


def _steps(subject: Subject) -> Figure:
    epochs, max_steps, packing = _values(subject, "training.num_epochs", "training.max_steps", "training.packing")
    batch, accumulation, processes = _values(
        subject, "training.batch_size", "training.gradient_accumulation_steps", "compute.processes"
    )
    if max_steps is not None:
        return Figure(name="steps", value=max_steps, formula="max_steps")
    examples = _examples(subject)
    passes = math.ceil(examples.value / (batch * processes))
    an_epoch = max(math.ceil(passes / accumulation), 1)
    formula = f"{epochs:g} epochs × {thousands(an_epoch)} steps, from {thousands(examples.value)} examples an epoch"
    if packing:
        formula += "; packing joins examples, which makes it fewer"
    upper = examples.is_upper_bound or packing
    return Figure(name="steps", value=math.ceil(epochs * an_epoch), is_upper_bound=upper, formula=formula)


def _tokens_per_step(subject: Subject) -> Figure:
    batch = _effective_batch(subject)
    (length,) = _values(subject, "training.max_length")
    limit = subject.context.model.context_length if subject.context.model is not None else None
    name = "max_length"
    if limit is not None and limit < length:
        length, name = limit, "the model's context length"
    formula = f"{thousands(batch.value)} × {thousands(length)} (effective batch × {name})"
    return Figure(name="tokens_per_step", value=batch.value * length, is_upper_bound=True, formula=formula)


def _trainable_parameters(subject: Subject) -> Figure:
    method, rank, targets, saved = _values(
        subject, "method.type", "method.r", "method.target_modules", "method.modules_to_save"
    )
    model = subject.context.model
    if model is None:
        raise Unknown("The base model's own files have not been read.")
    count = trainable(model, method=method, rank=rank, targets=targets, saved=saved)
    if count is None:
        raise Unknown("The base model's files do not say what is trained.")
    if method == "full" or not model.parameters:
        formula = "every weight of the base" if method == "full" else count.formula
    else:
        formula = f"{count.formula}; {count.value / model.parameters:.2%} of the base's {thousands(model.parameters)}"
    return Figure(name="trainable_parameters", value=count.value, formula=formula)


def _values(subject: Subject, *paths: str) -> Iterable[Any]:
    settings = subject.settings(*paths)
    if settings is None:
        raise Unknown(_FAULTY)
    return (setting.value for setting in settings)


_COMPUTE: dict[FigureName, Callable[[Subject], Figure]] = {
    "effective_batch": _effective_batch,
    "examples": _examples,
    "steps": _steps,
    "tokens_per_step": _tokens_per_step,
    "trainable_parameters": _trainable_parameters,
}
