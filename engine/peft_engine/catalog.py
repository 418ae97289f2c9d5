"""What can be chatted with on this machine: bases, and bases with a run's adapter. Looks at files only, loads nothing.

The list is made anew at each call, so a run that completes, or is removed, shows at once.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from peft_engine.models import ResolvedBase, resolve_base
from peft_engine.models.gguf_header import GgufHeader, read_gguf_header
from peft_engine.profiles import known_models
from peft_engine.rundir import RunDirectory, find_run, list_runs
from peft_schemas.config import ModelConfig
from peft_schemas.errors import WorkbenchError

CONTEXT_LIMIT = 8192
"""Tokens. A model made for more is served with this much, because its K/V memory grows with every token of it."""

_FALLBACK_CONTEXT = 2048
"""Tokens, for a file that does not say what it was made for."""


@dataclass(frozen=True)
class Servable:
    """One model id and the files behind it."""

    id: str
    """`<base>` or `<base>:<run id>`."""

    label: str
    """A short name for people."""

    base: str
    """`model.base` as written in the config."""

    run_id: str | None
    gguf: Path
    """The base's weights for llama.cpp."""

    adapter: Path | None
    """The run's adapter for llama.cpp."""

    context_length: int
    """Tokens of prompt and answer together, as served."""

    tool_calling: bool
    """Whether the model's own chat template knows tools."""

    created: float
    """When it came to this machine, seconds since the epoch."""


def list_servable() -> list[Servable]:
    """Return everything that can be served now: bases by name, then adapters, newest first."""
    adapters = sorted(_adapters(), key=lambda model: (model.created, model.id), reverse=True)
    bases: dict[str, Servable] = {}
    for base in [*_known_bases(), *map(_base_of, adapters)]:
        bases.setdefault(base.id, base)
    return [*sorted(bases.values(), key=lambda base: base.id), *adapters]


def find_servable(model_id: str) -> Servable:
    """Return the model of an id.

    Raises:
        WorkbenchError: Nothing has that id (`model-missing`); its run has no adapter to serve any more
            (`adapter-missing`); or its base has no GGUF form (`base-not-servable`).
    """
    base, _, run_id = model_id.rpartition(":")
    run = _run_or_none(run_id) if base else None
    if run is not None:
        model = _of_run(run)
        if model.id == model_id:
            return model
    if model_id in known_models():
        return _of_base(model_id, resolve_base(model_id))
    servable = list_servable()
    for model in servable:
        if model.id == model_id:
            return model
    names = ", ".join(model.id for model in servable)
    raise WorkbenchError(
        "model-missing",
        f"There is no model {model_id} here.",
        f"There are: {names}."
        if names
        else "Run a config first, or install the small model that `peftw doctor` names.",
    )


def _known_bases() -> Iterator[Servable]:
    for base in known_models():
        try:
            yield _of_base(base, resolve_base(base))
        except WorkbenchError:
            continue


def _adapters() -> Iterator[Servable]:
    for run in list_runs():
        try:
            yield _of_run(run)
        except WorkbenchError:
            continue


def _run_or_none(run_id: str) -> RunDirectory | None:
    try:
        return find_run(run_id)
    except WorkbenchError:
        return None


def _of_run(run: RunDirectory) -> Servable:
    """Return the adapter of a completed run.

    Raises:
        WorkbenchError: The run has none, or its base is elsewhere or has no GGUF form.
    """
    if run.manifest.is_file() and run.adapter.is_dir() and not run.gguf.exists():
        raise WorkbenchError(
            "adapter-missing",
            f"The adapter of run {run.id} has no form that llama.cpp can load, so it cannot be chatted with here.",
            f"Open it with PEFT; {run.events} says why it has none.",
        )
    try:
        # The manifest is written last: without it the adapter may be half of one.
        created = run.manifest.stat().st_mtime
        run.gguf.stat()
        resolved = json.loads(run.resolved.read_bytes())
        model = ModelConfig.model_validate(resolved["config"]["model"])
        folder = Path(resolved["source"]).parent
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        raise WorkbenchError(
            "adapter-missing",
            f"Run {run.id} has no adapter to chat with: it has not completed, or {run.gguf.name} was removed.",
            f"Look at it with `peftw runs show {run.id}`, or choose another model.",
        ) from error
    base = _of_base(model.base, resolve_base(model.base, model.revision, folder=folder))
    return replace(
        base,
        id=f"{model.base}:{run.id}",
        label=f"{run.id} on {base.label}",
        run_id=run.id,
        adapter=run.gguf,
        created=created,
    )


def _of_base(base: str, resolved: ResolvedBase) -> Servable:
    if resolved.gguf is None:
        raise WorkbenchError(
            "base-not-servable",
            f"{base} has no GGUF file on this machine, which is the form that is served.",
            "Point `model.base` at a GGUF file, or at a model whose package carries one.",
        )
    stat = resolved.gguf.stat()
    header = _header(resolved.gguf, stat.st_size, stat.st_mtime_ns)
    return Servable(
        id=base,
        label=Path(base).name,
        base=base,
        run_id=None,
        gguf=resolved.gguf,
        adapter=None,
        context_length=min(header.context_length or _FALLBACK_CONTEXT, CONTEXT_LIMIT),
        tool_calling=re.search(r"\btools\b", header.chat_template or "") is not None,
        created=stat.st_mtime,
    )


def _base_of(adapter: Servable) -> Servable:
    return replace(adapter, id=adapter.base, label=Path(adapter.base).name, run_id=None, adapter=None)


@lru_cache(maxsize=64)
def _header(path: Path, size: int, mtime_ns: int) -> GgufHeader:
    """Read a header once for each state of the file: skipping a long vocabulary takes a tenth of a second."""
    try:
        return read_gguf_header(path)
    except (OSError, ValueError) as error:
        raise WorkbenchError(
            "model-unreadable", f"{path} cannot be read as a GGUF model: {error}.", "Get the file again."
        ) from error
