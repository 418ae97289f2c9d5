"""Where the weights are that a conversion begins with: a model's, or a run's result."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from peft_daemon.models.listing import list_models
from peft_engine.catalog import find_servable
from peft_engine.library.ids import ChosenAdapter, parse_model_id
from peft_engine.models import ResolvedBase, resolve_base
from peft_engine.models.materialise import materialise
from peft_engine.rundir import RunDirectory, find_run
from peft_schemas.config import ModelConfig
from peft_schemas.errors import WorkbenchError
from peft_schemas.library import ModelEntry, ModelQuery


@dataclass(frozen=True)
class Source:
    """What is converted."""

    path: Path
    """A file, or a folder."""

    adapter: Path | None = None
    """A PEFT adapter folder on it."""


@dataclass(frozen=True)
class Preparing:
    """Who hears of it when a base has to be made ready first, and can end it."""

    say: Callable[[str], None] = lambda _: None
    """Told what is being done, for people."""

    cancelled: Callable[[], bool] = lambda: False
    """Asked a few times a second."""

    def folder(self, resolved: ResolvedBase) -> Path:
        """Return a base's folder, which is made where there is none.

        Raises:
            Cancelled: `cancelled` said so.
            WorkbenchError: It cannot be had.
        """
        found = materialise(resolved, self.say, self.cancelled).hf_dir
        assert found is not None  # noqa: S101  (what `materialise` promises)
        return found


def source_of(model: str, preparing: Preparing = Preparing()) -> Source:
    """Return the files of a model.

    Args:
        model: As a user names it: a path, an id of the library, one with a run's adapter on it, or a hub id.
        preparing: Hears of it when a hub id's model has to be made ready first.

    Raises:
        Cancelled: Its preparation was given up.
        WorkbenchError: It is not on this machine and cannot be had; or several adapters are asked for, or one not in
            full (`not-supported`).
    """
    path = Path(model).expanduser()
    if path.exists():
        return Source(path.absolute())
    entry = next((entry for entry in list_models(ModelQuery()).models if entry.id == model), None)
    if entry is not None and entry.base != model:
        return Source(_listed(entry))
    wanted = parse_model_id(model)
    if entry is None and wanted.adapters:
        if len(wanted.adapters) > 1 or wanted.adapters[0] != ChosenAdapter(wanted.adapters[0].name):
            raise WorkbenchError(
                "not-supported",
                f"{model} is more than one adapter as it was trained.",
                "Name one run, without a scale.",
            )
        return result_of_run(find_run(wanted.adapters[0].name), preparing)
    # A hub id means the weights that would be trained, in whatever form they came.
    return Source(preparing.folder(resolve_base(model)))


def result_of_run(run: RunDirectory, preparing: Preparing = Preparing()) -> Source:
    """Return what a run made: a whole model, or an adapter and the base that it was trained on.

    Raises:
        Cancelled: The preparation of its base was given up.
        WorkbenchError: It made nothing, or not yet (`adapter-missing`); its record is damaged (`run-missing`); or its
            base is not on this machine any more.
    """
    if run.model.is_dir():
        return Source(run.model)
    if not (run.adapter.is_dir() and run.manifest.is_file()):
        raise WorkbenchError(
            "adapter-missing",
            f"Run {run.id} has no result to export: it has not completed.",
            f"Look at it with `peftw runs show {run.id}`.",
        )
    return Source(preparing.folder(_base_of(run)), run.adapter)


def _base_of(run: RunDirectory) -> ResolvedBase:
    try:
        resolved = json.loads(run.resolved.read_bytes())
        model = ModelConfig.model_validate(resolved["config"]["model"])
        folder = Path(resolved["source"]).parent
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkbenchError(
            "run-missing", f"What run {run.id} was trained on is not known any more.", "Choose another run."
        ) from error
    return resolve_base(model.base, model.revision, folder=folder)


def _listed(entry: ModelEntry) -> Path:
    """Return the files of a model of the library."""
    if entry.problem is not None:
        raise WorkbenchError(entry.problem.code, entry.problem.message, entry.problem.remedy)
    if entry.definition is not None and find_servable(entry.id).adapters:
        raise WorkbenchError(
            "not-supported",
            f"{entry.id} is declared with adapters, which are applied when it answers.",
            "Convert its base, or a run whose adapter is merged into it.",
        )
    return Path(entry.path)
