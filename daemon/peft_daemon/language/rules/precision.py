"""Family `precision`: quantization, number types and attention that do not fit each other."""

from collections.abc import Iterator

from peft_daemon.language.context import CheckContext
from peft_daemon.language.rules.hardware import device_of
from peft_daemon.language.rules.registry import Rule, rule
from peft_daemon.language.rules.remedies import no_quantization
from peft_daemon.language.rules.subject import Subject
from peft_engine.facts import ModelFact
from peft_schemas.findings import Finding, Severity

_FAMILY = "precision"
_BASE = "version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\n"
_FOUR_BIT = ("nf4", "fp4")


def _with_model(*lines: str) -> str:
    return _BASE.replace("base: gpt2", "base: gpt2\n  " + "\n  ".join(lines))


@rule(
    "PW330",
    "warning",
    _FAMILY,
    "Weights that learn are held in float16.",
    why="Mixed precision with float16 scales the loss, and float16 gradients cannot be scaled back: "
    "training stops at the "
    'first step with "Attempting to unscale FP16 gradients".',
    advice="Hold the weights in float32 or bfloat16, or leave `dtype` at `auto`.",
    example=_with_model("dtype: float16") + "method:\n  type: full\ntraining:\n  learning_rate: 1.0e-5\n",
    source="Axolotl issue 1031; PyTorch docs, torch.amp.GradScaler",
)
def float16_weights_learn(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find float16 weights that `full` or `modules_to_save` trains."""
    found = subject.settings("model.dtype", "method.type", "method.modules_to_save", "training.precision")
    if found is None or found[0].value != "float16":
        return
    dtype, method, saved, precision = found
    if method.value == "full":
        cause, what = method, "`full` trains every weight"
    elif saved.value:
        cause, what = saved, "`modules_to_save` trains whole modules"
    else:
        return
    message = f"{what}, and gradients in float16 cannot be unscaled."
    scaled = precision.value == "float16" or (precision.value == "auto" and device_of(subject) == "cuda")
    severity: Severity = "error" if scaled else "warning"
    attention = subject.setting("model.attention")
    # Weights that learn are float32 by `auto`, in which FlashAttention does not compute.
    half = attention is not None and attention.value == "flash_attention_2" and precision.value == "auto"
    fixes = subject.set("model.dtype", "bfloat16" if half else "auto")
    yield this.about(subject, message, dtype, cause, fixes=fixes, severity=severity)


@rule(
    "PW331",
    "error",
    _FAMILY,
    "What is computed in does not fit the 16-bit type in which the weights are held.",
    why="bfloat16 and float16 differ in range and steps: converting between them loses digits or overflows. And "
    "computing in float32 does not bring back what weights in 16 bits have lost. Both stop the run at its start.",
    advice="Leave `precision` at `auto`, which follows `dtype`, or give both the same type.",
    example=_with_model("dtype: bfloat16") + "training:\n  precision: float16\n",
    source="Transformers training_args.py: at most one of fp16 and bf16",
)
def mixed_types(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find a `precision` other than the 16-bit type of `dtype`."""
    found = subject.settings("training.precision", "model.dtype")
    if found is None or found[0].value == "auto" or found[1].value in ("auto", "float32", found[0].value):
        return
    precision, dtype = found
    message = f"`precision` is `{precision.value}`, but the weights are held in `{dtype.value}`."
    yield this.about(subject, message, precision, dtype, fixes=subject.set("training.precision", "auto"))


@rule(
    "PW332",
    "information",
    _FAMILY,
    "Double quantization is set for weights that are not held in 4 bits.",
    why="Only the scales of 4-bit weights can be packed a second time, so the key changes nothing here.",
    advice="Delete the key, or hold the weights in `nf4` or `fp4`.",
    example=_with_model("double_quantization: true"),
    source="QLoRA (2023), section 3; Transformers docs, BitsAndBytesConfig",
)
def double_quantization_without_effect(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `double_quantization` without a 4-bit base."""
    found = subject.settings("model.double_quantization", "model.quantization")
    if found is None or not found[0].is_written or not found[0].value or found[1].value in _FOUR_BIT:
        return
    message = "`double_quantization` has no effect: the weights are not held in 4 bits."
    yield this.about(subject, message, *found, fixes=subject.remove(found[0].path), at_key=True)


@rule(
    "PW333",
    "error",
    _FAMILY,
    "A base whose files are quantized is to be quantized once more.",
    why="Transformers refuses a second quantization when it loads the model.",
    advice="Leave `quantization` at `none` for this base, or take the base that is not quantized.",
    example="# The files of this base are quantized by AWQ.\n"
    + _with_model("quantization: nf4").replace("gpt2", "org/model-awq"),
    known=CheckContext(model=ModelFact("org/model-awq", prequantized="awq")),
    source="Transformers quantizers/auto.py, merge_quantization_configs",
)
def quantized_twice(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find a `quantization` for a base that is quantized in its files by other means than bitsandbytes."""
    quantization, model = subject.setting("model.quantization"), subject.context.model
    if quantization is None or quantization.value == "none" or model is None:
        return
    if model.prequantized in (None, "bitsandbytes"):
        return
    message = f"{model.name} is quantized by {model.prequantized} already and cannot be quantized again."
    yield this.about(subject, message, quantization, fixes=no_quantization(subject))


@rule(
    "PW334",
    "warning",
    _FAMILY,
    "An adapter that learned beside quantized weights is to be merged.",
    why="The adapter made up for the rounding of the weights that it learned beside; merged into "
    "others, exact or rounded "
    "again, it gives answers that the run never measured.",
    advice="Keep the adapter beside the base, or compare the merged model with it before you use it.",
    example=_with_model("quantization: nf4") + "method:\n  type: qlora\nexport:\n  merge: true\n",
    source="Transformers issue 31293; PEFT issue 2321; unsloth-zoo issue 810",
)
def merge_of_quantized(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `export.merge` beside a quantization."""
    found = subject.settings("export.merge", "model.quantization", "method.type")
    if found is None or not found[0].value or found[1].value == "none" or found[2].value == "full":
        return
    merge, quantization, _ = found
    message = (
        f"The adapter learns beside weights in `{quantization.value}`; merged into the base it answers differently."
    )
    yield this.about(subject, message, merge, quantization, fixes=subject.set("export.merge", False))


@rule(
    "PW335",
    "error",
    _FAMILY,
    "FlashAttention 2 is asked for with float32.",
    why="FlashAttention 2 computes in bfloat16 and float16 only and fails in the first forward pass.",
    advice="Set `attention` to `sdpa`, or compute in bfloat16.",
    example=_with_model("dtype: float32", "attention: flash_attention_2"),
    source="Transformers docs, attention backends; flash-attention README",
)
def flash_attention_in_float32(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `flash_attention_2` where what is computed in is float32, as `full` does when nothing else is written."""
    found = subject.settings("model.attention", "model.dtype", "training.precision", "method.type")
    if found is None or found[0].value != "flash_attention_2":
        return
    attention, dtype, precision, method = found
    cause = dtype if precision.value == "auto" else precision
    if cause.value == "auto" and method.value == "full":
        cause = method
    elif cause.value != "float32":
        return
    message = "FlashAttention 2 has no float32, in which this run computes."
    yield this.about(subject, message, attention, cause, fixes=subject.set("model.attention", "sdpa"))
