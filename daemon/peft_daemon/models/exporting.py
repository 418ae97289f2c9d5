"""What is asked of a conversion to export a run's result."""

from pathlib import Path

from peft_daemon.models.sources import Preparing, result_of_run
from peft_engine.models.conversion import require_target
from peft_engine.rundir import RunDirectory, find_run
from peft_schemas.conversion import ConversionRequest
from peft_schemas.errors import WorkbenchError

_ALONE = "f32"
"""The type in which an adapter alone is written: it is small, and packing it would lose what was learned."""


def request_for_run(
    run_id: str,
    *,
    gguf: str | None,
    merge: bool,
    output: Path | None,
    preparing: Preparing = Preparing(),  # noqa: B008  (it is frozen)
) -> ConversionRequest:
    """Return the conversion that exports a run.

    Args:
        run_id: The run.
        gguf: The type of the weights in GGUF, None for safetensors.
        merge: Whether the adapter is merged into its base.
        output: Where to; None for a name made of the run's id, in the working directory.
        preparing: Hears of it when the run's base has to be made ready first.

    Raises:
        WorkbenchError: There is no such run, it has no result, or what is asked for does not go together.
    """
    run = find_run(run_id)
    to = "safetensors" if gguf is None else f"gguf:{gguf}"
    require_target(to)
    if run.model.is_dir():
        if gguf is None or merge:
            raise _nothing_to_do(
                f"Run {run.id} trained the whole model, which is at {run.model}.", "Add --gguf TYPE alone."
            )
    elif not merge and gguf is None:
        raise _nothing_to_do(f"The adapter of run {run.id} is at {run.adapter}.", "Add --gguf f32, --merge, or both.")
    elif not merge and gguf != _ALONE:
        raise _nothing_to_do(
            "An adapter alone is written as f32.", f"Write --gguf {_ALONE}, or add --merge for the whole model."
        )
    source = result_of_run(run, preparing)
    target = output or Path(_name(run, gguf, merge=merge))
    return ConversionRequest(
        source=str(source.path),
        adapter=None if source.adapter is None else str(source.adapter),
        to="gguf-adapter" if source.adapter is not None and not merge else to,
        output=str(target.absolute()),
    )


def _name(run: RunDirectory, gguf: str | None, *, merge: bool) -> str:
    whole = "-merged" if merge else ""
    return f"{run.id}{whole}" if gguf is None else f"{run.id}{whole}-{gguf}.gguf"


def _nothing_to_do(message: str, remedy: str) -> WorkbenchError:
    return WorkbenchError("conversion-failed", message, remedy)
