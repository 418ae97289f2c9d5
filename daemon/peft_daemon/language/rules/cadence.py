"""Family `schedule`, part 2: evaluations and checkpoints, and what needs them."""

import math
from collections.abc import Iterator

from peft_daemon.language.rules.registry import Rule, rule
from peft_daemon.language.rules.steps import exact, total_steps
from peft_daemon.language.rules.subject import Setting, Subject
from peft_schemas.findings import Finding, Fix

_FAMILY = "schedule"
_BASE = "version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\n"
HOW_TO_EVALUATE = ("evaluation.every_steps", "evaluation.batch_size")
"""Keys that mean nothing while nothing is evaluated."""

_SHARE = 0.1
"""The share to hold out that fixes propose."""


@rule(
    "PW410",
    "warning",
    _FAMILY,
    "The run ends before its first checkpoint or evaluation.",
    why="What you asked to be saved or measured on the way never is; a run that stops early leaves nothing.",
    advice="Make `every_steps` smaller than the number of steps.",
    example=_BASE + "training:\n  max_steps: 20\ncheckpoint:\n  every_steps: 100\n",
    source="Transformers pull request 28500",
)
def never_reached(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find written cadences that are longer than the run."""
    limit, total = subject.setting("training.max_steps"), total_steps(subject)
    if limit is None or total is None:
        return
    for section, what in (("checkpoint", "checkpoint"), ("evaluation", "evaluation")):
        cadence = subject.setting(f"{section}.every_steps")
        if cadence is None or not cadence.is_written or cadence.value <= total:
            continue
        if section == "evaluation" and not evaluates(subject):
            continue
        message = f"The run ends after {total} steps, before the first {what} at step {cadence.value}."
        fixes = [] if _load_best(subject) else subject.set(cadence.path, total)
        causes = (cadence, limit) if limit.value is not None else (cadence,)
        yield this.about(subject, message, *causes, fixes=fixes)


@rule(
    "PW411",
    "warning",
    _FAMILY,
    "How to evaluate is set, and nothing is evaluated.",
    why="Without held-out examples or a dataset for it there is no evaluation, so the key changes nothing.",
    advice="Hold out a share of the examples with `split`, name `datasets` under `evaluation`, or delete the key.",
    example=_BASE + "evaluation:\n  every_steps: 50\n",
    source="LLaMA-Factory hparams/parser.py; Axolotl schemas/validation.py",
)
def evaluation_without_data(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find the keys of `evaluation` without examples to evaluate on."""
    if evaluates(subject) is not False:
        return
    for path in HOW_TO_EVALUATE:
        setting = subject.setting(path)
        if setting is not None and setting.is_written and setting.value is not None:
            message = f"`{setting.name}` has no effect: no examples are held out for evaluation."
            fixes = _evaluate(subject) + subject.remove(setting.path)
            yield this.about(subject, message, setting, fixes=fixes, at_key=True)


@rule(
    "PW412",
    "error",
    _FAMILY,
    "A share is held out although there are datasets for evaluation.",
    why="Only one of the two can be what the loss is measured on.",
    advice="Delete `split`, or the list of datasets.",
    example=_BASE + "evaluation:\n  split: 0.1\n  datasets:\n    - path: org/held-out\n",
    source="LLaMA-Factory data_args.py; Axolotl schemas/validation.py",
)
def evaluated_on_two_things(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find a written `split` beside datasets for evaluation."""
    found = subject.settings("evaluation.split", "evaluation.datasets")
    if found is None or not found[0].is_written or not found[0].value or not found[1].value:
        return
    message = "`split` holds out training examples, but `datasets` below `evaluation` is what to evaluate on."
    yield this.about(subject, message, *found, fixes=subject.remove(found[0].path))


@rule(
    "PW413",
    "error",
    _FAMILY,
    "The best checkpoint is asked for, and nothing is evaluated.",
    why="The best is the one with the lowest evaluation loss, and without evaluations none has any.",
    advice="Hold out a share of the examples with `evaluation.split`, or delete `load_best`.",
    example=_BASE + "checkpoint:\n  load_best: true\n",
    source="Transformers training_args.py, load_best_model_at_end; Axolotl schemas/validation.py",
)
def best_of_nothing(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `load_best` without evaluation."""
    load_best = subject.setting("checkpoint.load_best")
    if load_best is not None and load_best.value and evaluates(subject) is False:
        message = "`load_best` needs evaluations to tell which checkpoint is the best, and there are none."
        yield this.about(subject, message, load_best, fixes=_evaluate(subject) + subject.remove(load_best.path))


@rule(
    "PW414",
    "error",
    _FAMILY,
    "The run is to stop early, and nothing is evaluated.",
    why="It stops when the evaluation loss no longer falls, and without evaluations there is none.",
    advice="Hold out a share of the examples with `evaluation.split`, or delete `early_stopping_patience`.",
    example=_BASE + "training:\n  early_stopping_patience: 3\n",
    source="Transformers docs, EarlyStoppingCallback; Axolotl schemas/validation.py",
)
def early_stop_on_nothing(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `early_stopping_patience` without evaluation."""
    patience = subject.setting("training.early_stopping_patience")
    if patience is not None and patience.value is not None and evaluates(subject) is False:
        message = "`early_stopping_patience` counts evaluations without a better loss, and there are none."
        yield this.about(subject, message, patience, fixes=_evaluate(subject) + subject.remove(patience.path))


@rule(
    "PW415",
    "error",
    _FAMILY,
    "Checkpoints and evaluations do not meet, though the best checkpoint is asked for.",
    why="Only a checkpoint at whose step there is an evaluation has a loss to be judged by.",
    advice="Make `every_steps` of the checkpoints a multiple of that of the evaluations.",
    example=_BASE + "evaluation:\n  split: 0.1\n  every_steps: 40\ncheckpoint:\n  every_steps: 50\n  load_best: true\n",
    source="Transformers training_args.py; Transformers issue 12685, pull requests 12786 and 38217",
)
def best_without_evaluation(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find cadences of checkpoints that are no multiple of that of the evaluations."""
    found = subject.settings("checkpoint.every_steps", "evaluation.every_steps")
    if found is None or not _load_best(subject) or not evaluates(subject):
        return
    saved, evaluated = exact(found[0].value), exact(found[1].value)
    if (saved < 1) != (evaluated < 1):  # a share of steps that are not known here
        return
    times = saved / evaluated
    if times.denominator == 1:
        return
    better = math.ceil(times) * evaluated
    message = "`load_best` needs an evaluation at each checkpoint, and {} is no multiple of {}."
    value = int(better) if better.denominator == 1 else float(better)
    fixes = subject.set(found[0].path, value) if saved >= 1 or better < 1 else []
    yield this.about(subject, message.format(*(setting.value for setting in found)), *found, fixes=fixes)


@rule(
    "PW416",
    "warning",
    _FAMILY,
    "An evaluation takes more examples at once than training does.",
    why="An evaluation writes the scores of every word for every token; larger batches run out of memory at the first "
    "evaluation, hours into the run.",
    advice="Leave `evaluation.batch_size` out, or set it to the `batch_size` of the training at most.",
    example=_BASE + "training:\n  batch_size: 2\nevaluation:\n  split: 0.1\n  batch_size: 16\n",
    source="Axolotl issues 1813 and 3203; Axolotl schemas/validation.py",
)
def large_evaluation_batch(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find evaluation batches that are larger than the training's."""
    found = subject.settings("evaluation.batch_size", "training.batch_size")
    if found is None or found[0].value is None or found[0].value <= found[1].value or not evaluates(subject):
        return
    message = (
        f"Evaluations take {found[0].value} examples at once and training {found[1].value}: memory may not suffice."
    )
    yield this.about(subject, message, *found, fixes=subject.set(found[0].path, found[1].value))


def evaluates(subject: Subject) -> bool | None:
    """Tell whether anything is evaluated, None when that cannot be known."""
    split, datasets = subject.setting("evaluation.split"), subject.setting("evaluation.datasets")
    if (split is not None and split.value) or (datasets is not None and datasets.value):
        return True
    return None if split is None or datasets is None else False


def _load_best(subject: Subject) -> bool:
    load_best: Setting | None = subject.setting("checkpoint.load_best")
    return load_best is not None and bool(load_best.value)


def _evaluate(subject: Subject) -> list[Fix]:
    """Return the fix that holds out a share, where that makes no other finding."""
    cadences = subject.settings("checkpoint.every_steps", "evaluation.every_steps")
    if cadences is None:
        return []
    saved, evaluated = (exact(setting.value) for setting in cadences)
    meet = (saved < 1) == (evaluated < 1) and (saved / evaluated).denominator == 1
    return subject.set("evaluation.split", _SHARE) if meet or not _load_best(subject) else []
