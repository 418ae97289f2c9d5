"""The optimisation loop: transformers' Trainer with our batches, our loss and our checkpoints."""

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import set_peft_model_state_dict
from peft.optimizers import create_loraplus_optimizer
from safetensors.torch import load_file
from transformers import PrinterCallback, TrainerCallback, TrainerControl
from transformers.trainer import TRAINER_STATE_NAME

from peft_engine.rundir.checkpoints import CheckpointStore
from peft_engine.training.arguments import training_arguments
from peft_engine.training.data.batch import Row
from peft_engine.training.data.microbatches import split
from peft_engine.training.distributed.batches import collate_share
from peft_engine.training.distributed.group import Group
from peft_engine.training.distributed.trainer import DistributedTrainer
from peft_engine.training.early_stopping import EarlyStopping
from peft_engine.training.fused.adamw import StretchedAdamW, learns_little, step_in_one_thread
from peft_engine.training.fused.loss import summed_loss
from peft_engine.training.fused.matrix import LearnedMatrices
from peft_engine.training.fused.model import train_alone
from peft_engine.training.model import TrainableModel
from peft_engine.training.pissa import keep_beginning
from peft_engine.training.precision import compute_dtype
from peft_engine.training.reporter import Reporter
from peft_engine.training.stateful import Stateful, load_states, save_states
from peft_engine.training.watched.finite import is_finite
from peft_schemas.config import RunConfig
from peft_schemas.errors import WorkbenchError


