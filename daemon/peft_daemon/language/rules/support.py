"""Family `support`: what the language has and this version cannot do yet.

The rules without an example have none at present: this version can train with all that the language has.
"""

from collections.abc import Iterator, Sequence

from peft_daemon.language.context import CheckContext, FileFact
from peft_daemon.language.rules.data import datasets
from peft_daemon.language.rules.places import value_place
from peft_daemon.language.rules.registry import Rule, replace, rule
from peft_daemon.language.rules.remedies import plain_adapter
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.rules.values import shorten
from peft_engine.capabilities import HUB_DATASETS, TRAINABLE_METHODS, TRAINABLE_QUANTIZATIONS
from peft_engine.config.nodes import Alias
from peft_schemas.findings import Finding

_BASE = "version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\n"


@rule(
    "PW901",
    "error",
    "support",
    "This version cannot train with the method.",
    why="The run would be refused at its start.",
    advice="Choose one of the methods that the finding names.",
    example="",
)
def untrainable_method(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find methods that the training worker does not have yet."""
    return _unsupported(subject, this, "method.type", "method", TRAINABLE_METHODS)


@rule(
    "PW902",
    "error",
    "support",
    "This version cannot train on a base that is quantized so.",
    why="The run would be refused at its start.",
    advice="Choose one of the quantizations that the finding names.",
    example="",
)
def untrainable_quantization(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find quantizations that the training worker does not have yet."""
    return _unsupported(subject, this, "model.quantization", "quantization", TRAINABLE_QUANTIZATIONS)


@rule(
    "PW903",
    "warning",
    "support",
    "This version reads datasets from files only, not from the hub.",
    why="The run would be refused when it reads its data.",
    advice="Download the dataset, save it as a csv, json, jsonl, txt or parquet file, and name that file.",
    example=_BASE,
    known=CheckContext(files={"org/data": FileFact("elsewhere")}),
    judges="part",
)
def hub_dataset(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find datasets that are named by an id on the hub."""
    if HUB_DATASETS:
        return
    for bound, written_path, fact in datasets(subject):
        if fact.state == "elsewhere":
            message = f"This version reads datasets from files only, and `{shorten(written_path)}` is no file here."
            range_, related = value_place(subject.document, bound.entry.value, bound.via)
            yield this.at(message, range_, related=related)


@rule(
    "PW904",
    "information",
    "support",
    "The adapter has no form in which it can be chatted with in the editor.",
    why="Chat runs adapters in llama.cpp's form, GGUF, which has no place for DoRA's magnitudes or for whole modules. "
    "The run itself is not affected, and its result opens in PEFT.",
    advice="Leave it as it is if you use the adapter elsewhere; to chat with it here, train a plain LoRA.",
    example=_BASE + "method:\n  type: dora\n",
    source="llama.cpp convert_lora_to_gguf.py",
)
def adapter_without_gguf(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `dora`, and modules that are saved whole beside an adapter."""
    found = subject.settings("method.type", "method.modules_to_save")
    if found is None or found[0].value == "full":
        return
    method, saved = found
    if method.value == "dora":
        message = "A DoRA adapter has no GGUF form, so it cannot be chatted with in the editor."
        yield this.about(subject, message, method, fixes=plain_adapter(subject))
    if saved.value:
        message = "An adapter that holds whole modules has no GGUF form, so it cannot be chatted with in the editor."
        yield this.about(subject, message, saved, fixes=subject.remove(saved.path), at_key=True)


def _unsupported(subject: Subject, this: Rule, path: str, noun: str, supported: Sequence[str]) -> Iterator[Finding]:
    # The effective value, which need not be looked at again while it is the same.
    setting = subject.setting(path)
    bound = None if setting is None else setting.bound
    if setting is None or bound is None or setting.value not in bound.key.choices or setting.value in supported:
        return
    choices = " or ".join(f"`{choice}`" for choice in supported)
    message = f"This version cannot train with the {noun} `{setting.value}` yet; it can with {choices}."
    own = bound.via is None and not isinstance(bound.entry.value, Alias)
    range_, related = value_place(subject.document, bound.entry.value, bound.via)
    fixes = [replace(f"Change to `{supported[0]}`", range_, supported[0])] if own else []
    yield this.at(message, range_, related=related, fixes=fixes)
