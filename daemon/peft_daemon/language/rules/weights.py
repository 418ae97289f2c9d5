"""Family `model`: what is wrong with the base's own files, told from their headers."""

from collections.abc import Iterator

from peft_daemon.language.context import CheckContext
from peft_daemon.language.rules.registry import Rule, rule
from peft_daemon.language.rules.subject import Subject
from peft_engine.facts import FlawKind, ModelFact, ModelFlaw
from peft_schemas.findings import Finding

_FAMILY = "model"
_BASE = "version: 1\nmodel:\n  base: ./base\ndatasets:\n  - path: org/data\n"
_SOURCE = "safetensors docs, format; GGUF specification"


def _known(kind: FlawKind, message: str) -> CheckContext:
    return CheckContext(model=ModelFact("base", flaw=ModelFlaw(kind, message)))


def _flawed(subject: Subject, this: Rule, kind: FlawKind) -> Iterator[Finding]:
    model, base = subject.context.model, subject.setting("model.base")
    if model is not None and model.flaw is not None and model.flaw.kind == kind and base is not None:
        yield this.about(subject, model.flaw.message, base)


@rule(
    "PW708",
    "error",
    _FAMILY,
    "A file of the base is missing.",
    why="A model's weights may be spread over several files, and all of them are needed to load it.",
    advice="Get the model again, all of its files, into one folder.",
    example="# The base's index names a file that is not there.\n" + _BASE,
    known=_known("model-incomplete", "base is not complete: model-00002-of-00002.safetensors is missing."),
    source=_SOURCE,
)
def incomplete_base(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find bases of which a shard or config.json is missing."""
    yield from _flawed(subject, this, "model-incomplete")


@rule(
    "PW709",
    "error",
    _FAMILY,
    "A file of the base ends too early.",
    why="Its header announces more than it holds: a download or a copy was cut off.",
    advice="Get the file again.",
    example="# The base's file was cut off.\n" + _BASE,
    known=_known("model-truncated", "model.safetensors cannot be loaded: its tensors need 100 bytes, and it has 90."),
    source=_SOURCE,
)
def truncated_base(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find bases with a file that was cut off."""
    yield from _flawed(subject, this, "model-truncated")


@rule(
    "PW710",
    "error",
    _FAMILY,
    "A file of the base contradicts itself.",
    why="Sizes, places and types in its header do not go together; such a file is damaged, or made to do harm.",
    advice="Get the file again, from its maker.",
    example="# Two tensors of the base's file overlap.\n" + _BASE,
    known=_known(
        "model-damaged", "model.safetensors cannot be loaded: the tensor a does not begin where the one before it ends."
    ),
    source=_SOURCE,
)
def damaged_base(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find bases with a file whose header lies."""
    yield from _flawed(subject, this, "model-damaged")


@rule(
    "PW711",
    "error",
    _FAMILY,
    "The base's weights are of a type that nothing computes with.",
    why="Whole numbers are weights only together with the way in which they were packed; config.json does not say it.",
    advice="Take the model in float32, bfloat16 or float16, or one whose config.json has its `quantization_config`.",
    example="# The base's weights are stored as int32.\n" + _BASE,
    known=_known("model-dtype-wrong", "The weight a.weight of base is stored as int32."),
    source="Transformers docs, quantization",
)
def odd_weights(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find bases whose weights are packed in a way that is not said."""
    yield from _flawed(subject, this, "model-dtype-wrong")


@rule(
    "PW712",
    "error",
    _FAMILY,
    "The base has no tokenizer.",
    why="Without one no text becomes numbers, so the run would fail before its first step.",
    advice="Copy the tokenizer's files from where the model came from.",
    example="# There is no tokenizer.json in the base's folder.\n" + _BASE,
    known=_known("model-tokenizer-missing", "base has no tokenizer."),
    source="Transformers docs, tokenizers",
)
def no_tokenizer(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find bases without a vocabulary."""
    yield from _flawed(subject, this, "model-tokenizer-missing")
