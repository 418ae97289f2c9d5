"""Family `schedule`, part 1: the length of the run and its warm-up."""

from collections.abc import Iterator

from peft_daemon.language.rules.places import value_place
from peft_daemon.language.rules.registry import Rule, rule
from peft_daemon.language.rules.steps import total_steps
from peft_daemon.language.rules.subject import Subject, written_value
from peft_daemon.language.rules.values import is_share_of_warmup
from peft_engine.config.nodes import Alias, target
from peft_schemas.findings import Finding, Fix, TextEdit

_FAMILY = "schedule"
_BASE = "version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\n"


@rule(
    "PW401",
    "error",
    _FAMILY,
    "The warm-up is given twice.",
    why="Steps and a share of the run seldom mean the same, and tools differ in which of the two they take.",
    advice="Keep `warmup_steps` or `warmup_ratio`.",
    example=_BASE + "training:\n  warmup_steps: 10\n  warmup_ratio: 0.1\n",
    source="Axolotl schemas/validation.py, check_warmup; LitGPT args.py",
)
def warmup_twice(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `warmup_steps` beside `warmup_ratio`."""
    found = subject.settings("training.warmup_ratio", "training.warmup_steps")
    if found is None or not all(setting.is_written and setting.value for setting in found):
        return
    ratio, steps = found
    message = (
        f"The warm-up is given twice: as {written_value(steps.value)} steps and as a share of "
        f"{written_value(ratio.value)}."
    )
    fixes = subject.remove(steps.path) + subject.remove(ratio.path)
    yield this.about(subject, message, ratio, steps, fixes=fixes)


@rule(
    "PW402",
    "error",
    _FAMILY,
    "A share of the run stands where a number of warm-up steps belongs.",
    why="Read as steps, 0.1 is none at all: the run starts at its full learning rate.",
    advice="Write the share as `warmup_ratio`.",
    example=_BASE + "training:\n  warmup_steps: 0.1\n",
    source="LLaMA-Factory issue 3813; LitGPT args.py; three of Axolotl's own examples",
    judges="part",
)
def warmup_share_as_steps(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `warmup_steps` between 0 and 1."""
    bound = subject.binding.at(("training", "warmup_steps"))
    if bound is None or not is_share_of_warmup(bound.path, bound.entry.value):
        return
    document, value = subject.document, bound.entry.value
    message = "`warmup_steps` counts whole steps; a share of the run is `warmup_ratio`."
    fixes = []
    own = bound.via is None and not isinstance(value, Alias) and target(bound.entry.key) is bound.entry.key
    if own and subject.binding.at(("training", "warmup_ratio")) is None:
        edit = TextEdit(range=document.range(bound.entry.key), newText="warmup_ratio")
        fixes = [Fix(title="Rename to `warmup_ratio`", edits=[edit])]
    range_, related = value_place(document, value, bound.via)
    yield this.at(message, range_, related=related, fixes=fixes)


@rule(
    "PW403",
    "warning",
    _FAMILY,
    "The warm-up is as long as the run, or longer.",
    why="The learning rate rises to the end and never reaches its peak.",
    advice="Shorten the warm-up; a tenth of the run or less is common.",
    example=_BASE + "training:\n  max_steps: 100\n  warmup_steps: 200\n",
    source="LitGPT args.py; Transformers docs, get_scheduler",
)
def warmup_without_end(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `warmup_steps` that the run does not outlast."""
    found = subject.settings("training.warmup_steps", "training.warmup_ratio", "training.max_steps")
    if found is None or found[0].value == 0 or found[1].value is not None:
        return
    warmup, _, limit = found
    total = total_steps(subject)
    if total is None or warmup.value < total:
        return
    message = f"The warm-up of {warmup.value} steps lasts as long as the run, which has {total}."
    causes = (warmup, limit) if limit.value is not None else (warmup,)
    yield this.about(subject, message, *causes, fixes=subject.set(warmup.path, total // 10))


@rule(
    "PW404",
    "warning",
    _FAMILY,
    "The run's length is given in steps and in epochs.",
    why="`max_steps` decides when both are there, so the number of epochs changes nothing.",
    advice="Keep the one that you mean.",
    example=_BASE + "training:\n  num_epochs: 3\n  max_steps: 100\n",
    source="Transformers docs, TrainingArguments.max_steps",
)
def epochs_without_effect(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find a written `num_epochs` beside `max_steps`."""
    found = subject.settings("training.num_epochs", "training.max_steps")
    if found is None or not found[0].is_written or found[1].value is None:
        return
    message = f"`num_epochs` has no effect: `max_steps` ends the run after {found[1].value} steps."
    fixes = subject.remove(found[0].path)
    fixes += subject.remove(found[1].path) if found[1].is_written else []
    yield this.about(subject, message, *found, fixes=fixes, at_key=True)


@rule(
    "PW405",
    "warning",
    _FAMILY,
    "A warm-up is given to a schedule that has none.",
    why="The schedule `constant` begins at the full learning rate, whatever the warm-up says.",
    advice="Choose `constant_with_warmup`, or delete the warm-up.",
    example=_BASE + "training:\n  lr_scheduler: constant\n  warmup_steps: 10\n",
    source="Transformers docs, get_constant_schedule",
)
def warmup_without_effect(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find a written warm-up beside the schedule `constant`."""
    found = subject.settings("training.lr_scheduler", "training.warmup_steps", "training.warmup_ratio")
    if found is None or found[0].value != "constant":
        return
    scheduler, *warmups = found
    for warmup in warmups:
        if warmup.is_written and warmup.value:
            message = f"`{warmup.name}` has no effect: the schedule `constant` has no warm-up."
            fixes = subject.set(scheduler.path, "constant_with_warmup")
            yield this.about(subject, message, warmup, scheduler, fixes=fixes, at_key=True)
