"""Family `model`: what the config says of the base model, against what stands on disk."""

from collections.abc import Iterator

from peft_daemon.language.rules.data import alternatives
from peft_daemon.language.rules.places import value_place
from peft_daemon.language.rules.registry import Rule, rule
from peft_daemon.language.rules.subject import Subject
from peft_daemon.language.rules.values import shorten
from peft_engine.config.nodes import Scalar, target
from peft_schemas.findings import Finding


@rule(
    "PW701",
    "error",
    "model",
    "The base model's file or folder does not exist.",
    advice="Correct the path, which counts from the folder of the config file, or write the id of a hub model.",
    example="version: 1\nmodel:\n  base: ./models/absent\ndatasets:\n  - path: org/data\n",
)
def missing_model(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find local base models that are not there."""
    bound = subject.binding.at(("model", "base"))
    value = None if bound is None else target(bound.entry.value)
    if bound is None or not isinstance(value, Scalar) or not isinstance(value.value, str):
        return
    fact = subject.context.files.get(value.value)
    if fact is not None and fact.state == "missing":
        message = f"There is no file or folder `{shorten(value.value, 80)}`."
        range_, related = value_place(subject.document, bound.entry.value, bound.via)
        yield this.at(message, range_, related=related, fixes=alternatives(subject, bound, value.value, fact))
