"""Family `data`, part 3: the datasets of a config together, and what the run does with their records."""

from collections.abc import Iterator

from peft_daemon.language.context import CheckContext
from peft_daemon.language.rules.entries import DatasetEntry
from peft_daemon.language.rules.places import value_place
from peft_daemon.language.rules.registry import Rule, rule
from peft_daemon.language.rules.steps import effective_batch, training_records
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.rules.values import shorten
from peft_engine.facts import DatasetFact
from peft_schemas.findings import Finding, Related

_FAMILY = "data"
_TRAINING = ("datasets",)
_EVALUATION = ("evaluation", "datasets")
_PATH = "data/train.jsonl"
_BASE = f"version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: {_PATH}\n"


@rule(
    "PW608",
    "warning",
    _FAMILY,
    "There are fewer records than one step of the optimizer takes.",
    why="Each epoch is then a single step, smaller than planned, and the learning rate is made for larger ones.",
    advice="Lower `gradient_accumulation_steps` or `batch_size`, or add records.",
    example="# This file has 10 records.\n" + _BASE + "training:\n  batch_size: 8\n  gradient_accumulation_steps: 4\n",
    known=CheckContext(datasets={_PATH: DatasetFact(10, "text", ("text",))}),
    source="Transformers docs, gradient accumulation",
)
def less_than_a_batch(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find effective batches that all records together do not fill."""
    found = subject.settings("training.gradient_accumulation_steps", "training.batch_size")
    batch, records = effective_batch(subject), training_records(subject)
    if found is None or batch is None or not records or records >= batch:
        return
    accumulation, size = found
    are = "is" if records == 1 else "are"
    message = f"One step takes {batch} examples, and there {are} {records} to train on."
    least = batch // accumulation.value
    fixes = subject.set(accumulation.path, max(1, records // least)) if records >= least else []
    causes = (accumulation, size) if accumulation.value > 1 else (size, accumulation)
    yield this.about(subject, message, *causes, fixes=fixes)


@rule(
    "PW609",
    "warning",
    _FAMILY,
    "The run is evaluated on what it is trained on.",
    why="A model knows the examples that it has learned, so the loss looks better than it is and never warns.",
    advice="Evaluate on another file, or hold out a share with `evaluation.split`.",
    example=_BASE + f"evaluation:\n  datasets:\n    - path: {_PATH}\n",
    source="Axolotl schemas/validation.py; scikit-learn docs, common pitfalls",
)
def evaluated_on_training_data(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find the same file, and the same part of it, in both lists."""
    evaluated = subject.entries(_EVALUATION)
    trained = {_identity(entry): entry for entry in subject.entries(_TRAINING)} if evaluated else {}
    for entry in evaluated:
        same = trained.get(_identity(entry))
        if same is not None and entry.path is not None:
            message = f"`{shorten(entry.path)}` is trained on as well, so its loss says nothing of new examples."
            yield from _at_path(subject, this, entry, same, message, "It is trained on here.")


@rule(
    "PW610",
    "warning",
    _FAMILY,
    "A dataset is listed twice.",
    why="Its examples are used twice an epoch, which `weight` says more plainly when it is meant.",
    advice="Delete one of the two, or write `weight: 2`.",
    example=_BASE + f"  - path: {_PATH}\n",
    source="Axolotl issue 1265",
)
def listed_twice(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find the same part of the same file twice in one list."""
    for list_ in (_TRAINING, _EVALUATION):
        listed = [entry for entry in subject.entries(list_) if entry.path is not None]
        if len({_bare(str(entry.path)) for entry in listed}) == len(listed):
            continue
        seen: dict[tuple[object, object], DatasetEntry] = {}
        for entry in listed:
            first = seen.setdefault(_identity(entry), entry)
            if first is not entry:
                message = f"`{shorten(str(entry.path))}` is listed a second time."
                yield from _at_path(subject, this, entry, first, message, "It is listed here first.")


@rule(
    "PW611",
    "warning",
    _FAMILY,
    "Only answers are to be learned, and the data has no answers.",
    why="Plain text has no prompts and answers, so the whole text is learned whatever the key says.",
    advice="Delete the key, or use conversations.",
    example=_BASE + "    format: text\ntraining:\n  completion_only_loss: true\n",
    source="TRL sft_trainer.py, completion_only_loss; Axolotl issue 2089",
)
def answers_of_text(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find a written `completion_only_loss: true` where every dataset is plain text."""
    setting = subject.setting("training.completion_only_loss")
    if setting is None or not setting.is_written or not setting.value:
        return
    formats = [entry.format(subject.context) for entry in subject.entries(_TRAINING)]
    if formats and all(format_ == "text" for format_ in formats):
        message = "`completion_only_loss` has no effect: the data is plain text, without prompts and answers."
        yield this.about(subject, message, setting, fixes=subject.remove(setting.path), at_key=True)


@rule(
    "PW612",
    "warning",
    _FAMILY,
    "Most examples of a dataset are cut off.",
    why="What stands behind `max_length` tokens is never seen; with conversations that is the answer.",
    advice="Raise `max_length`, or use shorter examples.",
    example="# Half of the records of this file have 3000 tokens or more.\n" + _BASE + "training:\n  max_length: 512\n",
    known=CheckContext(datasets={_PATH: DatasetFact(100, "text", ("text",), tokens_p50=3000, tokens_p99=9000)}),
    source="open-thoughts issue 6; Axolotl pull request 1731",
)
def mostly_cut(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find a `max_length` below the median of a dataset's tokens."""
    max_length = subject.setting("training.max_length")
    if max_length is None:
        return
    for entry in subject.entries(_TRAINING) if subject.context.datasets else ():
        fact = entry.fact(subject.context)
        if fact is None or fact.tokens_p50 is None or fact.tokens_p50 <= max_length.value:
            continue
        message = (
            f"Half of the records of `{shorten(str(entry.path))}` have {fact.tokens_p50} tokens or more "
            f"and are cut at {max_length.value}."
        )
        model = subject.context.model
        most = None if model is None else model.context_length
        wanted = fact.tokens_p99 or fact.tokens_p50
        better = wanted if most is None else min(wanted, most)
        longest = max((other.tokens_p50 or 0) for e in subject.entries(_TRAINING) if (other := e.fact(subject.context)))
        fixes = subject.set(max_length.path, better) if better >= longest else []
        yield this.about(subject, message, max_length, fixes=fixes)
        return


def _identity(entry: DatasetEntry) -> tuple[object, object]:
    """Return what makes two entries the same data."""
    return None if entry.path is None else _bare(entry.path), str(entry.values.get("split"))


def _bare(path: str) -> str:
    return path.removeprefix("./")


def _at_path(
    subject: Subject, this: Rule, entry: DatasetEntry, other: DatasetEntry, message: str, note: str
) -> Iterator[Finding]:
    here, there = entry.key(subject.binding, "path"), other.key(subject.binding, "path")
    if here is None or there is None:
        return
    range_, related = value_place(subject.document, here.entry.value, here.via)
    elsewhere, _ = value_place(subject.document, there.entry.value, there.via)
    yield this.at(message, range_, related=[*related, Related(range=elsewhere, message=note)])
