"""A run of SmolLM2-135M-Instruct, and what was seen of its model before the first step, at it, and after the last."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from peft_engine.rundir import RunDirectory
from peft_engine.training import session
from peft_engine.training.backends import transformers_backend
from tests.integration.training.workshop import Workshop

BASE = "HuggingFaceTB/SmolLM2-135M-Instruct"
CACHED = "models/HuggingFaceTB--SmolLM2-135M-Instruct"
EXAMPLE = Path(__file__).parents[3] / "examples/workspace/data/train.jsonl"
IDS = torch.tensor([[1, 4093, 198, 1780, 314, 260, 7837, 2909, 47, 2, 198]])


@dataclass
class Witness:
    """What was seen of one run."""

    run: RunDirectory
    base: Path
    first_logits: torch.Tensor = field(default_factory=lambda: torch.empty(0))
    last_logits: torch.Tensor = field(default_factory=lambda: torch.empty(0))
    frozen_before: dict[str, str] = field(default_factory=dict)
    frozen_after: dict[str, str] = field(default_factory=dict)
    frozen_bytes: dict[str, int] = field(default_factory=dict)
    start: dict[str, torch.Tensor] = field(default_factory=dict)
    """What learns, before the first step."""

    end: dict[str, torch.Tensor] = field(default_factory=dict)
    """The same after the last, by the names of the model in memory."""

    with_gradient: set[str] = field(default_factory=set)
    """What got a gradient that is not all zeros."""


def logits(model: Any) -> torch.Tensor:
    """Return the model's logits for `IDS`."""
    # There is no dropout here; while a model is not training, bitsandbytes computes with another kernel.
    model.train()
    with torch.no_grad():
        answer: torch.Tensor = model(IDS).logits[0]
    return answer


def workshop_of_the_real_model(home: Path, folder: Path, model_cache: Path) -> Workshop:
    """Return a place for runs of the real model on the example's data."""
    (home / "models").symlink_to(model_cache)
    shutil.copyfile(EXAMPLE, folder / "train.jsonl")
    return Workshop(folder, BASE)


@contextmanager
def watched(run: RunDirectory, home: Path) -> Iterator[Witness]:
    """Watch a run that is done in here."""
    seen = Witness(run, home / CACHED)
    load, save = transformers_backend.load_model, session.save_artifact

    def watch_load(*arguments: Any) -> Any:
        made = load(*arguments)
        seen.first_logits, seen.frozen_before = logits(made.model), _frozen(made.model)
        seen.frozen_bytes = {n: p.nbytes for n, p in made.model.named_parameters() if not p.requires_grad}
        seen.start = _learning(made.model)
        for name, parameter in made.model.named_parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(_noting(seen.with_gradient, name))
        return made

    def watch_save(run: RunDirectory, trainable: Any, *arguments: Any) -> Any:
        seen.last_logits, seen.frozen_after = logits(trainable.model), _frozen(trainable.model)
        seen.end = _learning(trainable.model)
        return save(run, trainable, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTW_HOME", str(home))
        patch.setattr(transformers_backend, "load_model", watch_load)
        patch.setattr(session, "save_artifact", watch_save)
        yield seen


def _noting(names: set[str], name: str) -> Any:
    def note(parameter: torch.Tensor) -> None:
        if parameter.grad is not None and bool(parameter.grad.any()):
            names.add(name)

    return note


def _frozen(model: Any) -> dict[str, str]:
    """Return the hashes of everything that shall not learn, buffers and the scales of packed weights included."""
    frozen = {name: p for name, p in model.named_parameters() if not p.requires_grad} | dict(model.named_buffers())
    for name, parameter in list(frozen.items()):
        if (state := getattr(parameter, "quant_state", None)) is not None:
            frozen[f"{name}.absmax"] = state.absmax
    return {
        name: hashlib.sha256(tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes()).hexdigest()
        for name, tensor in frozen.items()
    }


def _learning(model: Any) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
