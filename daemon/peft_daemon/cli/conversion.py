"""Conversions as commands: where the model is, what is being done, and what came of it."""

import json
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn

from peft_daemon.cli.output import err, out, print_json
from peft_daemon.cli.runs_words import size
from peft_engine.models import ResolvedBase, resolve_base
from peft_engine.models.conversion import convert_model
from peft_engine.models.materialise import materialise
from peft_engine.rundir import RunDirectory
from peft_schemas.config import ModelConfig
from peft_schemas.conversion import ConversionProgress, ConversionRequest
from peft_schemas.errors import WorkbenchError


def carry_out(request: ConversionRequest, *, as_json: bool) -> None:
    """Convert, show how far it is, and print the result.

    Raises:
        WorkbenchError: There is no such conversion, or it failed; nothing is left of it.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, console=err, transient=True, disable=as_json) as bar:
        task = bar.add_task("starting", total=None)

        def show(progress: ConversionProgress) -> None:
            total = None if progress.share is None else 1
            bar.update(task, description=progress.step, total=total, completed=progress.share or 0)

        result = convert_model(request, show)
    if as_json:
        print_json(result)
        return
    compared = (
        "the same numbers, bit by bit"
        if result.comparison == "bits"
        else f"its logits differ from the source's by {result.difference:.2%}, of {result.tolerance:.0%} allowed"
    )
    out.print(f"Written to {result.output} ({size(result.bytes)}); {compared}.", markup=False)


def folder_of_model(model: str) -> Path:
    """Return where a model is: a path as it is, a hub id's folder.

    Raises:
        WorkbenchError: It is not on this machine and cannot be had.
    """
    path = Path(model).expanduser()
    return path.absolute() if path.exists() else _folder(resolve_base(model))


def base_of_run(run: RunDirectory) -> Path:
    """Return the folder of the base that a run was trained on.

    Raises:
        WorkbenchError: The run's record is damaged (`run-missing`), or the base is not on this machine any more.
    """
    try:
        resolved = json.loads(run.resolved.read_bytes())
        model = ModelConfig.model_validate(resolved["config"]["model"])
        folder = Path(resolved["source"]).parent
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WorkbenchError(
            "run-missing", f"What run {run.id} was trained on is not known any more.", "Choose another run."
        ) from error
    return _folder(resolve_base(model.base, model.revision, folder=folder))


def _folder(resolved: ResolvedBase) -> Path:
    found = materialise(resolved, lambda step: err.print(step, markup=False)).hf_dir
    assert found is not None  # noqa: S101  (what `materialise` promises)
    return found
