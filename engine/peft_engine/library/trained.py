"""What a completed run left that can be served: an adapter in one form or two, or a whole model."""

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from peft_engine.models import ResolvedBase, resolve_base
from peft_engine.rundir import RunDirectory
from peft_schemas.config import ModelConfig
from peft_schemas.errors import WorkbenchError


@dataclass(frozen=True)
class Trained:
    """The result of a run. At least one of `gguf`, `peft` and `model` is set."""

    run_id: str
    base: ResolvedBase
    """What it was trained on; its `base` is `model.base` as written in the config."""

    created: float
    """When the run completed, seconds since the epoch."""

    gguf: Path | None
    """The adapter for llama.cpp."""

    peft: Path | None
    """The adapter as PEFT writes it: a folder."""

    model: Path | None
    """The folder of the whole model that a full fine-tuning run made."""


def read_trained(run: RunDirectory) -> Trained:
    """Return what a run left.

    Raises:
        WorkbenchError: The run has not completed, or what it made was removed (`adapter-missing`); or its base is gone
            (`model-missing`, `model-unreadable`).
    """
    gguf, peft, model = run.gguf, run.adapter, run.model
    try:
        # The manifest is written last: without it the adapter may be half of one.
        created = run.manifest.stat().st_mtime
        # A run that was brought in from elsewhere may hold links; what is served is what lies in its folder.
        inside = run.path.resolve()
        if not all(path.resolve().is_relative_to(inside) for path in (gguf, peft, model)):
            raise FileNotFoundError(gguf)
        if not (gguf.is_file() or peft.is_dir() or model.is_dir()):
            raise FileNotFoundError(gguf)
        resolved = json.loads(run.resolved.read_bytes())
        wanted = ModelConfig.model_validate(resolved["config"]["model"])
        folder = Path(resolved["source"]).parent
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise WorkbenchError(
            "adapter-missing",
            f"Run {run.id} has no adapter to chat with: it has not completed, or {gguf.name} was removed.",
            f"Look at it with `peftw runs show {run.id}`, or choose another model.",
        ) from error
    return Trained(
        run_id=run.id,
        base=resolve_base(wanted.base, wanted.revision, folder=folder),
        created=created,
        gguf=gguf if gguf.is_file() else None,
        peft=peft if peft.is_dir() else None,
        model=model if model.is_dir() else None,
    )
