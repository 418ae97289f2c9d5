"""The result of a run: written aside, checked, named, hashed."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from peft_engine.export import NotConvertible, write_lora_gguf, write_merged
from peft_engine.files import fsync_dir
from peft_engine.models import ResolvedBase
from peft_engine.rundir import RunDirectory
from peft_engine.training.journal import Journal
from peft_engine.training.model import TrainableModel
from peft_engine.training.pissa import Tensors, to_plain_lora
from peft_schemas.config import RunConfig
from peft_schemas.errors import WorkbenchError


@dataclass(frozen=True)
class Artifact:
    """What a completed run leaves, as paths relative to the run directory."""

    adapter: str | None
    gguf: str | None
    merged: str | None


def save_artifact(
    run: RunDirectory,
    trainable: TrainableModel,
    tokenizer: Any,
    base: ResolvedBase,
    config: RunConfig,
    journal: Journal,
    weights: Tensors | None = None,
) -> Artifact:
    """Write the adapter with what is made of it, or the whole model of full fine-tuning, and then the manifest.

    Args:
        run: Where to write.
        trainable: What was trained.
        tokenizer: The tokenizer that it was trained with.
        base: What it was trained on.
        config: Says what is made of the adapter.
        journal: Told what could not be made.
        weights: What was trained, where the model holds only slices of it.

    Raises:
        WorkbenchError: What was written is not what was trained (`no-artifact`).
        OSError: The disk is full. No half-written artifact is left.
    """
    model = trainable.model
    if hasattr(model, "peft_config"):
        template = tokenizer.chat_template if config.model.chat_template is not None else None
        _save_adapter(run.adapter, trainable, base, template, weights)
        gguf = _save_gguf(run, base, journal)
        merged = _save_merged(run, base, tokenizer, config) if config.export.merge else None
        roots = [run.adapter, *([run.gguf] if gguf else []), *([run.merged] if merged else [])]
        artifact = Artifact(run.adapter.name, gguf, merged)
    else:
        _save_model(run.model, model, tokenizer, weights)
        roots = [run.model]
        artifact = Artifact(None, None, None)
    run.write_manifest(run.hash_artifacts(roots))
    return artifact


def _save_adapter(
    target: Path, trainable: TrainableModel, base: ResolvedBase, template: str | None, weights: Tensors | None
) -> None:
    making, model = _aside(target), trainable.model
    if base.origin != "path":
        # The id, not this machine's cache folder: the adapter is to be opened anywhere.
        model.peft_config["default"].base_model_name_or_path = base.base
        model.peft_config["default"].revision = base.revision
        # The model card takes its base and its tags from here.
        bare = model.get_base_model()
        bare.config._name_or_path = bare.name_or_path = base.base
    # False: whether embeddings were resized would else be asked of the hub.
    model.save_pretrained(making, save_embedding_layers=False, state_dict=weights)
    if trainable.initial is not None:
        to_plain_lora(making, trainable.initial)
    if template is not None:
        # Beside the adapter, which learned to answer to it and not to the base's own.
        (making / "chat_template.jinja").write_text(template, encoding="utf-8")
    _check_weights(making / "adapter_model.safetensors")
    _name(making, target)


def _save_model(target: Path, model: Any, tokenizer: Any, weights: Tensors | None) -> None:
    making = _aside(target)
    model.config.use_cache = True
    model.save_pretrained(making, state_dict=weights)
    tokenizer.save_pretrained(making)
    for file in making.glob("*.safetensors"):
        _check_weights(file)
    _name(making, target)


def _save_gguf(run: RunDirectory, base: ResolvedBase, journal: Journal) -> str | None:
    assert base.hf_dir is not None  # noqa: S101  (a trained model was loaded from there)
    config = json.loads((base.hf_dir / "config.json").read_bytes())
    try:
        write_lora_gguf(run.adapter, config, run.gguf)
    except NotConvertible as error:
        journal.warning(f"{error} The adapter cannot be chatted with here; it opens in PEFT.")
        return None
    return run.gguf.name


def _save_merged(run: RunDirectory, base: ResolvedBase, tokenizer: Any, config: RunConfig) -> str:
    assert base.hf_dir is not None  # noqa: S101  (a trained model was loaded from there)
    making = _aside(run.merged)
    write_merged(run.adapter, base.hf_dir, tokenizer, making, trust_remote_code=config.model.trust_remote_code)
    for file in making.glob("*.safetensors"):
        _check_weights(file)
    _name(making, run.merged)
    return run.merged.name


def _check_weights(file: Path) -> None:
    """See that the file holds tensors and that every number in it is one.

    Raises:
        WorkbenchError: It does not (`no-artifact`).
    """
    try:
        with safe_open(file, framework="pt") as tensors:
            names = list(tensors.keys())
            finite = all(bool(torch.isfinite(tensors.get_tensor(name)).all()) for name in names)
    except Exception as error:
        raise _no_artifact("could not be read back after it was written") from error
    if not names:
        raise _no_artifact("holds no weights")
    if not finite:
        raise _no_artifact("holds numbers that are not finite, because the training diverged")


def _no_artifact(what: str) -> WorkbenchError:
    return WorkbenchError(
        "no-artifact",
        f"The run reached its last step, but its result {what}.",
        "Lower `training.learning_rate` if the loss grew; the checkpoints before that are intact.",
    )


def _aside(target: Path) -> Path:
    making = target.with_name(f".{target.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    return making


def _name(making: Path, target: Path) -> None:
    """Make a folder durable, then visible."""
    for file in making.rglob("*"):
        if file.is_file():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
    making.rename(target)
    fsync_dir(target.parent)
