"""The operations, and the guarded application that serves them."""

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp

from peft_engine.inference.contract import PartRefused
from peft_engine.inference.http.asking import BodyAtFault
from peft_engine.inference.http.chat import complete
from peft_engine.inference.http.chat_request import ChatCompletionRequest
from peft_engine.inference.http.chat_shapes import ChatCompletion, ChatCompletionChunk
from peft_engine.inference.http.completion_request import CompletionRequest
from peft_engine.inference.http.completion_shapes import Completion
from peft_engine.inference.http.completions import complete_text
from peft_engine.inference.http.control import (
    load_model,
    pin_model,
    show_status,
    switch_model,
    switch_to_model,
    unload_model,
)
from peft_engine.inference.http.embeddings import EmbeddingList, EmbeddingRequest, embed
from peft_engine.inference.http.errors import (
    ErrorAnswer,
    error_body,
    invalid_request,
    overloaded,
    report_response,
    unguarded,
)
from peft_engine.inference.http.metrics import MEDIA_TYPE as METRICS_TYPE
from peft_engine.inference.http.metrics import show_metrics
from peft_engine.inference.http.models import ModelCard, ModelList, list_models, show_model
from peft_engine.inference.http.ollama import (
    OllamaShown,
    OllamaShowRequest,
    OllamaTags,
    OllamaVersion,
    ollama_show,
    ollama_tags,
    ollama_version,
)
from peft_engine.inference.http.openapi import document, page
from peft_engine.inference.http.operations import Operation
from peft_engine.inference.http.responses import respond
from peft_engine.inference.http.responses_request import ResponsesRequest
from peft_engine.inference.http.responses_shapes import ResponseAnswer, ResponseEvent
from peft_engine.inference.http.status import Health, Leaving, show_health, shut_down
from peft_engine.inference.http.tokenize import Tokenized, TokenizeRequest, tokenize
from peft_engine.inference.scheduler import Overloaded, Scheduler
from peft_engine.loopback.guard import Allowance, Guard
from peft_engine.loopback.rate import RateLimit
from peft_schemas.errors import WorkbenchError
from peft_schemas.serving import ServeModelParams, ServePinParams, ServeStatus


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
    Operation(
        "POST",
        "/v1/models/{model_id}/switch",
        "Load a model, then let `default` stand for it.",
        switch_to_model,
        gives=ServeStatus,
    ),
    Operation("GET", "/v1/models/{model_id}", "Show one of them.", show_model, gives=ModelCard),
    Operation(
        "POST",
        "/v1/chat/completions",
        "Answer a conversation.",
        complete,
        takes=ChatCompletionRequest,
        gives=ChatCompletion,
        events=(ChatCompletionChunk, ErrorAnswer),
        computes=True,
    ),
    Operation(
        "POST",
        "/v1/completions",
        "Continue a text, or fill a gap in it.",
        complete_text,
        takes=CompletionRequest,
        gives=Completion,
        events=(Completion, ErrorAnswer),
        computes=True,
    ),
    Operation(
        "POST",
        "/v1/responses",
        "Answer a conversation in the newer shape.",
        respond,
        takes=ResponsesRequest,
        gives=ResponseAnswer,
        events=(ResponseEvent,),
        computes=True,
    ),
    Operation(
        "POST",
        "/v1/embeddings",
        "Turn texts into points.",
        embed,
        takes=EmbeddingRequest,
        gives=EmbeddingList,
        computes=True,
    ),
    Operation(
        "POST",
        "/tokenize",
        "Count the tokens of a text, with a model that is in memory.",
        tokenize,
        takes=TokenizeRequest,
        gives=Tokenized,
        needs_loaded=True,
    ),
    Operation("GET", "/models/status", "Say what is in memory.", show_status, gives=ServeStatus),
    Operation(
        "POST",
        "/models/switch",
        "Load a model, then let `default` stand for it.",
        switch_model,
        takes=ServeModelParams,
        gives=ServeStatus,
    ),
    Operation(
        "POST", "/models/load", "Bring a base into memory.", load_model, takes=ServeModelParams, gives=ServeStatus
    ),
    Operation(
        "POST",
        "/models/unload",
        "Free a base when its answers are complete.",
        unload_model,
        takes=ServeModelParams,
        gives=ServeStatus,
    ),
    Operation(
        "POST",
        "/models/pin",
        "Keep a base in memory, or no longer.",
        pin_model,
        takes=ServePinParams,
        gives=ServeStatus,
    ),
    Operation("GET", "/health", "Say that the process lives, and what it does.", show_health, gives=Health),
    Operation("GET", "/metrics", "Give figures to Prometheus.", show_metrics, media_type=METRICS_TYPE),
    Operation("POST", "/shutdown", "Make the process leave.", shut_down, gives=Leaving, status=202),
    Operation("GET", "/openapi.json", "Describe the operations to programs.", show_document),
    Operation("GET", "/docs", "Describe them to people.", show_page, media_type="text/html"),
    Operation(
        "GET", "/api/version", "Give the version that Ollama's clients ask for.", ollama_version, gives=OllamaVersion
    ),
    Operation("GET", "/api/tags", "List the models as Ollama does.", ollama_tags, gives=OllamaTags),
    Operation(
        "POST",
        "/api/show",
        "Show a model as Ollama does.",
        ollama_show,
        takes=OllamaShowRequest,
        gives=OllamaShown,
    ),
)
"""Everything that is served. A route that is not here does not exist."""


