"""One training session, from examples and a base model to an artifact. Heavy: torch begins here."""

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import set_seed
from transformers.utils.logging import disable_progress_bar

from peft_engine.datasets import LoadedDataset
from peft_engine.files import write_atomic
from peft_engine.home import token_cache_dir
from peft_engine.models import ResolvedBase
from peft_engine.numerics import settle_first_call
from peft_engine.rundir import RunDirectory
from peft_engine.rundir.checkpoints import Checkpoint, CheckpointStore
from peft_engine.training.artifact import save_artifact
from peft_engine.training.backends import Backend
from peft_engine.training.control import Control, Interrupted
from peft_engine.training.data.preparation import DataPreparation, TrainingData
from peft_engine.training.data.tokencache import TokenCache
from peft_engine.training.data.tokenizer import load_tokenizer
from peft_engine.training.data.tokens import ExampleTokeniser
from peft_engine.training.distributed.batches import refuse_different_data
from peft_engine.training.distributed.control import SharedControl
from peft_engine.training.distributed.group import Group
from peft_engine.training.distributed.place import Place
from peft_engine.training.environment import record_environment
from peft_engine.training.journal import Journal
from peft_engine.training.methods import check_targets
from peft_engine.training.model import TrainableModel, choose_device, load_skeleton
from peft_engine.training.pissa import go_on_from
from peft_engine.training.reporter import Reporter
from peft_engine.training.request import Request
from peft_engine.training.same_inputs import refuse_other_inputs
from peft_engine.training.support import refuse_on_device
from peft_engine.training.tuner import Tuner
from peft_engine.training.watched.resources import Resources
from peft_engine.training.watched.watching import Watching
from peft_schemas.config import ModelConfig


@dataclass(frozen=True)
class Session:
    """What a session works with."""

    run: RunDirectory
    request: Request
    base: ResolvedBase
    """With its `hf_dir`."""

    datasets: list[LoadedDataset]
    evaluation: list[LoadedDataset]
    """What is measured on, instead of a share of `datasets`."""

    backend: Backend

    journal: Journal
    control: Control
    place: Place
    start: Checkpoint | None
    """Where to go on; None to begin."""

    def fit(self) -> None:
        """Train to the end and complete the journal.

        Raises:
            Interrupted: The run shall not go on. Unless it is cancelled, there is a checkpoint if there was a step.
            WorkbenchError: The run cannot be done as asked.
        """
        config = self.request.config
        disable_progress_bar()
        skeleton = load_skeleton(self._folder(), config.model)
        check_targets(skeleton, config.method)
        device = choose_device(config.compute)
        devices = torch.cuda.device_count() if device.type == "cuda" else 1
        refuse_on_device(config, device.type, processes=self.place.local_processes, devices=devices)
        with Group(self.place, device) as group:
            self._fit(group, device, skeleton.get_input_embeddings().num_embeddings)

    def _fit(self, group: Group, device: torch.device, vocabulary: int) -> None:
        config, journal, folder = self.request.config, self.journal, self._folder()
        start = group.share(self.start)
        if start is not None:
            self._compute_as_before()
        if group.leads:
            self._record_environment(goes_on=start is not None)
        self.control.check()
        journal.enter("preparing", "writing the examples in the model's own form")
        tokenizer = load_tokenizer(folder, config.model, self.request.folder)
        max_length = self._max_length()
        with group.first_one_first():
            data = self._data(tokenizer, max_length, vocabulary)
        refuse_different_data(group, data.train)
        self.control.check()
        journal.enter("preparing", "loading the model")
        _make_repeatable(config.training.seed)
        trainable = self.backend.load(folder, config, group.own(device), max_length)
        if start is not None and trainable.initial is not None:
            begun = go_on_from(trainable.model, trainable.initial, start.path)
            trainable = replace(trainable, initial=begun)
        self.control.check()
        control = SharedControl(self.control, group)
        resources = Resources(trainable.device)
        reporter = Reporter(journal, control, group, resources, lambda steps: self._begin(steps, trainable, data))
        watching = Watching(
            self.run,
            config,
            control=control,
            group=group,
            journal=journal,
            reporter=reporter,
            scaled=trainable.precision == "float16",
            vocabulary=vocabulary,
        )
        tuner = Tuner(
            trainable,
            config,
            train=data.train,
            held_out=data.held_out,
            store=CheckpointStore(self.run, config.checkpoint.keep),
            reporter=reporter,
            folder=self.run.checkpoints,
            group=group,
            callbacks=watching.callbacks,
            stateful=watching.stateful,
        )
        with watching.over(tuner):
            tuner.fit(None if start is None else start.path)
        step = tuner.state.global_step
        if reporter.ended_early:
            raise Interrupted
        self._tell_what_ends(tuner)
        weights = tuner.gathered()
        group.leave()
        if not group.leads:
            return
        journal.enter("running", "writing the result")
        artifact = save_artifact(self.run, trainable, tokenizer, self.base, config, journal, weights)
        journal.complete(step=step, adapter=artifact.adapter, gguf=artifact.gguf, merged=artifact.merged)

    def _folder(self) -> Path:
        if self.base.hf_dir is None:
            raise ValueError("a session needs a materialised base")
        return self.base.hf_dir

    def _compute_as_before(self) -> None:
        """Take as many threads as the worker before did: another number changes the last bits of a sum."""
        with suppress(OSError, ValueError, KeyError, TypeError, RuntimeError):
            torch.set_num_threads(json.loads(self.run.environment.read_bytes())["threads"])

    def _record_environment(self, *, goes_on: bool) -> None:
        record = record_environment(
            self.request.config,
            self.request.folder,
            self.base,
            [*self.datasets, *self.evaluation],
            torch.get_num_threads(),
        )
        if goes_on:
            refuse_other_inputs(self.run, record)
        write_atomic(self.run.environment, json.dumps(record, indent=2, ensure_ascii=False) + "\n")

    def _max_length(self) -> int:
        asked, limit = self.request.config.training.max_length, self.base.context_length
        if limit is None or asked <= limit:
            return asked
        self.journal.warning(f"`training.max_length` is {asked}, but the model reads {limit} tokens: {limit} is used.")
        return limit

    def _data(self, tokenizer: Any, max_length: int, vocabulary: int) -> TrainingData:
        config = self.request.config
        tokenise = ExampleTokeniser(
            tokenizer, max_length=max_length, completion_only=config.training.completion_only_loss
        )
        cache = TokenCache(token_cache_dir())
        preparation = DataPreparation(
            config, tokenise, vocabulary, cache, self.journal, self.control.check, self.base.context_length
        )
        data = preparation.prepare(self.datasets, self.evaluation)
        # The texts are not needed any more, and a run may hold them for days.
        self.datasets.clear()
        self.evaluation.clear()
        return data

    def _begin(self, steps: int, trainable: TrainableModel, data: TrainingData) -> None:
        self.journal.plan(
            total_steps=steps,
            examples=data.examples,
            trainable_parameters=trainable.trainable_parameters,
            total_parameters=trainable.total_parameters,
            device=_on(trainable.device, self.place.processes),
            dtype=_held_as(self.request.config.model, trainable),
            backend=self.backend.description,
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


def _make_repeatable(seed: int) -> None:
    """Seed every generator, and have torch choose algorithms that give the same result each time."""
    set_seed(seed)
    settle_first_call()
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    # Filling fresh memory would only serve code that reads what it never wrote.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a property of a module


def _on(device: torch.device, processes: int) -> str:
    return str(device) if processes == 1 else f"{processes} × {device.type}"
