"""A config's loop in the terms of transformers' Trainer."""

from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from peft_engine.training.precision import ComputeType
from peft_schemas.config import Optimizer, RunConfig

_OPTIMIZERS: dict[Optimizer, str] = {
    # One pass over the weights, without the temporaries of the plain loop, each as large as a weight.
    "adamw": "adamw_torch_fused",
    "adamw_8bit": "adamw_bnb_8bit",
    "paged_adamw_8bit": "paged_adamw_8bit",
    "adafactor": "adafactor",
    "sgd": "sgd",
}


def training_arguments(
    config: RunConfig, device: torch.device, precision: ComputeType, folder: Path, *, evaluates: bool, processes: int
) -> TrainingArguments:
    """Return the arguments of the loop.

    Args:
        config: The run's config.
        device: Where to train.
        precision: What autocast computes in.
        folder: A folder that exists, which the Trainer wants to have.
        evaluates: Whether there is something to evaluate on.
        processes: How many train together.
    """
    training = config.training
    optional: dict[str, Any] = {}
    if training.gradient_checkpointing:
        # The reentrant kind wants an input that requires a gradient, which a frozen embedding does not give.
        optional |= {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}}
    if training.lr_scheduler == "polynomial":
        # transformers would end at 1e-7, and refuse to begin below it.
        optional["lr_scheduler_kwargs"] = {"lr_end": 0.0}
    if evaluates:
        optional |= {"metric_for_best_model": "loss", "greater_is_better": False}
    if processes > 1 and config.compute.strategy == "fsdp":
        # Layer by layer, as the model's own class names its layers.
        optional |= {"fsdp": True, "fsdp_config": {"version": 2}}
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=training.num_epochs,
        max_steps=-1 if training.max_steps is None else training.max_steps,
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=config.evaluation.batch_size or training.batch_size,
        gradient_accumulation_steps=training.gradient_accumulation_steps,
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.lr_scheduler,
        # A value below 1 is a share of the steps.
        warmup_steps=training.warmup_steps or training.warmup_ratio or 0,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        **optional,
        optim=_OPTIMIZERS[training.optimizer],
        seed=training.seed,
        data_seed=training.seed,
        logging_steps=training.logging_steps,
        # A loss that is not a number must be seen, not smoothed over.
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=config.checkpoint.every_steps,
        eval_strategy="steps" if evaluates else "no",
        eval_steps=config.evaluation.every_steps,
        use_cpu=device.type == "cpu",
        bf16=precision == "bfloat16",
        fp16=precision == "float16",
        dataloader_pin_memory=device.type == "cuda",
        remove_unused_columns=False,
        # Every weight that learns takes part in every step.
        ddp_find_unused_parameters=False,
        disable_tqdm=True,
        report_to=[],
    )