class Tuner(DistributedTrainer):
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
        group: Group,
        callbacks: Sequence[TrainerCallback] = (),
        stateful: Mapping[str, Stateful] | None = None,
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
            group: The processes that train together.
            callbacks: Told of every step after the reporter.
            stateful: Parts whose state is saved in each checkpoint and restored at a resume, by name.
        """
        stopping = _early_stopping(config)
        self._stateful: dict[str, Stateful] = {"reporter": reporter, **(stateful or {})}
        if stopping is not None:
            self._stateful["early_stopping"] = stopping
        self._initial = trainable.initial
        self._resumed: int | None = None
        self._config = config
        self._summed_loss = trainable.summed_loss or summed_loss
        # Gradients that processes exchange are those of the weights.
        alone = group.processes == 1 and trainable.device.type == "cpu"
        self._matrices: LearnedMatrices | None = None
        if alone:
            self._matrices = train_alone(trainable.model, compute_dtype(trainable.dtype, trainable.precision))
        self._store = store
        self._reporter = reporter
        self._making: Path | None = None
        self.micro_batches = 1
        """In how many parts each batch is computed, one after the other."""

        self.spared: set[int] = set()
        """Steps whose checkpoints stay although newer ones are as many as are kept."""

        model = trainable.model
        super().__init__(
            group,
            model=model,
            args=training_arguments(
                config,
                trainable.device,
                trainable.precision,
                folder,
                evaluates=bool(held_out),
                processes=group.processes,
            ),
            data_collator=partial(collate_share, place=group.place),
            train_dataset=train,
            eval_dataset=held_out or None,
            callbacks=[reporter, *([] if stopping is None else [stopping]), *callbacks],
        )
        self.remove_callback(PrinterCallback)
        # Not said before: it would make the Trainer refuse evaluations that fall between two checkpoints, while here
        # every best evaluation makes a checkpoint.
        self.args.load_best_model_at_end = config.checkpoint.load_best

    def fit(self, resume: Path | None) -> None:
        """Train to the last step.

        Args:
            resume: The intact checkpoint to go on from; None to begin.

        Raises:
            Interrupted: The run was cancelled at a step edge.
            WorkbenchError: The weights are no numbers any more (`diverged`).
        """
        # The libraries' some hundred thousand objects stay; looking through them again took 4 % of each step.
        gc.collect()
        gc.freeze()
        try:
            self.train(resume_from_checkpoint=None if resume is None else str(resume))
        finally:
            # What writes the result gets back what only cycles of objects held.
            gc.unfreeze()

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Return the optimizer, with LoRA+'s own rate for the matrices B where that is asked for."""
        ratio = self._config.method.lora_plus_ratio
        if ratio is not None and self.optimizer is None:
            kind, arguments = self.get_optimizer_cls_and_kwargs(self.args, self.model)
            self.optimizer: torch.optim.Optimizer = create_loraplus_optimizer(
                self.model,
                kind,
                loraplus_lr_ratio=ratio,
                loraplus_weight_decay=self.args.weight_decay,
                **arguments,
            )
        elif self._matrices is not None and self.optimizer is None and self._config.training.optimizer == "adamw":
            _, arguments = self.get_optimizer_cls_and_kwargs(self.args, self.model)
            self.optimizer_cls_and_kwargs = StretchedAdamW, {**arguments, "matrices": self._matrices}
        optimizer: torch.optim.Optimizer = super().create_optimizer(model)
        if self._matrices is not None and learns_little(self.model):
            step_in_one_thread(optimizer)
        return optimizer

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor]:
        """Take the batches of one optimizer step and count what they train, over all processes."""
        batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
        (count,) = self._group.sum(sum(batch["targets"].numel() for batch in batches))
        return batches, torch.tensor(int(count), device=device)

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Compute the loss and the gradients of a batch, in as many parts as are set: both are sums over its tokens."""
        step = super().training_step
        return torch.stack([step(model, part, num_items_in_batch) for part in split(inputs, self.micro_batches)]).sum()

    def _clip_grad_norm(self, model: Any) -> torch.Tensor:
        optimizer = getattr(self.optimizer, "optimizer", None)
        if isinstance(optimizer, StretchedAdamW):
            return optimizer.clip(self.args.max_grad_norm)
        if self._matrices is not None:
            self._matrices.hand_over()
        norm: torch.Tensor = super()._clip_grad_norm(model)
        return norm

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return this batch's share of the step's loss, in nats a trained token."""
        total = self._summed_loss(model, inputs)
        self._reporter.count(total.detach(), trained=inputs["targets"].numel(), tokens=inputs["input_ids"].numel())
        count = inputs["targets"].numel() if num_items_in_batch is None else num_items_in_batch
        # Gradients are averaged over processes, while the count is the sum over them.
        processes: int = self.accelerator.num_processes
        return total / count * processes

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Measure the loss on the held-out rows, given up when the run shall end."""
        model, total, trained, examples = self.model, 0.0, 0.0, 0.0
        model.eval()
        # A loader draws a number when it starts: training's generators must not notice whether one was measured with.
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            for batch in self.get_eval_dataloader():
                if self._reporter.gives_up_evaluation(self.control):
                    return {}
                batch = self._prepare_inputs(batch)
                total += self._summed_loss(model, batch).item()
                trained += batch["targets"].numel()
                # Without a target it stands in for a share that is empty.
                examples += batch["cu_seq_lens_q"].numel() - 1 if batch["targets"].numel() else 0
        model.train()
        total, trained, examples = self._group.sum(total, trained, examples)
        loss = total / trained
        self._reporter.evaluated(self.state.global_step, loss, int(examples))
        metrics = {"eval_loss": loss}
        self.control: TrainerControl = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        """Have the best weights so far saved, when the run is to end with them."""
        # An evaluation that was given up measured nothing.
        best = bool(metrics) and super()._determine_best_metric(metrics, trial)
        if best and self.args.load_best_model_at_end:
            self.control.should_save = True
        return best

    def _init_training_state(self, *arguments: Any, **keywords: Any) -> tuple[int, int]:
        position: tuple[int, int] = super()._init_training_state(*arguments, **keywords)
        step = self.state.global_step
        if step:
            self._resumed = step
            load_states(self._store.path(step), self._stateful)
            # The run directory may have moved since.
            best = self.state.best_global_step
            is_there = bool(best) and self._store.path(best).is_dir()
            self.state.best_model_checkpoint = str(self._store.path(best)) if is_there else None
            if self.args.load_best_model_at_end and not is_there:
                self.state.best_metric = self.state.best_global_step = None
        return position

    def _run_epoch(self, **arguments: Any) -> None:
        """Train an epoch, or what is left of it, unless the run had come to its end when it was saved."""
        if self._reporter.owes_evaluation:
            self.control.should_evaluate = True
            self._maybe_log_save_evaluate(
                self._tr_loss,
                None,
                arguments["model"],
                arguments["trial"],
                arguments["epoch"],
                arguments["ignore_keys_for_eval"],
                arguments["start_time"],
            )
        if self.state.global_step >= self.state.max_steps:
            self.control.should_training_stop = True
        if not self.control.should_training_stop:
            super()._run_epoch(**arguments)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if model is None:
            self._take_weights(Path(resume_from_checkpoint))

    def _load_best_model(self) -> None:
        self._take_weights(Path(self.state.best_model_checkpoint))

    def _take_weights(self, checkpoint: Path) -> None:
        """Take a checkpoint's weights.

        The base class would have PEFT place the whole model anew, which packed weights on a CPU do not survive.

        Raises:
            WorkbenchError: They are not those of the model that the config makes (`checkpoint-missing`).
        """
        try:
            fits = self._load_weights(checkpoint)
        except (FileNotFoundError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "size mismatch" not in str(error):
                raise
            fits = False
        if not fits:
            message = f"The checkpoint {checkpoint.name} was made with another config: its weights have other shapes."
            raise WorkbenchError("checkpoint-missing", message, "Run the config again.")

    def _load_weights(self, checkpoint: Path) -> bool:
        """Load what a checkpoint holds, and tell whether the model has a place for all of it."""
        if hasattr(self.model, "peft_config"):
            weights = load_file(checkpoint / "adapter_model.safetensors")
            return not set_peft_model_state_dict(self.model, self._as_held(weights)).unexpected_keys
        loaded = [load_file(file) for file in sorted(checkpoint.glob("*.safetensors"))]
        found = [self.model.load_state_dict(self._as_held(weights), strict=False) for weights in loaded]
        return not any(one.unexpected_keys for one in found)

    def go_back(self, step: int) -> None:
        """Take weights and optimizer of a step's checkpoint; the loop stays where it is in schedule and data."""
        place = self.lr_scheduler.state_dict()
        self._take_weights(self.checkpoint_path(step))
        self._load_optimizer_and_scheduler(str(self.checkpoint_path(step)))
        self.lr_scheduler.load_state_dict(place)

    def checkpoint_path(self, step: int) -> Path:
        """Return where the checkpoint of a step is, or will be."""
        return self._store.path(step)

    def weights_are_finite(self) -> bool:
        """Tell whether what was learned is numbers in each process. To be called by all of them."""
        (broken,) = self._group.sum(0.0 if is_finite(self.model) else 1.0)
        return not broken

    def save_now(self) -> None:
        """Write a checkpoint of the loop as it is."""
        self._save_checkpoint(self.model, None)

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._making or self.args.output_dir)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Have the base class write into a folder that gets its name once it is whole, then announce it."""
        if self.state.best_global_step == self.state.global_step:
            self.state.best_model_checkpoint = str(self._store.path(self.state.global_step))
        if self.state.global_step == self._resumed:
            # It is there: only the evaluation that was owed could have wanted it again.
            return
        if not self.weights_are_finite():
            # Nobody could go on from it, and it would take the place of one that is good.
            return
        self._reporter.pool()
        if not self._group.leads:
            # What the first process needs of this one to write; nothing is written here.
            super()._save_checkpoint(model, trial)
            return
        checkpoint = self._store.write(
            self.state.global_step, self._filler(model, trial), elapsed_seconds=self._reporter.elapsed_seconds
        )
        self._reporter.saved(checkpoint)
        best = self.state.best_global_step if self.args.load_best_model_at_end else None
        self._store.prune(spare={*self.spared, *([best] if best else [])})

    def _filler(self, model: Any, trial: Any) -> Callable[[Path], None]:
        save = super()._save_checkpoint
        best = self.state.best_model_checkpoint

        def fill(making: Path) -> None:
            self._making = making
            try:
                with _without_card(self.model):
                    save(model, trial)
            finally:
                self._making = None
            (written,) = making.iterdir()
            # The base class noted the place where the best checkpoint was made, not the one that it stays at.
            self.state.best_model_checkpoint = best
            self.state.save_to_json(str(written / TRAINER_STATE_NAME))
            save_states(written, self._stateful)
            if self._initial is not None:
                keep_beginning(written, self._initial)
            for file in written.iterdir():
                file.rename(making / file.name)
            written.rmdir()

        return fill


@contextmanager
def _without_card(model: Any) -> Iterator[None]:
    """Keep PEFT from writing a page for people into each checkpoint, which took a third of the time of a small one."""
    adapts = hasattr(model, "peft_config")
    if adapts:
        model.create_or_update_model_card = lambda _folder: None
    try:
        yield
    finally:
        if adapts:
            del model.create_or_update_model_card


def _early_stopping(config: RunConfig) -> EarlyStopping | None:
    patience = config.training.early_stopping_patience
    return None if patience is None else EarlyStopping(patience)
