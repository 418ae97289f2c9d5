"""Family `method`, part 1: methods that do not fit the base's weights or their own settings."""

import math
from collections.abc import Iterator

from peft_daemon.language.context import CheckContext
from peft_daemon.language.rules.registry import Rule, rule
from peft_daemon.language.rules.remedies import four_bits, plain_adapter
from peft_daemon.language.rules.subject import Subject
from peft_engine.bounds import bounds
from peft_engine.config.schema import number_text
from peft_engine.facts import ModelFact
from peft_schemas.findings import Finding

_FAMILY = "method"
_BASE = "version: 1\nmodel:\n  base: gpt2\ndatasets:\n  - path: org/data\n"
_FOUR_BIT = ("nf4", "fp4")
_ADAPTER_KEYS = ("r", "alpha", "dropout", "target_modules", "modules_to_save")
_USUAL_STRENGTH = 2
"""The factor on an adapter's update that fixes propose."""

_ADAMW = ("adamw", "adamw_8bit", "paged_adamw_8bit")


@rule(
    "PW301",
    "error",
    _FAMILY,
    "QLoRA is asked for on a base that is not held in 4 bits.",
    why="QLoRA is a LoRA on 4-bit weights: without them it is only a LoRA, and the memory that you "
    "planned with is short.",
    advice="Hold the base in 4 bits, as the fix does, or choose `lora`.",
    example=_BASE + "method:\n  type: qlora\n",
    source="QLoRA (2023), section 3; Axolotl schemas/peft.py, validate_qlora",
)
def qlora_without_four_bits(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `qlora` beside a quantization other than `nf4` and `fp4`."""
    found = subject.settings("method.type", "model.quantization")
    if found is None or found[0].value != "qlora" or found[1].value in _FOUR_BIT:
        return
    model = subject.context.model
    if model is not None and model.prequantized == "bitsandbytes":
        return
    held = "not quantized" if found[1].value == "none" else f"held in `{found[1].value}`"
    message = f"`qlora` trains on a base in 4 bits, and this one is {held}."
    yield this.about(subject, message, *found, fixes=four_bits(subject) + subject.set("method.type", "lora"))


@rule(
    "PW302",
    "error",
    _FAMILY,
    "Every weight is to be trained while the weights are quantized.",
    why="Quantized weights are whole numbers that have no gradient; only an adapter beside them can learn.",
    advice="Set `model.quantization` to `none`, or train an adapter: `qlora` on 4 bits, `lora` on 8.",
    example=_BASE.replace("base: gpt2", "base: gpt2\n  quantization: nf4") + "method:\n  type: full\n",
    source="Axolotl schemas/peft.py; LLaMA-Factory hparams/parser.py; Transformers, quantization docs",
)
def full_on_quantized(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `full` beside a quantization, and on a base whose files are quantized."""
    found = subject.settings("model.quantization", "method.type")
    if found is None or found[1].value != "full":
        return
    quantization, method = found
    if quantization.value != "none":
        message = f"`full` trains every weight, and weights held in `{quantization.value}` cannot be trained."
        fixes = subject.set("model.quantization", "none") + plain_adapter(subject)
        yield this.about(subject, message, quantization, method, fixes=fixes)
    elif (model := subject.context.model) is not None and model.prequantized is not None:
        message = f"`full` trains every weight, and those of {model.name} are quantized by {model.prequantized}."
        yield this.about(subject, message, method, fixes=plain_adapter(subject))


@rule(
    "PW303",
    "error",
    _FAMILY,
    "PiSSA is asked for on a quantized base.",
    why="PiSSA starts from a singular value decomposition of the weights, and packed integers have none.",
    advice="Set `model.quantization` to `none`, or choose `qlora` or `lora`.",
    example=_BASE.replace("base: gpt2", "base: gpt2\n  quantization: nf4") + "method:\n  type: pissa\n",
    source="PEFT tuners/lora/layer.py, pissa_init; PEFT issues 1999 and 3742; LLaMA-Factory issue 4463",
)
def pissa_on_quantized(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `pissa` beside a quantization, and on a base whose files are quantized."""
    found = subject.settings("method.type", "model.quantization")
    if found is None or found[0].value != "pissa":
        return
    method, quantization = found
    if quantization.value != "none":
        message = (
            f"`pissa` decomposes the base's weights, which it cannot while they are held in `{quantization.value}`."
        )
        fixes = subject.set("model.quantization", "none") + plain_adapter(subject)
        yield this.about(subject, message, method, quantization, fixes=fixes)
    elif (model := subject.context.model) is not None and model.prequantized is not None:
        message = (
            f"`pissa` decomposes the base's weights, and those of {model.name} are quantized by {model.prequantized}."
        )
        yield this.about(subject, message, method, fixes=plain_adapter(subject))


@rule(
    "PW304",
    "error",
    _FAMILY,
    "DoRA is asked for on a base that GPTQ or AWQ quantized.",
    why="DoRA needs the norm of each weight row, and PEFT cannot read rows from weights packed by GPTQ or AWQ.",
    advice="Choose `lora`, or a base whose files are not quantized.",
    example="# The files of this base are quantized by GPTQ.\n"
    + _BASE.replace("gpt2", "org/model-gptq")
    + "method:\n  type: dora\n",
    known=CheckContext(model=ModelFact("org/model-gptq", prequantized="gptq")),
    source="PEFT docs, LoRA, caveats of DoRA; PEFT pull requests 1518 and 1806; LLaMA-Factory issue 3550",
)
def dora_on_packed_base(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `dora` on a base whose own files are quantized in a form that DoRA cannot read."""
    method, model = subject.setting("method.type"), subject.context.model
    if method is None or method.value != "dora" or model is None or model.prequantized not in ("gptq", "awq"):
        return
    message = f"`dora` cannot read the weights of {model.name}, which are quantized by {model.prequantized.upper()}."
    yield this.about(subject, message, method, fixes=plain_adapter(subject))


@rule(
    "PW305",
    "warning",
    _FAMILY,
    "An adapter's setting stands in a config that trains every weight.",
    why="With `full` there is no adapter, so the value changes nothing; it was meant for another method.",
    advice="Delete the key, or choose a method that trains an adapter.",
    example=_BASE + "method:\n  type: full\n  r: 8\ntraining:\n  learning_rate: 1.0e-5\n",
    source="torchtune issue 1550; LLaMA-Factory finetuning_args.py",
)
def adapter_key_without_adapter(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find the keys of an adapter beside `full`, and a merge of an adapter that there is not."""
    method = subject.setting("method.type")
    if method is None or method.value != "full":
        return
    for name in _ADAPTER_KEYS:
        setting = subject.setting(f"method.{name}")
        if setting is not None and setting.is_written:
            message = f"`{name}` has no effect: `full` trains every weight, without an adapter."
            fixes = subject.remove(setting.path)
            yield this.about(subject, message, setting, method, fixes=fixes, at_key=True)
    merge = subject.setting("export.merge")
    if merge is not None and merge.is_written and merge.value:
        message = "`merge` has no effect: `full` leaves a whole model and no adapter to merge."
        yield this.about(subject, message, merge, method, fixes=subject.remove(merge.path), at_key=True)


@rule(
    "PW306",
    "warning",
    _FAMILY,
    "The strength of a rank-stabilised adapter is tuned for a plain one.",
    why="rsLoRA scales by alpha / sqrt(r). An alpha that suits alpha / r makes its update sqrt(r) times larger.",
    advice="Lower `alpha`; the fix keeps its strength in a plain LoRA, or takes 2 where that is large as well.",
    example=_BASE + "method:\n  type: rslora\n  r: 64\n  alpha: 128\n",
    source="rsLoRA (2023); PEFT pull request 1244; PEFT issue 2733; TensorRT-LLM issue 1668",
)
def alpha_for_plain_lora(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find an `alpha` that gives a rank-stabilised adapter a very large scale."""
    found = subject.settings("method.alpha", "method.r", "method.type")
    if found is None or found[2].value != "rslora":
        return
    alpha, rank, method = found
    root, most = math.sqrt(rank.value), bounds().adapter_scale.rslora_most
    scale = round(alpha.value / root, 2)
    if scale <= most:
        return
    message = (
        f"rsLoRA scales by alpha / sqrt(r), which is {_number(scale)} here; plain LoRA would "
        f"scale by {_number(alpha.value / rank.value)}."
    )
    # In a plain LoRA the same alpha is alpha / r strong.
    strength = alpha.value / rank.value if alpha.value / rank.value <= most else _USUAL_STRENGTH
    fixes = subject.set("method.alpha", round(strength * root, 2))
    yield this.about(subject, message, alpha, rank, method, fixes=fixes)


@rule(
    "PW307",
    "information",
    _FAMILY,
    "The strength of the adapter is unusual.",
    why="Updates are scaled by alpha / r; far from 1 or 2 the learning rate means something else than usual.",
    advice="Set `alpha` to once or twice `r`, or check that the learning rate makes up for it.",
    example=_BASE + "method:\n  r: 4\n  alpha: 256\n",
    source="LoRA (2021), section 4.1; PEFT docs, LoRA",
)
def unusual_scale(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find adapters whose alpha / r lies far from what is common."""
    found = subject.settings("method.alpha", "method.r", "method.type")
    if found is None or found[2].value in ("full", "rslora"):
        return
    alpha, rank, _ = found
    scale, usual = alpha.value / rank.value, bounds().adapter_scale
    if usual.least <= scale <= usual.most or not alpha.is_written:
        return
    message = f"The adapter's update is scaled by alpha / r = {_number(scale)}; 1 or 2 is common."
    yield this.about(subject, message, alpha, rank, fixes=subject.set("method.alpha", _USUAL_STRENGTH * rank.value))


@rule(
    "PW308",
    "error",
    _FAMILY,
    "LoRA+ is asked for where there is no adapter.",
    why="LoRA+ gives the two matrices of an adapter different learning rates; `full` has neither.",
    advice="Delete `lora_plus_ratio`, or choose a method that trains an adapter.",
    example=_BASE + "method:\n  type: full\n  lora_plus_ratio: 16\ntraining:\n  learning_rate: 1.0e-5\n",
    source="LoRA+ (2024); LLaMA-Factory finetuning_args.py",
)
def lora_plus_without_adapter(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `lora_plus_ratio` beside `full`."""
    found = subject.settings("method.lora_plus_ratio", "method.type")
    if found is None or found[0].value is None or found[1].value != "full":
        return
    message = "`lora_plus_ratio` speeds up one matrix of an adapter, and `full` trains without an adapter."
    fixes = subject.remove("method.lora_plus_ratio")
    yield this.about(subject, message, *found, fixes=fixes)


@rule(
    "PW309",
    "error",
    _FAMILY,
    "LoRA+ is asked for with an optimizer other than AdamW.",
    why="LoRA+ derives its ratio of learning rates from Adam's normalised steps; other optimizers do not take them.",
    advice="Set `optimizer` to `adamw`, or delete `lora_plus_ratio`.",
    example=_BASE + "method:\n  lora_plus_ratio: 16\ntraining:\n  optimizer: sgd\n",
    source="LoRA+ (2024), section 4; PEFT docs, LoRA+ optimized LoRA; Axolotl LoRAValidationMixin",
)
def lora_plus_without_adamw(subject: Subject, this: Rule) -> Iterator[Finding]:
    """Find `lora_plus_ratio` with `adafactor` or `sgd`."""
    found = subject.settings("method.lora_plus_ratio", "training.optimizer", "method.type")
    if found is None or found[0].value is None or found[1].value in _ADAMW or found[2].value == "full":
        return
    ratio, optimizer, _ = found
    message = f"`lora_plus_ratio` goes with AdamW, and the optimizer is `{optimizer.value}`."
    fixes = subject.set("training.optimizer", "adamw") + subject.remove("method.lora_plus_ratio")
    yield this.about(subject, message, ratio, optimizer, fixes=fixes)


def _number(value: float) -> str:
    return number_text(round(value, 2))
