"""transformers' Trainer for several processes: equal steps, checkpoints that one process writes, weights in shards."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from transformers import Trainer
from transformers.trainer import OPTIMIZER_NAME, SCHEDULER_NAME

from peft_engine.training.data.shards import (
    Tensors,
    is_spread,
    spread_optimizer,
    spread_weights,
    whole_optimizer,
    whole_weights,
)
from peft_engine.training.distributed.batches import read_all
from peft_engine.training.distributed.group import Group


class DistributedTrainer(Trainer):  # type: ignore[misc]  # transformers is not typed
    """What differs when several processes train; alone, it is the Trainer."""

    def __init__(self, group: Group, **arguments: Any) -> None:
        """Set up the loop.

        Args:
            group: The processes that train together.
            **arguments: The Trainer's own.
        """
        self._group = group
        super().__init__(**arguments)
        if not group.leads:
            # Or dropout would fall on the same places of each process's share. Alone, nothing is different.
            torch.manual_seed(self.args.seed + group.place.rank)

    def create_accelerator_and_postprocess(self) -> None:
        """Have accelerate shard on a CPU too: it knows how, but passes over the wish, and would train with DDP."""
        super().create_accelerator_and_postprocess()
        state = self.accelerator.state
        if self.args.fsdp_plugin_args is not None and state.distributed_type == DistributedType.MULTI_CPU:
            state.distributed_type = DistributedType.FSDP
            state.fsdp_plugin = FullyShardedDataParallelPlugin(**self.args.fsdp_plugin_args)
            self.is_fsdp_enabled = True

    def _get_dataloader(self, dataset: Any, description: str, batch_size: int, **arguments: Any) -> Any:
        """Return a loader that has each process read whole batches, of which the collator takes its share."""
        whole = batch_size * self._group.processes
        return read_all(super()._get_dataloader(dataset, description, whole, **arguments))

    def _prepare_for_training(self, max_steps: int, train_dataloader: Any, resume_from_checkpoint: str | None) -> Any:
        if resume_from_checkpoint is not None and self.is_fsdp_enabled:
            # While every process still holds them whole, as it does without shards.
            self._load_from_checkpoint(resume_from_checkpoint)
        return super()._prepare_for_training(max_steps, train_dataloader, resume_from_checkpoint)

    def _as_held(self, weights: Tensors) -> Tensors:
        """Return whole weights in the form in which the model holds its own at the moment."""
        return spread_weights(self.model, weights) if is_spread(self.model) else weights

    def gathered(self) -> Tensors | None:
        """Return the weights that learned, whole, in the first process; None where the model holds them so itself.

        To be called by all processes.
        """
        return whole_weights(self.model, keep=self._group.leads) if is_spread(self.model) else None

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write what learned, whole."""
        if self.is_fsdp_enabled:
            self._save(output_dir, whole_weights(self.model, keep=self._group.leads))
        else:
            super().save_model(output_dir, _internal_call)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if not self.is_fsdp_enabled:
            super()._save_optimizer_and_scheduler(output_dir)
            return
        state = whole_optimizer(self.model, self.optimizer)
        if self._group.leads:
            torch.save(state, Path(output_dir) / OPTIMIZER_NAME)
            torch.save(self.lr_scheduler.state_dict(), Path(output_dir) / SCHEDULER_NAME)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if not self.is_fsdp_enabled:
            super()._load_optimizer_and_scheduler(checkpoint)
        elif checkpoint is not None:
            state = torch.load(Path(checkpoint) / OPTIMIZER_NAME, map_location="cpu", weights_only=True)
            spread_optimizer(self.model, self.optimizer, state)
            self.lr_scheduler.load_state_dict(torch.load(Path(checkpoint) / SCHEDULER_NAME, weights_only=True))

    def _save_rng_state(self, output_dir: str) -> None:
        """Write the random state of every process; the first does it for all."""
        with TemporaryDirectory() as own:
            super()._save_rng_state(own)
            (file,) = Path(own).iterdir()
            states = self._group.collect((file.name, file.read_bytes()))
        if self._group.leads:
            for name, state in states:
                (Path(output_dir) / name).write_bytes(state)
