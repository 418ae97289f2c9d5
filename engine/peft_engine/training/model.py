"""The model that is trained: which device and number type, which layers, and what of it learns."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from peft_engine.training.attention import choose_attention
from peft_schemas.config import ComputeConfig, MethodConfig, ModelConfig, RunConfig
from peft_schemas.errors import WorkbenchError


@dataclass(frozen=True)
class TrainableModel:
    """A model on its device, with what learns marked so."""

    model: Any
    """A `PeftModel`, or the bare model for full fine-tuning."""

    device: torch.device
    dtype: torch.dtype
    """Of the base weights; an adapter's are always float32."""

    @property
    def trainable_parameters(self) -> int:
        """How many numbers learn."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    @property
    def total_parameters(self) -> int:
        """How many numbers there are."""
        return sum(p.numel() for p in self.model.parameters())


def choose_device(compute: ComputeConfig) -> torch.device:
    """Return the device to train on.

    Raises:
        WorkbenchError: The device that is asked for is not there (`not-supported`).
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if compute.device == "auto":
        return torch.device(next(name for name, found in there.items() if found))
    if not there[compute.device]:
        raise WorkbenchError(
            "not-supported",
            f"This machine has no {compute.device.upper()} device that torch can use.",
            "Set `compute.device: auto`, or install the torch build for your device.",
        )
    return torch.device(compute.device)


def choose_dtype(model: ModelConfig, method: MethodConfig, device: torch.device) -> torch.dtype:
    """Return the number type of the base weights.

    `auto` is float32 but for an adapter on a CUDA device that has bfloat16 in hardware: on a CPU bfloat16 attention was
    measured ten times slower in the backward pass, and weights that learn need float32's precision.
    """
    if model.dtype != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[model.dtype]
    fast = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if fast and method.type != "full" else torch.float32


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer of a model folder.

    Raises:
        WorkbenchError: It cannot be read (`model-unreadable`).
    """
    try:
        return AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(folder, "tokenizer") from error


def check_targets(folder: Path, method: MethodConfig) -> None:
    """See that an adapter would fit, on a skeleton of the model without weights.

    Raises:
        WorkbenchError: A target names no layer (`no-target-module`), or the model's config cannot be read
            (`model-unreadable`).
    """
    if method.type == "full":
        return
    try:
        with torch.device("meta"):
            skeleton = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(folder, "config") from error
    linear = [name for name, module in skeleton.named_modules() if isinstance(module, torch.nn.Linear)]
    known = sorted({name.rpartition(".")[2] for name in linear})
    names = [name for name, _ in skeleton.named_modules()]
    # PEFT is content when one name of a list matches; the others would silently not be trained.
    targets = method.target_modules
    for target in targets if isinstance(targets, list) else ():
        if not any(name == target or name.endswith(f".{target}") for name in names):
            raise _no_target(f"`{target}` in `method.target_modules` names no layer", known)
    try:
        get_peft_model(skeleton, lora_config(method))
    except ValueError as error:
        raise _no_target("`method.target_modules` fits no layer", known) from error


def lora_config(method: MethodConfig) -> LoraConfig:
    """Return PEFT's form of the method."""
    return LoraConfig(
        r=method.r,
        lora_alpha=int(method.alpha) if method.alpha.is_integer() else method.alpha,
        lora_dropout=method.dropout,
        target_modules=method.target_modules,
        bias="none",
        task_type="CAUSAL_LM",
    )


def load_model(folder: Path, config: RunConfig, device: torch.device, max_length: int) -> TrainableModel:
    """Load the base weights and add what the method trains.

    Args:
        folder: A folder that transformers loads.
        config: The run's config.
        device: Where to train.
        max_length: The longest example in tokens.

    Raises:
        WorkbenchError: The weights cannot be read (`model-unreadable`).
    """
    dtype = choose_dtype(config.model, config.method, device)
    try:
        attention = choose_attention(AutoConfig.from_pretrained(folder), device, max_length)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation=attention)
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(folder, "weights") from error
    model.config.use_cache = False
    model.to(device)
    if config.method.type == "full":
        model.requires_grad_(True)
    else:
        model = get_peft_model(model, lora_config(config.method))
    return TrainableModel(model, device, dtype)


def _no_target(what: str, known: Sequence[str]) -> WorkbenchError:
    return WorkbenchError(
        "no-target-module",
        f"{what} of this model.",
        f"Use `all-linear`, or some of this model's layers: {', '.join(known)}.",
    )


def _unreadable(folder: Path, what: str) -> WorkbenchError:
    return WorkbenchError(
        "model-unreadable",
        f"The {what} of the model in {folder} cannot be read.",
        "Get the model again, or point `model.base` at another one.",
    )
