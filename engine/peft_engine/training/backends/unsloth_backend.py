"""The backend with kernels of its own: Unsloth. To be imported before anything else imports transformers.

On a CPU it is transformers and PEFT with a loss and an optimizer of its own, and our attention serves it. On a GPU it
puts its own code in the place of most of transformers', and is told of the borders between examples by its own key.
"""

from pathlib import Path
from typing import Any

from peft_schemas.config import RunConfig
from peft_schemas.errors import WorkbenchError

try:
    import unsloth
# What it raises where it does not run: without a GPU that it knows, or beside libraries that it does not know.
except (NotImplementedError, RuntimeError, AttributeError, ImportError) as error:
    raise WorkbenchError(
        "not-supported",
        f"Unsloth is installed, but does not start here: {' '.join(str(error).split())}",
        "Set `compute.backend: transformers`, or correct what it says.",
    ) from error

import torch
from torch.nn.functional import cross_entropy

from peft_engine.models.hf_config import read_hf_config
from peft_engine.training.backends.borders import check_borders
from peft_engine.training.fused.attention import choose_attention
from peft_engine.training.model import TrainableModel, unreadable
from peft_engine.training.precision import choose_dtype, choose_precision

_IGNORED = -100
"""What marks a token that is not learned, in every library."""


class UnslothBackend:
    """Unsloth's loader, adapters, optimizer and loss."""

    def __init__(self, reason: str) -> None:
        """Take note of the version, and of why this one was taken."""
        self.description = f"unsloth {unsloth.__version__}, {reason}"

    def load(self, folder: Path, config: RunConfig, device: torch.device, max_length: int) -> TrainableModel:
        """Load the base weights and add what the method trains; see `Backend`."""
        dtype = choose_dtype(config, device)
        precision = choose_precision(config, dtype, device)
        trust, four_bit = config.model.trust_remote_code, config.model.quantization == "nf4"
        checkpointing = config.training.gradient_checkpointing
        try:
            base = read_hf_config(folder, trust_remote_code=trust)
            attention = choose_attention(config.model.attention, base, device, max_length)
            model, _ = unsloth.FastLanguageModel.from_pretrained(
                str(folder),
                max_seq_length=max_length,
                dtype=dtype,
                load_in_4bit=four_bit,
                full_finetuning=config.method.type == "full",
                trust_remote_code=trust,
                use_gradient_checkpointing="unsloth" if checkpointing else False,
                **({"attn_implementation": attention} if device.type == "cpu" else {}),
            )
        except (OSError, ValueError, KeyError) as error:
            raise unreadable(folder, "weights", config.model) from error
        _see_that_it_is_as_asked(model, None if four_bit else dtype)
        if precision == "bfloat16" and not unsloth.is_bfloat16_supported():
            raise _replaced("to compute in bfloat16", "float32")
        if config.method.type != "full":
            model = _with_adapter(model, config, max_length)
        model.config.use_cache = False
        trainable = TrainableModel(
            model, device, dtype, precision, initial=None, summed_loss=_on_gpu if device.type == "cuda" else _on_cpu
        )
        check_borders(trainable, max_length)
        return trainable


def _with_adapter(model: Any, config: RunConfig, max_length: int) -> Any:
    method = config.method
    return unsloth.FastLanguageModel.get_peft_model(
        model,
        r=method.r,
        target_modules=method.target_modules,
        lora_alpha=int(method.alpha) if method.alpha.is_integer() else method.alpha,
        lora_dropout=method.dropout,
        bias="none",
        use_gradient_checkpointing="unsloth" if config.training.gradient_checkpointing else False,
        random_state=config.training.seed,
        max_seq_length=max_length,
        use_rslora=method.type == "rslora",
    )


def _see_that_it_is_as_asked(model: Any, dtype: torch.dtype | None) -> None:
    """Compare what was loaded with what was asked for, because Unsloth replaces what it finds unfit.

    Args:
        model: What was loaded.
        dtype: Of the weights; None for 4 bits.

    Raises:
        WorkbenchError: It is something else (`not-supported`).
    """
    held = str(model.dtype).removeprefix("torch.")
    if dtype is None:
        if not any(type(module).__name__ == "Linear4bit" for module in model.modules()):
            raise _replaced("to hold this model in 4 bits", held)
    elif model.dtype != dtype:
        raise _replaced(f"to hold this model in {str(dtype).removeprefix('torch.')}", held)


def _replaced(asked: str, taken: str) -> WorkbenchError:
    return WorkbenchError(
        "not-supported",
        f"Unsloth was asked {asked} and takes {taken} on this machine.",
        "Set `compute.backend: transformers`.",
    )


def _on_cpu(model: Any, inputs: dict[str, Any]) -> torch.Tensor:
    """Return the summed loss of a batch, in training by Unsloth's chunks."""
    inputs = dict(inputs)
    predict, targets = inputs.pop("predict"), inputs.pop("targets")
    bare = model.get_base_model() if hasattr(model, "get_base_model") else model
    chunked = torch.is_grad_enabled() and vars(bare).get("_unsloth_cpu_chunked_ce", False)
    if not chunked:
        # It has none for this kind of model, nor for measuring.
        logits = model(**inputs, use_cache=False, logits_to_keep=predict).logits[0]
        return cross_entropy(logits.float(), targets, reduction="sum")
    labels = _labels(inputs["input_ids"], predict, targets)
    # The switch that its own SFTTrainer sets around a step.
    bare._unsloth_cpu_chunked_ce_active = True
    try:
        loss: torch.Tensor = model(**inputs, use_cache=False, labels=labels, num_items_in_batch=1).loss
    finally:
        bare._unsloth_cpu_chunked_ce_active = False
    return loss


def _on_gpu(model: Any, inputs: dict[str, Any]) -> torch.Tensor:
    """Return the summed loss of a batch by Unsloth's fused kernel, which takes the borders as lengths."""
    borders = inputs["cu_seq_lens_q"]
    loss: torch.Tensor = model(
        input_ids=inputs["input_ids"],
        position_ids=inputs["position_ids"],
        packed_seq_lengths=borders.diff(),
        labels=_labels(inputs["input_ids"], inputs["predict"], inputs["targets"]),
        num_items_in_batch=1,
        use_cache=False,
    ).loss
    return loss


def _labels(ids: torch.Tensor, predict: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the row's tokens with all but the learned ones marked, [1, tokens]; models shift them by themselves."""
    labels = torch.full_like(ids, _IGNORED)
    labels[0, predict + 1] = targets
    return labels
