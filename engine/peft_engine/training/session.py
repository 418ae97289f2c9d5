"""One training session, from examples and a base model to an artifact. Heavy: torch begins here."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed
from transformers.utils.logging import disable_progress_bar

from peft_engine.datasets import Example, LoadedDataset, mix, split_off
from peft_engine.files import write_atomic
from peft_engine.models import ResolvedBase
from peft_engine.rundir import RunDirectory
from peft_engine.rundir.checkpoints import CheckpointStore
from peft_engine.training.artifact import save_artifact
from peft_engine.training.batch import Row
from peft_engine.training.environment import record_environment
from peft_engine.training.journal import Journal
from peft_engine.training.methods import check_targets
from peft_engine.training.model import TrainableModel, choose_device, load_model, load_skeleton
from peft_engine.training.reporter import Reporter
from peft_engine.training.request import Request
from peft_engine.training.stop import StopRequest
from peft_engine.training.support import refuse_on_device
from peft_engine.training.tokenizer import load_tokenizer
from peft_engine.training.tokens import ExampleTokeniser, TokenisedExample, pack
from peft_engine.training.tuner import Tuner
from peft_schemas.config import DatasetConfig, ModelConfig, RunConfig
from peft_schemas.errors import WorkbenchError

_CHECK_EVERY = 200
"""Examples tokenised between two looks at whether the run shall end."""


@dataclass(frozen=True)
class _Data:
    train: list[Row]
    held_out: list[Row]
    examples: int
    """Training examples after the split and the weights."""


@dataclass(frozen=True)
class Session:
    """What a session works with."""

    run: RunDirectory
    request: Request
    base: ResolvedBase
    """With its `hf_dir`."""

    datasets: Sequence[LoadedDataset]
    evaluation: Sequence[LoadedDataset]
    """What is measured on, instead of a share of `datasets`."""

    journal: Journal
    stop: StopRequest

    def fit(self) -> None:
        """Train to the end, or to where a person stops it, and close the journal in either case.

        Raises:
            StopRequested: A person stopped it before the first step.
            WorkbenchError: The run cannot be done as asked.
        """
        config, journal = self.request.config, self.journal
        disable_progress_bar()
        folder = self._folder()
        check_targets(load_skeleton(folder, config.model), config.method)
        device = choose_device(config.compute)
        refuse_on_device(config, device.type)
        self._record_environment()
        self.stop.check()
        journal.enter("preparing", "writing the examples in the model's own form")
        tokenizer = load_tokenizer(folder, config.model, self.request.folder)
        max_length = self._max_length()
        data = self._data(tokenizer, max_length)
        self.stop.check()
        journal.enter("preparing", "loading the model")
        _make_repeatable(config.training.seed)
        trainable = load_model(folder, config, device, max_length)
        self.stop.check()
        reporter = Reporter(journal, self.stop, lambda steps: self._begin(steps, trainable, data))
        tuner = Tuner(
            trainable,
            config,
            train=data.train,
            held_out=data.held_out,
            store=CheckpointStore(self.run, config.checkpoint.keep),
            reporter=reporter,
            folder=self.run.checkpoints,
        )
        tuner.train()
        step = tuner.state.global_step
        if reporter.ended_early:
            journal.stop(step=step)
            return
        self._tell_what_ends(tuner)
        journal.enter("running", "writing the result")
        artifact = save_artifact(self.run, trainable, tokenizer, self.base, config, journal)
        journal.complete(step=step, adapter=artifact.adapter, gguf=artifact.gguf, merged=artifact.merged)

    def _folder(self) -> Path:
        if self.base.hf_dir is None:
            raise ValueError("a session needs a materialised base")
        return self.base.hf_dir

    def _record_environment(self) -> None:
        record = record_environment(
            self.request.config,
            self.request.folder,
            self.base,
            [*self.datasets, *self.evaluation],
            torch.get_num_threads(),
        )
        write_atomic(self.run.environment, json.dumps(record, indent=2, ensure_ascii=False) + "\n")

    def _max_length(self) -> int:
        asked, limit = self.request.config.training.max_length, self.base.context_length
        if limit is None or asked <= limit:
            return asked
        self.journal.warning(f"`training.max_length` is {asked}, but the model reads {limit} tokens: {limit} is used.")
        return limit

    def _data(self, tokenizer: Any, max_length: int) -> _Data:
        config = self.request.config
        share = 0.0 if self.evaluation else config.evaluation.split
        splits = [split_off(dataset.examples, share, config.training.seed) for dataset in self.datasets]
        tokenise = ExampleTokeniser(
            tokenizer, max_length=max_length, completion_only=config.training.completion_only_loss
        )
        train = self._tokenised(tokenise, _mixed([split.train for split in splits], config.datasets, config))
        apart = (
            _mixed([dataset.examples for dataset in self.evaluation], config.evaluation.datasets, config)
            if self.evaluation
            else [example for split in splits for example in split.held_out]
        )
        held_out = self._tokenised(tokenise, apart)
        for kept, of, purpose in ((train, splits, "learn"), (held_out, apart, "evaluate")):
            if of and not kept:
                raise WorkbenchError(
                    "dataset-empty",
                    f"No example has anything to {purpose} within `training.max_length` of {max_length} tokens.",
                    "Raise `training.max_length`, or shorten the prompts.",
                )
        if not held_out and (config.checkpoint.load_best or config.training.early_stopping_patience is not None):
            raise WorkbenchError(
                "dataset-empty",
                "The data holds one distinct example, so none is left to find the lowest evaluation loss on.",
                "Add examples, or name others under `evaluation.datasets`.",
            )
        rows: list[Row] = pack(train, max_length) if config.training.packing else [(example,) for example in train]
        return _Data(rows, [(example,) for example in held_out], len(train))

    def _tokenised(self, tokenise: ExampleTokeniser, examples: Sequence[Example]) -> list[TokenisedExample]:
        kept = []
        for index, example in enumerate(examples):
            if index % _CHECK_EVERY == 0:
                self.stop.check()
            tokenised = tokenise(example)
            if tokenised is not None:
                kept.append(tokenised)
        lost = len(examples) - len(kept)
        if lost and kept:
            self.journal.warning(
                f"{lost} of {len(examples)} examples are left out: their prompts fill `training.max_length`."
            )
        return kept

    def _begin(self, steps: int, trainable: TrainableModel, data: _Data) -> None:
        self.journal.plan(
            total_steps=steps,
            examples=data.examples,
            trainable_parameters=trainable.trainable_parameters,
            total_parameters=trainable.total_parameters,
            device=str(trainable.device),
            dtype=_held_as(self.request.config.model, trainable),
            backend="transformers and peft, the only training backend installed",
        )
        self.journal.enter("running")

    def _tell_what_ends(self, tuner: Tuner) -> None:
        """Say when the result is not that of the last step that was planned."""
        state = tuner.state
        if state.global_step < state.max_steps:
            self.journal.info(f"Stopped at step {state.global_step}: the evaluation loss got no better any more.")
        best = state.best_global_step
        if self.request.config.checkpoint.load_best and best and best != state.global_step:
            self.journal.info(f"The result has the weights of step {best}, whose evaluation loss was the lowest.")


def _held_as(model: ModelConfig, trainable: TrainableModel) -> str:
    return str(trainable.dtype).removeprefix("torch.") if model.quantization == "none" else model.quantization


def _mixed(
    parts: Sequence[Sequence[Example]], datasets: Sequence[DatasetConfig], config: RunConfig
) -> tuple[Example, ...]:
    weights = [dataset.weight for dataset in datasets]
    return mix(list(zip(parts, weights, strict=True)), config.training.seed)


def _make_repeatable(seed: int) -> None:
    """Seed every generator, and have torch choose algorithms that give the same result each time."""
    set_seed(seed)
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    # Filling fresh memory would only serve code that reads what it never wrote.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a property of a module
