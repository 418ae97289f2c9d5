"""The operations, and the guarded application that serves them."""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp

from peft_engine.inference.http.chat import complete
from peft_engine.inference.http.errors import error_body, invalid_request, unguarded
from peft_engine.inference.http.models import ModelCard, ModelList, list_models, show_model
from peft_engine.inference.http.openapi import document, page
from peft_engine.inference.http.operations import Operation
from peft_engine.inference.http.requests import ChatCompletionRequest
from peft_engine.inference.http.status import Health, Leaving, show_health, shut_down
from peft_engine.inference.scheduler import Scheduler
from peft_engine.loopback.guard import Allowance, Guard


async def show_document(_: Request) -> Response:
    """Answer with the OpenAPI document."""
    return JSONResponse(document(OPERATIONS))


async def show_page(_: Request) -> Response:
    """Answer with the page for people."""
    # Nothing is loaded and nothing runs, whatever a name of a model holds.
    return HTMLResponse(
        page(OPERATIONS), headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", "/v1/models", "List the bases and adapters that can be asked for.", list_models, gives=ModelList),
    Operation("GET", "/v1/models/{model_id}", "Show one of them.", show_model, gives=ModelCard),
    Operation(
        "POST",
        "/v1/chat/completions",
        "Answer a conversation.",
        complete,
        takes=ChatCompletionRequest,
        computes=True,
    ),
    Operation("GET", "/health", "Say that the process lives, and what it does.", show_health, gives=Health),
    Operation("POST", "/shutdown", "Make the process leave.", shut_down, gives=Leaving, status=202),
    Operation("GET", "/openapi.json", "Describe the operations to programs.", show_document),
    Operation("GET", "/docs", "Describe them to people.", show_page, media_type="text/html"),
)
"""Everything that is served. A route that is not here does not exist."""


def build_app(
    scheduler: Scheduler,
    *,
    token: str,
    on_shutdown: Callable[[], None],
    on_request: Callable[[str], None],
    allowance: Allowance = Allowance(),  # noqa: B008  (immutable)
) -> ASGIApp:
    """Return the guarded application.

    Args:
        scheduler: Computes the answers.
        token: What every request must carry.
        on_shutdown: Called when a client tells the process to leave.
        on_request: Told the path of every request that passes the guard.
        allowance: What the user's settings allow beyond the least.
    """
    app = Starlette(
        routes=[operation.route() for operation in OPERATIONS],
        exception_handlers={HTTPException: _refused, Exception: _fault},
    )
    app.state.scheduler = scheduler
    app.state.on_shutdown = on_shutdown
    where = "in serve.json, which `peftw serve` prints"
    return Guard(app, token=token, token_from=where, answer=unguarded, on_request=on_request, allowance=allowance)


async def _refused(request: Request, error: Any) -> Response:
    missing = error.status_code in (404, 405)
    message = f"{request.method} {request.url.path} is not offered here." if missing else error.detail
    return invalid_request(message, status=error.status_code, headers=error.headers)


async def _fault(_: Request, __: Exception) -> Response:
    return JSONResponse(error_body("Something inside the inference process went wrong.", kind="server_error"), 500)
