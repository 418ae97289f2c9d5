"""A conversion that a person asked for: from the name of a model to a result that the library lists."""

import logging
import re
from collections.abc import Callable
from pathlib import Path

from peft_daemon.models.changing import add_model
from peft_daemon.models.listing import list_models
from peft_daemon.models.sources import Preparing, source_of
from peft_engine.models.conversion import convert_model, require_new, require_target
from peft_engine.models.offers import conversion_offers
from peft_engine.models.refusal import NotConvertible
from peft_schemas.conversion import (
    ConversionOffers,
    ConversionProgress,
    ConversionRequest,
    ConvertParams,
    ConvertResult,
)
from peft_schemas.errors import WorkbenchError
from peft_schemas.library import ModelEntry, ModelQuery

_log = logging.getLogger(__name__)

_WEIGHTS = re.compile(r"\.(gguf|safetensors|bin|pt|pth|npz)$", re.IGNORECASE)
"""How a file with weights is called."""


def offers_for(model: str) -> ConversionOffers:
    """Return what a model can be converted to, or why to nothing.

    Args:
        model: As `source_of` takes it.

    Raises:
        WorkbenchError: There is no such model here.
    """
    source = source_of(model)
    try:
        return ConversionOffers(offers=conversion_offers(source.path, source.adapter))
    except NotConvertible as error:
        return ConversionOffers(offers=[], reason=str(error))
    except (OSError, ValueError) as error:
        return ConversionOffers(offers=[], reason=f"{source.path.name} cannot be read: {error}.")


def result_name(model: str, to: str) -> str:
    """Return a name for what a model becomes: `base:run` to `gguf:q8_0` is `base-run-q8_0.gguf`."""
    path = Path(model).expanduser()
    last = path.absolute().name if path.exists() else model.rpartition("/")[2]
    ending = _WEIGHTS.search(last)
    name = re.sub(r"[^\w.-]+", "-", last[: ending.start()] if ending else last)
    if to == "safetensors":
        # Of a file comes a file, of a folder a folder.
        return f"{name}.safetensors" if ending else f"{name}-safetensors"
    return f"{name}-adapter.gguf" if to == "gguf-adapter" else f"{name}-{to.partition(':')[2]}.gguf"


def convert_and_add(
    params: ConvertParams,
    progress: Callable[[ConversionProgress], None],
    cancelled: Callable[[], bool],
    *,
    python: str,
) -> ConvertResult:
    """Convert, and put the result into the library.

    Args:
        params: What is to be made of what.
        progress: Told what is being done.
        cancelled: Asked a few times a second.
        python: An interpreter with the training and serving extras.

    Raises:
        Cancelled: `cancelled` said so; nothing is left.
        WorkbenchError: There is no such model or conversion, or it failed; nothing is left of it.
    """
    output = Path(params.output).expanduser().absolute()
    require_target(params.to)
    require_new(output)
    preparing = Preparing(lambda step: progress(ConversionProgress(step=step)), cancelled)
    source = source_of(params.model, preparing)
    request = ConversionRequest(
        source=str(source.path),
        adapter=None if source.adapter is None else str(source.adapter),
        to=params.to,
        output=str(output),
    )
    result = convert_model(request, progress, cancelled, python=python)
    model = None if params.to == "gguf-adapter" else add_result(Path(result.output))
    return ConvertResult(result=result, model=model)


def add_result(output: Path) -> ModelEntry | None:
    """Put what a conversion made into the library, by its own name or one like it; None when it is no whole model."""
    name = output.name if output.is_dir() else output.stem
    taken = {model.id for model in list_models(ModelQuery()).models}
    free = next(one for number in range(1, len(taken) + 2) if (one := _numbered(name, number)) not in taken)
    try:
        return add_model(output, free if free != name else None)
    except WorkbenchError as error:
        _log.info("%s is not put into the library: %s", output, error)
        return None


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"
