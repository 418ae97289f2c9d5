"""The routes."""

import asyncio
import os
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from peft_engine.catalog import Servable, find_servable, list_servable
from peft_engine.inference.http.chat import complete
from peft_engine.inference.http.errors import error_body, invalid_request, report_response, unguarded
from peft_engine.inference.scheduler import Scheduler
from peft_engine.loopback.guard import Guard
from peft_schemas import __version__
from peft_schemas.errors import WorkbenchError


def build_app(
    scheduler: Scheduler, *, token: str, on_shutdown: Callable[[], None], on_request: Callable[[str], None]
) -> ASGIApp:
    """Return the guarded application.

    Args:
        scheduler: Computes the answers.
        token: What every request must carry.
        on_shutdown: Called when a client tells the process to leave.
        on_request: Told the path of every request that passes the guard.
    """

    async def shutdown(_: Request) -> Response:
        on_shutdown()
        return JSONResponse({"status": "leaving"}, 202)

    app = Starlette(
        routes=[
            Route("/health", _health),
            Route("/shutdown", shutdown, methods=["POST"]),
            Route("/v1/models", _models),
            Route("/v1/models/{model_id:path}", _model),
            Route("/v1/chat/completions", complete, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _refused, Exception: _fault},
    )
    app.state.scheduler = scheduler
    where = "in serve.json, which `peftw serve` prints"
    return Guard(app, token=token, token_from=where, answer=unguarded, on_request=on_request)


async def _health(request: Request) -> Response:
    scheduler: Scheduler = request.app.state.scheduler
    return JSONResponse(
        {
            "status": "ok",
            "version": __version__,
            "pid": os.getpid(),
            "loaded": list(scheduler.loaded),
            "active": scheduler.active,
            "waiting": scheduler.waiting,
            "generated_tokens": scheduler.generated_tokens,
        }
    )


async def _models(request: Request) -> Response:
    models = await asyncio.to_thread(list_servable)
    loaded = request.app.state.scheduler.loaded
    return JSONResponse({"object": "list", "data": [_describe(model, loaded) for model in models]})


async def _model(request: Request) -> Response:
    try:
        model = await asyncio.to_thread(find_servable, request.path_params["model_id"])
    except WorkbenchError as error:
        return report_response(error.report())
    return JSONResponse(_describe(model, request.app.state.scheduler.loaded))


def _describe(model: Servable, loaded: tuple[str, ...]) -> dict[str, object]:
    return {
        "id": model.id,
        "object": "model",
        "created": int(model.created),
        "owned_by": "peft-workbench",
        "base": model.base,
        "run_id": model.run_id,
        "label": model.label,
        "context_length": model.context_length,
        "tool_calling": model.tool_calling,
        "loaded": model.base in loaded,
    }


async def _refused(request: Request, error: Any) -> Response:
    missing = error.status_code in (404, 405)
    message = f"{request.method} {request.url.path} is not offered here." if missing else error.detail
    return invalid_request(message, status=error.status_code)


async def _fault(_: Request, __: Exception) -> Response:
    return JSONResponse(error_body("Something inside the inference process went wrong.", kind="server_error"), 500)
