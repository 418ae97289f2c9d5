"""Converting a model for whoever stays light: the work is done by a child process (`peft_engine.export.child`)."""

import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from peft_engine.cancelling import Cancelled
from peft_engine.models.child import follow_child
from peft_engine.models.convertible import conversion_data
from peft_engine.models.unfinished import remove_unfinished
from peft_schemas.conversion import ConversionProgress, ConversionRequest, ConversionResult
from peft_schemas.errors import WorkbenchError

__all__ = ["Cancelled", "convert_model", "require_new", "require_target"]

_NEEDED = ("torch", "transformers", "peft", "gguf", "llama_cpp")


def require_target(to: str) -> None:
    """See that there is such a target, before anything is started for it.

    Raises:
        WorkbenchError: There is none (`conversion-failed`).
    """
    targets = ["safetensors", "gguf-adapter", *(f"gguf:{kind}" for kind in conversion_data().types)]
    if to not in targets:
        raise WorkbenchError("conversion-failed", f"Nothing is converted to {to}.", f"There are: {', '.join(targets)}.")


def require_new(output: Path) -> None:
    """See that a result overwrites nothing.

    Raises:
        WorkbenchError: There is something (`conversion-failed`).
    """
    if output.exists():
        raise WorkbenchError("conversion-failed", f"{output} exists already.", "Choose another name, or remove it.")


def convert_model(
    request: ConversionRequest,
    progress: Callable[[ConversionProgress], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
    *,
    python: str = sys.executable,
) -> ConversionResult:
    """Convert a model and return what was made.

    Args:
        request: What is to be made of what.
        progress: Told what is being done.
        cancelled: Asked a few times a second.
        python: An interpreter with the training and serving extras.

    Raises:
        Cancelled: `cancelled` said so before the result had its name; nothing is left.
        WorkbenchError: PyTorch or llama.cpp is not installed (`extra-missing`); there is no such conversion, its
            result does not agree with its source, or it ended unexpectedly (`conversion-failed`); the disk is full
            (`disk-full`); the source is damaged or refused.
    """
    require_target(request.to)
    if python == sys.executable:
        _require_extras()
    results: list[ConversionResult] = []

    def hear(message: dict[str, object]) -> None:
        if "result" in message:
            results.append(ConversionResult.model_validate(message["result"]))
        elif "progress" in message:
            progress(ConversionProgress.model_validate(message["progress"]))

    command = [python, "-P", "-m", "peft_engine.export.child", request.model_dump_json()]
    try:
        code = follow_child(command, hear, cancelled)
    except Cancelled:
        if not results:
            raise
    finally:
        if not results:
            remove_unfinished(Path(request.output))
    if not results:
        raise WorkbenchError(
            "conversion-failed",
            f"The conversion of {Path(request.source).name} ended unexpectedly (exit code {code}).",
            "The machine may have run out of memory: close other programs, or convert a smaller model.",
        )
    return results[0]


def _require_extras() -> None:
    lacking = [name for name in _NEEDED if find_spec(name) is None]
    if lacking:
        raise WorkbenchError(
            "extra-missing",
            f"{', '.join(lacking)} is not installed for {sys.executable}, so nothing can be converted and compared.",
            f"Install it: {sys.executable} -m pip install 'peft-workbench[train,serve]'",
        )
