"""`/models/…`: what is in memory, and changing it."""

import os

from starlette.requests import Request
from starlette.responses import Response

from peft_engine.inference.http.asking import find_model, read_body, scheduler_of
from peft_engine.inference.http.hang_up import unless_gone
from peft_engine.inference.http.operations import json_response
from peft_schemas.serving import ServeModelParams, ServePinParams, ServeStatus


async def show_status(request: Request) -> Response:
    """Answer with the bases in memory and the default model."""
    return _status(request)


async def switch_model(request: Request) -> Response:
    """Load a model, then make it the default."""
    return await _switch(request, (await read_body(request, ServeModelParams)).model)


async def switch_to_model(request: Request) -> Response:
    """Load the model of the path, then make it the default."""
    await request.body()
    return await _switch(request, request.path_params["model_id"])


async def load_model(request: Request) -> Response:
    """Bring a model's base into memory. Hanging up gives the load up."""
    model = await find_model(request, (await read_body(request, ServeModelParams)).model)
    await unless_gone(request, scheduler_of(request).load(model).done())
    return _status(request)


async def unload_model(request: Request) -> Response:
    """Free a base when its answers are complete."""
    base = await _base(request, (await read_body(request, ServeModelParams)).model)
    await scheduler_of(request).unload(base)
    return _status(request)


async def pin_model(request: Request) -> Response:
    """Keep a base in memory, or no longer."""
    asked = await read_body(request, ServePinParams)
    await scheduler_of(request).pin(await _base(request, asked.model), pinned=asked.pinned)
    return _status(request)


async def _switch(request: Request, model_id: str) -> Response:
    model = await find_model(request, model_id)
    await unless_gone(request, scheduler_of(request).switch(model))
    return _status(request)


async def _base(request: Request, model_id: str) -> str:
    """Return the id of a model's base, which may be in memory although its files are gone."""
    if any(resident.base == model_id for resident in scheduler_of(request).residents()):
        return model_id
    return (await find_model(request, model_id)).base


def _status(request: Request) -> Response:
    scheduler = scheduler_of(request)
    port = request.scope["server"][1]
    return json_response(
        ServeStatus(
            state="running",
            url=f"http://127.0.0.1:{port}/v1",
            port=port,
            pid=os.getpid(),
            model=scheduler.default_model,
            loaded=list(scheduler.loaded),
            models=scheduler.residents(),
            memory_bytes=scheduler.memory_bytes,
            memory_limit=scheduler.memory_limit,
        )
    )
