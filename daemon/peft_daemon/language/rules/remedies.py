"""Changes that several rules propose, each only where it brings no new fault."""

from peft_daemon.language.rules.subject import Subject
from peft_engine.bounds import bounds
from peft_engine.capabilities import TRAINABLE_METHODS, TRAINABLE_QUANTIZATIONS
from peft_schemas.findings import Fix


def four_bits(subject: Subject) -> list[Fix]:
    """Return the fix that holds the base in 4 bits, where this version and the machine can."""
    model, hardware = subject.context.model, subject.context.hardware
    if "nf4" not in TRAINABLE_QUANTIZATIONS or (model is not None and model.prequantized is not None):
        return []
    if hardware is not None and hardware.packages is not None and "bitsandbytes" not in hardware.packages:
        return []
    return subject.set("model.quantization", "nf4")


def no_quantization(subject: Subject) -> list[Fix]:
    """Return the fix that holds the base as it is stored, unless the method needs it in 4 bits."""
    method = subject.setting("method.type")
    return [] if method is None or method.value == "qlora" else subject.set("model.quantization", "none")


def plain_adapter(subject: Subject) -> list[Fix]:
    """Return the fix that trains a plain adapter: a QLoRA where the base is held in 4 bits, else a LoRA.

    There is none where the learning rate was chosen for training every weight and does not suit an adapter.
    """
    quantization, rate = subject.setting("model.quantization"), subject.setting("training.learning_rate")
    usual = bounds().learning_rates.adapter
    if rate is None or not usual.least <= rate.value <= usual.most:
        return []
    in_four_bits = quantization is not None and quantization.value in ("nf4", "fp4")
    return subject.set("method.type", "qlora" if in_four_bits and "qlora" in TRAINABLE_METHODS else "lora")
