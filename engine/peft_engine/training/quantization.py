"""Frozen weights packed to 8 or 4 bits by bitsandbytes."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from transformers import BitsAndBytesConfig

from peft_schemas.config import ModelConfig

# It would write a line for each layer of each pass, to say that it rounds inputs.
logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)


def quantization_config(
    model: ModelConfig, compute: torch.dtype, unpacked: Sequence[str] | None = None
) -> BitsAndBytesConfig | None:
    """Return transformers' form of `model.quantization`, None where nothing is packed.

    Args:
        model: The config's section.
        compute: The type that packed weights are unpacked to for a product.
        unpacked: Modules that stay as they are; None for transformers' choice, the output layer.
    """
    skipped = None if unpacked is None else list(unpacked)
    match model.quantization:
        case "none":
            return None
        case "int8":
            return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=skipped)
        case "nf4" | "fp4":
            return BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type=model.quantization,
                bnb_4bit_use_double_quant=model.double_quantization,
                bnb_4bit_compute_dtype=compute,
                llm_int8_skip_modules=skipped,
            )


def scales(weight: Any) -> list[torch.Tensor]:
    """Return the numbers by which a packed weight is unpacked, none for one that is not packed.

    What was no number before it was packed is none here: of the weights themselves nothing of it is left.
    """
    state = getattr(weight, "quant_state", None)
    if state is None:
        scale = getattr(weight, "SCB", None)
        return [] if scale is None else [scale]
    # With double quantization, the scales are packed themselves.
    return [state.offset, state.state2.absmax] if state.nested else [state.absmax]


def keep_trainable(model: Any) -> None:
    """Have packed weights stay in the form that can be trained with.

    On a CPU that computes bfloat16, bitsandbytes lays them out anew for inference at the first evaluation, and never
    back: every later step would train through products that have no gradient.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
