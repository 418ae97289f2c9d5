"""Family `cost`: numbers that are allowed and seldom wise. The bounds come from `bounds.yaml` of the profiles."""

import math
from collections.abc import Iterator

from peft_daemon.language.binding import BoundKey
from peft_daemon.language.context import CheckContext
from peft_daemon.language.rules.places import value_place
from peft_daemon.language.rules.registry import Rule, replace, rule
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.rules.values import faults, written
from peft_engine.bounds import Limit, bounds
from peft_engine.config.nodes import Alias, Scalar, target
from peft_engine.config.schema import number_text
from peft_engine.facts import DatasetFact
from peft_schemas.findings import Finding, Severity

_FAMILY = "cost"
_BASE = "version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\n"
_ADAM = ("adamw", "adamw_8bit", "paged_adamw_8bit")


@rule(
    "PW501",
    "error",
    _FAMILY,
    "The learning rate is outside the range in which runs learn.",
    why="Above it the loss diverges within a few steps; below it nothing moves in any reasonable time.",
    advice="Choose a rate between 1.0e-6 and 1.0e-3; up to 1.0e-2 only small models bear, which gives a warning.",
    example=_BASE + "training:\n  learning_rate: 0.5\n",
    source="LoRA Without Regret (2025); Unsloth Studio, models/training.py",
    judges="part",
)
def learning_rate_limit(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find learning rates beyond their bounds."""
    return _limited(subject, this, "training.learning_rate", "warning")


@rule(
    "PW502",
    "error",
    _FAMILY,
    "The batch size is larger than any device takes, or one that devices compute badly.",
    why="Matrix units work in powers of two. More examples a step are better had by accumulating gradients.",
    advice="Take 2, 4, 8 or 16 and raise `gradient_accumulation_steps` for a larger effective batch.",
    example=_BASE + "training:\n  batch_size: 500\n",
    source="NVIDIA, Matrix Multiplication Background; Transformers docs, performance on one GPU",
    judges="part",
)
def batch_size_limit(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find batch sizes beyond their bounds."""
    return _limited(subject, this, "training.batch_size", "hint")


@rule(
    "PW503",
    "error",
    _FAMILY,
    "The number of epochs is one at which runs learn nothing, or their data by heart.",
    why="After a few epochs a fine-tuned model repeats its examples; a part of an epoch leaves examples unseen.",
    advice="Choose 1 to 10 epochs; to see less than all the data, set `max_steps`.",
    example=_BASE + "training:\n  num_epochs: 500\n",
    source="LIMA (2023), section 4; InstructGPT (2022), appendix C",
    judges="part",
)
def num_epochs_limit(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find numbers of epochs beyond their bounds."""
    return _limited(subject, this, "training.num_epochs", "warning")


@rule(
    "PW504",
    "warning",
    _FAMILY,
    "The learning rate does not suit the method.",
    why="The best rate of an adapter is about ten times that of full fine-tuning: too high, full fine-tuning forgets "
    "what the base knew; too low, an adapter hardly learns.",
    advice="Start near 2.0e-4 for an adapter and near 1.0e-5 for `full`.",
    example=_BASE + "method:\n  type: full\ntraining:\n  learning_rate: 2.0e-4\n",
    source="LoRA Without Regret (2025)",
)
def learning_rate_for_method(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find learning rates outside what suits the method, with the optimizers of the Adam family."""
    found = subject.settings("training.learning_rate", "method.type", "training.optimizer")
    if found is None or found[2].value not in _ADAM:
        return
    rate, method, _ = found
    limit = bounds().limits["training.learning_rate"]
    if _severity(limit, rate.value, "warning") is not None:  # which has its own finding
        return
    rates = bounds().learning_rates
    usual = rates.full if method.value == "full" else rates.adapter
    if usual.least <= rate.value <= usual.most:
        return
    side = "high" if rate.value > usual.most else "low"
    message = (
        f"{number_text(rate.value)} is {side} for `{method.value}`, which trains best near "
        f"{number_text(usual.typical)}."
    )
    yield this.about(subject, message, rate, method, fixes=subject.set(rate.path, usual.typical))


@rule(
    "PW505",
    "warning",
    _FAMILY,
    "Rows are much longer than nearly all examples.",
    why="Packed rows are filled to `max_length`, and memory is needed for the whole row; without "
    "packing the one longest "
    "example decides what a step costs.",
    advice="Lower `max_length` to what 99 of 100 records need.",
    example="# 99 of 100 records in this file have at most 300 tokens.\n"
    + _BASE.replace("org/data", "data/train.jsonl")
    + "training:\n  max_length: 8192\n  packing: true\n",
    known=CheckContext(
        datasets={"data/train.jsonl": DatasetFact(900, "text", ("text",), tokens_p50=90, tokens_p99=300)}
    ),
    source="open-thoughts issue 6; Axolotl pull request 1731",
)
def rows_longer_than_data(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find a written `max_length` far above the 99th percentile of every dataset's tokens."""
    found = subject.settings("training.max_length", "training.packing")
    if found is None or not found[0].is_written or not subject.context.datasets:
        return
    lengths = [
        fact.tokens_p99 if (fact := entry.fact(subject.context)) else None for entry in subject.entries(("datasets",))
    ]
    known = [length for length in lengths if length is not None]
    if not known or len(known) < len(lengths):
        return
    longest, (max_length, packing) = max(known), found
    if max_length.value <= bounds().rows_over_records * longest:
        return
    better = max(64, 2 ** math.ceil(math.log2(max(longest, 1))))
    if better >= max_length.value:
        return
    message = f"Rows of {max_length.value} tokens are far longer than the examples: 99 of 100 have at most {longest}."
    severity: Severity = "warning" if packing.value else "information"
    fixes = subject.set(max_length.path, better)
    yield this.about(subject, message, max_length, fixes=fixes, severity=severity)


def _limited(subject: Subject, this: Rule, path: str, mild: Severity) -> Iterator[Finding]:
    """Find a written number beyond the limits of its key, as an error, or beyond what is advised, as `mild`."""
    bound = subject.binding.at(tuple(path.split(".")))
    value = None if bound is None else target(bound.entry.value)
    if bound is None or not isinstance(value, Scalar) or faults(bound.key, bound.entry.value):
        return
    number, limit = value.value, bounds().limits[path]
    if not isinstance(number, int | float):
        return
    severity = _severity(limit, number, mild)
    if severity is None:
        return
    range_, related = value_place(subject.document, bound.entry.value, bound.via)
    better = written(limit.nearest(number))
    own = bound.via is None and not isinstance(bound.entry.value, Alias)
    fixes = [replace(f"Set to {better}", range_, better)] if own else []
    message = _sentence(bound, limit, number, severity)
    yield this.at(message, range_, fixes=fixes, related=related, severity=severity)


def _severity(limit: Limit, number: float, mild: Severity) -> Severity | None:
    if not limit.least <= number <= limit.most:
        return "error"
    beyond = limit.advised_most is not None and number > limit.advised_most
    return mild if beyond or (limit.advised and number not in limit.advised) else None


def _sentence(bound: BoundKey, limit: Limit, number: float, severity: Severity) -> str:
    name, shown = bound.key.name, number_text(number)
    if severity == "error":
        return f"`{name}` must lie between {number_text(limit.least)} and {number_text(limit.most)}; {shown} does not."
    if limit.advised:
        *others, last = map(str, limit.advised)
        return f"A `{name}` of {', '.join(others)} or {last} suits the hardware better than {shown}."
    most = limit.most if limit.advised_most is None else limit.advised_most
    return f"A `{name}` of {shown} is unusually high; up to {number_text(most)} is common."
