"""Family `model`, part 2: what is wrong with the base's own files, told from their headers.

Whoever reads the files says which kind of flaw they have and where; each kind has a code of its own.
"""

from collections.abc import Iterator

from peft_daemon.language.context import CheckContext
from peft_daemon.language.rules.registry import Rule, rule
from peft_daemon.language.rules.subject import Subject
from peft_engine.facts import FlawKind, ModelFact, ModelFlaw
from peft_schemas.findings import Finding

_BASE = "version: 1\nmodel:\n  base: ./base\ndatasets:\n  - path: org/data\n"
_HEADERS = "safetensors docs, format; GGUF specification"


def _flaw(
    code: str, kind: FlawKind, summary: str, *, why: str, advice: str, case: str, message: str, source: str = _HEADERS
) -> None:
    """Register the rule that tells of one kind of flaw.

    Args:
        code: The rule's code.
        kind: The flaw.
        summary: See `Rule`, as for `why`, `advice` and `source`.
        why: What goes wrong otherwise.
        advice: What to do.
        case: What is said of the base in the example.
        message: What the reader of the files says of the base in the example.
        source: Where the rule comes from.
    """

    @rule(
        code,
        "error",
        "model",
        summary,
        why=why,
        advice=advice,
        example=f"# {case}\n{_BASE}",
        known=CheckContext(model=ModelFact("base", flaw=ModelFlaw(kind, message))),
        source=source,
    )
    def find(subject: Subject, this: Rule) -> Iterator[Finding]:
        model, base = subject.context.model, subject.setting("model.base")
        if model is not None and model.flaw is not None and model.flaw.kind == kind and base is not None:
            yield this.about(subject, model.flaw.message, base)


_flaw(
    "PW708",
    "model-incomplete",
    "A file of the base is missing.",
    why="A model's weights may be spread over several files, and all of them are needed to load it.",
    advice="Get the model again, all of its files, into one folder.",
    case="The base's index names a file that is not there.",
    message="base is not complete: model-00002-of-00002.safetensors is missing.",
)
_flaw(
    "PW709",
    "model-truncated",
    "A file of the base ends too early.",
    why="Its header announces more than it holds: a download or a copy was cut off.",
    advice="Get the file again.",
    case="The base's file was cut off.",
    message="model.safetensors cannot be loaded: its tensors need 100 bytes, and it has 90.",
)
_flaw(
    "PW710",
    "model-damaged",
    "A file of the base contradicts itself.",
    why="Sizes, places and types in its header do not go together; such a file is damaged, or made to do harm.",
    advice="Get the file again, from its maker.",
    case="Two tensors of the base's file overlap.",
    message="model.safetensors cannot be loaded: the tensor a does not begin where the one before it ends.",
)
_flaw(
    "PW711",
    "model-dtype-wrong",
    "The base's weights are of a type that nothing computes with.",
    why="Whole numbers are weights only together with the way in which they were packed; config.json does not say it.",
    advice="Take the model in float32, bfloat16 or float16, or one whose config.json has its `quantization_config`.",
    case="The base's weights are stored as int32.",
    message="The weight a.weight of base is stored as int32.",
    source="Transformers docs, quantization",
)
_flaw(
    "PW712",
    "model-tokenizer-missing",
    "The base has no tokenizer.",
    why="Without one no text becomes numbers, so the run would fail before its first step.",
    advice="Copy the tokenizer's files from where the model came from.",
    case="There is no tokenizer.json in the base's folder.",
    message="base has no tokenizer.",
    source="Transformers docs, tokenizers",
)
