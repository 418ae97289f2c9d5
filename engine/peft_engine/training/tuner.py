"""The optimisation loop: transformers' Trainer with our batches, our loss and our checkpoints."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from transformers import PrinterCallback, Trainer, TrainerControl, TrainingArguments

from peft_engine.rundir.checkpoints import CheckpointStore
from peft_engine.training.batch import Row, collate
from peft_engine.training.model import TrainableModel
from peft_engine.training.reporter import Reporter
from peft_schemas.config import RunConfig


class Tuner(Trainer):  # type: ignore[misc]  # transformers is not typed
    """Trains a model on rows of examples. The loss is the mean over all trained tokens of an optimizer step."""

    # What compute_loss returns is divided by the step's trained tokens, accumulation included.
    loss_is_scaled_for_ga = True

    def __init__(
        self,
        trainable: TrainableModel,
        config: RunConfig,
        *,
        train: Sequence[Row],
        held_out: Sequence[Row],
        store: CheckpointStore,
        reporter: Reporter,
        folder: Path,
    ) -> None:
        """Set up the loop.

        Args:
            trainable: The model.
            config: The run's config.
            train: Rows to learn from.
            held_out: Rows to measure on; none for no evaluation.
            store: Writes the checkpoints.
            reporter: Told of every step.
            folder: A folder that exists, which the base class wants to have.
        """
        self._store = store
        self._reporter = reporter
        self._making: Path | None = None
        model = trainable.model
        bare = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._selects = "logits_to_keep" in inspect.signature(bare.forward).parameters
        super().__init__(
            model=model,
            args=_arguments(config, trainable.device, folder, evaluates=bool(held_out)),
            data_collator=collate,
            train_dataset=train,
            eval_dataset=held_out or None,
            callbacks=[reporter],
        )
        self.remove_callback(PrinterCallback)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor]:
        """Take the batches of one optimizer step and count what they train, over all processes."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        count = torch.tensor(sum(batch["targets"].numel() for batch in batches), device=device)
        if self.args.world_size > 1:
            count = self.accelerator.gather(count).sum()
        return batches, count

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return this batch's share of the step's loss, in nats a trained token."""
        tokens, trained = inputs["input_ids"].numel(), inputs["targets"].numel()
        total = self._summed_loss(model, inputs)
        self._reporter.count(total.detach(), trained=trained, tokens=tokens)
        count = trained if num_items_in_batch is None else num_items_in_batch
        # Gradients are averaged over processes, while the count is the sum over them.
        processes: int = self.accelerator.num_processes
        return total / count * processes

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Measure the loss on the held-out rows, given up when the run shall end."""
        model, total, trained, examples = self.model, 0.0, 0, 0
        model.eval()
        with torch.no_grad():
            for batch in self.get_eval_dataloader():
                if self._reporter.stop_requested():
                    return {}
                batch = self._prepare_inputs(batch)
                total += self._summed_loss(model, batch).item()
                trained += batch["targets"].numel()
                examples += batch["cu_seq_lens_q"].numel() - 1
        model.train()
        loss = total / trained
        self._reporter.evaluated(self.state.global_step, loss, examples)
        metrics = {"eval_loss": loss}
        self.control: TrainerControl = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _summed_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        """Return the cross-entropy summed over the trained tokens, computed in float32.

        The output layer is by far the widest, so it is applied only where something is learned.
        """
        inputs = dict(inputs)
        predict, targets = inputs.pop("predict"), inputs.pop("targets")
        if self._selects:
            logits = model(**inputs, use_cache=False, logits_to_keep=predict).logits[0]
        else:
            logits = model(**inputs, use_cache=False).logits[0, predict]
        return cross_entropy(logits.float(), targets, reduction="sum")

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._making or self.args.output_dir)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Have the base class write into a folder that gets its name once it is whole, then announce it."""
        checkpoint = self._store.write(self.state.global_step, self._filler(model, trial))
        self._reporter.saved(checkpoint)
        self._store.prune()

    def _filler(self, model: Any, trial: Any) -> Callable[[Path], None]:
        save = super()._save_checkpoint

        def fill(making: Path) -> None:
            self._making = making
            try:
                save(model, trial)
            finally:
                self._making = None
            (written,) = making.iterdir()
            for file in written.iterdir():
                file.rename(making / file.name)
            written.rmdir()

        return fill


def _arguments(config: RunConfig, device: torch.device, folder: Path, *, evaluates: bool) -> TrainingArguments:
    training = config.training
    recomputing: dict[str, Any] = {}
    if training.gradient_checkpointing:
        # The reentrant kind wants an input that requires a gradient, which a frozen embedding does not give.
        recomputing = {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}}
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=training.num_epochs,
        max_steps=-1 if training.max_steps is None else training.max_steps,
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=training.batch_size,
        gradient_accumulation_steps=training.gradient_accumulation_steps,
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.lr_scheduler,
        warmup_steps=training.warmup_steps,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        **recomputing,
        optim="adamw_torch",
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
        bf16=False,
        fp16=False,
        dataloader_pin_memory=device.type == "cuda",
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to=[],
    )
