"""`/v1/models`: what can be asked for, and how far each is."""

import asyncio
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from peft_engine.catalog import Servable, list_servable
from peft_engine.inference.http.asking import find_model, scheduler_of
from peft_engine.inference.http.operations import Shape, json_response
from peft_engine.inference.scheduler import Scheduler
from peft_schemas.errors import ErrorReport
from peft_schemas.library import ModelCapability, ModelFormat


class ModelCard(Shape):
    """A base, or a base with adapters, as a model that can be asked for. OpenAI's fields, then ours."""

    id: str
    """What a request names in `model`."""

    object: Literal["model"] = "model"
    created: int
    """When it came to this machine, seconds since the epoch."""

    owned_by: Literal["peft-workbench"] = "peft-workbench"
    label: str
    """A short name for people."""

    base: str
    """The id of the base alone."""

    run_id: str | None
    """The run that made the adapter."""

    adapters: list[str]
    """Names of the adapters that are applied, none for a bare base."""

    format: ModelFormat
    architecture: str | None
    quantization: str | None
    parameters: int | None
    size_bytes: int
    """Of the base's weights on disk."""

    capabilities: list[ModelCapability]
    """What the base was made for, by its files."""

    tool_calling: bool
    """Whether the model's own chat template knows tools. Others are told of them by a prompt of ours."""

    context_length: int
    """Tokens of prompt and answer together, as served."""

    status: Literal["none", "loading", "ready", "error"]
    """How far the base is on its way into memory."""

    error: ErrorReport | None
    """Why it could not be brought there the last time."""

    loaded: bool
    """Whether it is there, so that an answer begins at once."""

    memory_bytes: int
    """What the base takes in memory, an estimate while it is being loaded."""

    tokens_per_second: float | None
    """As measured when it last completed an answer; None if it has not yet."""


class ModelList(Shape):
    """Bases by name, then adapters, newest first."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


async def list_models(request: Request) -> Response:
    """Answer with everything that can be served now."""
    models = await asyncio.to_thread(list_servable)
    return json_response(ModelList(data=[_card(model, scheduler_of(request)) for model in models]))


async def show_model(request: Request) -> Response:
    """Answer with one model."""
    model = await find_model(request, request.path_params["model_id"])
    return json_response(_card(model, scheduler_of(request)))


def _card(model: Servable, scheduler: Scheduler) -> ModelCard:
    resident = next((one for one in scheduler.residents() if one.base == model.base), None)
    return ModelCard(
        id=model.id,
        created=int(model.created),
        label=model.label,
        base=model.base,
        run_id=model.run_id,
        adapters=[adapter.name for adapter in model.adapters],
        format=model.format,
        architecture=model.architecture,
        quantization=model.quantization,
        parameters=model.parameters,
        size_bytes=model.size_bytes,
        capabilities=sorted(model.capabilities),
        tool_calling="tools" in model.capabilities,
        context_length=model.context_length,
        status=resident.state if resident is not None else "none",
        error=resident.error if resident is not None else None,
        loaded=resident is not None and resident.state == "ready",
        memory_bytes=resident.memory_bytes if resident is not None else 0,
        tokens_per_second=scheduler.metrics.speeds.get(model.id),
    )