def build_app(
    scheduler: Scheduler,
    *,
    token: str,
    on_shutdown: Callable[[], None],
    on_request: Callable[[str], None],
    origins: frozenset[str] = frozenset(),
    requests_per_minute: int | None = None,
) -> ASGIApp:
    """Return the guarded application.

    Args:
        scheduler: Computes the answers.
        token: What every request must carry.
        on_shutdown: Called when a client tells the process to leave.
        on_request: Told the path of every request that passes the guard.
        origins: Web pages that may ask.
        requests_per_minute: How many answers and embeddings an address may ask for; None for no limit.
    """
    app = Starlette(
        routes=[operation.route() for operation in OPERATIONS],
        exception_handlers={
            BodyAtFault: _at_fault,
            WorkbenchError: _reported,
            Overloaded: _overloaded,
            ClientDisconnect: _gone,
            HTTPException: _refused,
            Exception: _fault,
        },
    )
    app.state.scheduler = scheduler
    app.state.on_shutdown = on_shutdown
    computing = {(operation.method, operation.path) for operation in OPERATIONS if operation.computes}
    allowance = Allowance(
        origins,
        None if requests_per_minute is None else RateLimit(requests_per_minute),
        lambda method, path: (method, path) in computing,
    )
    where = "in serve.json, which `peftw serve` prints"
    return Guard(app, token=token, token_from=where, answer=unguarded, on_request=on_request, allowance=allowance)


async def _at_fault(_: Request, error: Any) -> Response:
    return invalid_request(error.message, param=error.param)


async def _reported(request: Request, error: Any) -> Response:
    part = error.part if isinstance(error, PartRefused) else None
    return report_response(error.report(), request.url.path, part)


async def _overloaded(_: Request, __: Exception) -> Response:
    return overloaded()


async def _gone(_: Request, __: Exception) -> Response:
    # Nobody reads this: the connection is gone.
    return Response(status_code=499)


async def _refused(request: Request, error: Any) -> Response:
    missing = error.status_code in (404, 405)
    message = f"{request.method} {request.url.path} is not offered here." if missing else error.detail
    return invalid_request(message, status=error.status_code, headers=error.headers)


async def _fault(_: Request, __: Exception) -> Response:
    return JSONResponse(error_body("Something inside the inference process went wrong.", kind="server_error"), 500)
