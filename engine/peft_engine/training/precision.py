"""The number types of a run: that of the base weights, and that in which is computed."""

from typing import Literal

import torch

from peft_engine.capabilities import COMPUTED_TYPES
from peft_schemas.config import RunConfig
from peft_schemas.errors import WorkbenchError

ComputeType = Literal["float32", "bfloat16", "float16"]

_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_dtype(config: RunConfig, device: torch.device) -> torch.dtype:
    """Return the number type of the base weights.

    `auto` is float32 but for an adapter on a CUDA device, where it is the type that is computed in, bfloat16 if the
    hardware has it: on a CPU bfloat16 attention was measured ten times slower in the backward pass, and weights that
    learn need float32's precision.
    """
    written, precision = config.model.dtype, config.training.precision
    if written != "auto":
        return _TYPES[written]
    if device.type != "cuda" or config.method.type == "full":
        return torch.float32
    if precision != "auto":
        return _TYPES[precision]
    return torch.bfloat16 if _has_bfloat16() else torch.float32


def choose_precision(config: RunConfig, dtype: torch.dtype, device: torch.device) -> ComputeType:
    """Return the type that autocast computes in; float32 for none, when each tensor computes in its own type.

    `auto` is bfloat16 on a CPU that multiplies it in hardware, where it was measured twice as fast, unless
    `model.dtype` is written; on a CUDA device it is the type of the weights.

    Args:
        config: The run's config.
        dtype: Of the base weights.
        device: Where to train.

    Raises:
        WorkbenchError: The device does not compute the type that is asked for (`not-supported`), or the weights are
            held in another one (`config-invalid`).
    """
    written = config.training.precision
    if written == "auto":
        chosen: ComputeType = "float32"
        if device.type == "cuda" and dtype != torch.float32:
            chosen = "bfloat16" if dtype == torch.bfloat16 else "float16"
        elif device.type == "cpu" and dtype == torch.float32 and config.model.dtype == "auto":
            chosen = "bfloat16" if cpu_multiplies_bfloat16() else "float32"
    else:
        chosen = written
        if dtype not in (torch.float32, _TYPES[chosen]):
            held = str(dtype).removeprefix("torch.")
            raise WorkbenchError(
                "config-invalid",
                f"Weights held as {held} cannot be computed with in {chosen}.",
                "Leave out `model.dtype` or `training.precision`.",
            )
        if not _computes(device, chosen):
            raise WorkbenchError(
                "not-supported",
                f"The device {device.type} of this machine does not train in {chosen}.",
                "Set `training.precision: auto`.",
            )
    base_learns = config.method.type == "full" or bool(config.method.modules_to_save)
    if base_learns and dtype == torch.float16 and chosen == "float16":
        raise WorkbenchError(
            "not-supported",
            "Weights that learn cannot be held as float16: their gradients are too small for it.",
            "Set `model.dtype: float32`, or `bfloat16` where the device has it.",
        )
    return chosen


def compute_dtype(dtype: torch.dtype, precision: ComputeType) -> torch.dtype:
    """Return the type of a matrix product with a base weight."""
    return dtype if precision == "float32" else _TYPES[precision]


def _computes(device: torch.device, precision: ComputeType) -> bool:
    if precision == "bfloat16" and device.type == "cuda":
        return _has_bfloat16()
    return precision in COMPUTED_TYPES[device.type]


def _has_bfloat16() -> bool:
    return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def cpu_multiplies_bfloat16() -> bool:
    """Tell whether this processor has an instruction for products of bfloat16: AVX-512 BF16, with or without AMX."""
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return supported is not None and bool(supported())
