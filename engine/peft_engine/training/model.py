"""The model that is trained: on which device, how it is held, and what of it learns."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model, prepare_model_for_kbit_training
from transformers import AutoModelForCausalLM
from transformers.quantizers.base import get_keys_to_not_convert

from peft_engine.models.hf_config import read_hf_config
from peft_engine.training.allocation import leave_mapped_file, return_large_blocks
from peft_engine.training.fused.attention import choose_attention
from peft_engine.training.fused.model import fuse
from peft_engine.training.methods import lora_config
from peft_engine.training.pissa import Tensors, initial_matrices
from peft_engine.training.precision import ComputeType, choose_dtype, choose_precision, compute_dtype
from peft_engine.training.quantization import keep_trainable, quantization_config, scales
from peft_schemas.config import ComputeConfig, ModelConfig, RunConfig
from peft_schemas.errors import WorkbenchError


@dataclass(frozen=True)
class TrainableModel:
    """A model on its device, with what learns marked so."""

    model: Any
    """A `PeftModel`, or the bare model for full fine-tuning."""

    device: torch.device
    dtype: torch.dtype
    """Of the base weights that are not packed; an adapter's are always float32."""

    precision: ComputeType
    """What autocast computes in."""

    initial: Tensors | None
    """Of PiSSA, the adapter's matrices before the first step."""

    summed_loss: Callable[[Any, dict[str, Any]], torch.Tensor] | None = None
    """The loss of a backend that has its own: of the model and a batch of `batch.collate`, summed over the trained
    tokens, in nats. None for ours."""

    @property
    def trainable_parameters(self) -> int:
        """How many numbers learn."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    @property
    def total_parameters(self) -> int:
        """How many numbers there are, also where two of them are packed into one byte."""
        if hasattr(self.model, "get_nb_trainable_parameters"):
            return int(self.model.get_nb_trainable_parameters()[1])
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


def load_skeleton(folder: Path, model: ModelConfig) -> Any:
    """Return the model without its weights, which is made at once and takes no memory.

    Raises:
        WorkbenchError: Its config cannot be read (`model-unreadable`), or it brings code that is not trusted
            (`not-supported`).
    """
    trust = model.trust_remote_code
    try:
        with torch.device("meta"):
            config = read_hf_config(folder, trust_remote_code=trust)
            return AutoModelForCausalLM.from_config(config, trust_remote_code=trust)
    except (OSError, ValueError, KeyError) as error:
        raise unreadable(folder, "config", model) from error


def load_model(folder: Path, config: RunConfig, device: torch.device, max_length: int) -> TrainableModel:
    """Load the base weights and add what the method trains.

    Args:
        folder: A folder that transformers loads.
        config: The run's config.
        device: Where to train.
        max_length: The longest example in tokens.

    Raises:
        WorkbenchError: The weights cannot be read (`model-unreadable`), or the device cannot do what is asked.
    """
    return_large_blocks()
    dtype = choose_dtype(config, device)
    precision = choose_precision(config, dtype, device)
    packing = quantization_config(config.model, compute_dtype(dtype, precision), _unpacked(folder, config))
    trust = config.model.trust_remote_code
    try:
        base = read_hf_config(folder, trust_remote_code=trust)
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            config=base,
            dtype=dtype,
            attn_implementation=choose_attention(config.model.attention, base, device, max_length),
            trust_remote_code=trust,
            **({} if packing is None else {"quantization_config": packing, "device_map": {"": device}}),
        )
    except (OSError, ValueError, KeyError) as error:
        raise unreadable(folder, "weights", config.model) from error
    model.config.use_cache = False
    if packing is None:
        model.to(device)
    else:
        keep_trainable(model)
        # Recomputing is set up by the Trainer.
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
        leave_mapped_file(model)
    _refuse_broken(model, folder)
    if config.method.type == "full":
        model.requires_grad_(True)
    else:
        tied = bool(getattr(base.get_text_config(), "tie_word_embeddings", False))
        model = get_peft_model(model, lora_config(config.method, tied=tied))
    initial = initial_matrices(model) if config.method.type == "pissa" else None
    if device.type == "cpu" and config.compute.strategy != "fsdp":
        # Elsewhere the libraries' own kernels were not compared, and FSDP must see each layer's own forward.
        fuse(model, compute_dtype(dtype, precision))
    return TrainableModel(model, device, dtype, precision, initial)


def _refuse_broken(model: Any, folder: Path) -> None:
    """See that the weights are numbers, before a run that could only fail; of packed ones, what they are unpacked by.

    Raises:
        WorkbenchError: Some are not (`model-damaged`).
    """
    for name, weight in model.named_parameters():
        for numbers in [weight.detach()] if weight.is_floating_point() else scales(weight):
            if not numbers.numel():
                continue
            # NaN is passed on by both, and none of them takes memory, as asking each number would.
            low, high = torch.aminmax(numbers)
            if not (torch.isfinite(low) and torch.isfinite(high)):
                raise WorkbenchError(
                    "model-damaged",
                    f"The weights `{name}` of the model in {folder} hold NaN or infinity, read as "
                    f"{str(numbers.dtype).removeprefix('torch.')}.",
                    "Get the model again, or set `model.dtype: float32` if it was made for a wider type.",
                )


def _unpacked(folder: Path, config: RunConfig) -> list[str] | None:
    """Return the modules to leave unpacked where some are trained in full; None leaves the choice to transformers."""
    if config.model.quantization == "none" or not config.method.modules_to_save:
        return None
    return [*get_keys_to_not_convert(load_skeleton(folder, config.model)), *config.method.modules_to_save]


def unreadable(folder: Path, what: str, model: ModelConfig) -> WorkbenchError:
    """Return the error for a part of a model that does not load."""
    if not model.trust_remote_code and _brings_code(folder):
        return WorkbenchError(
            "not-supported",
            f"The model in {folder} brings Python code of its own, which is not run unless you say so.",
            "Read that code, and set `model.trust_remote_code: true` if you trust it.",
        )
    return WorkbenchError(
        "model-unreadable",
        f"The {what} of the model in {folder} cannot be read.",
        "Get the model again, or point `model.base` at another one.",
    )


def _brings_code(folder: Path) -> bool:
    try:
        return "auto_map" in json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return False
