"""Errors as HTTP says them: `{"error": {"code", "message", "remedy", …}}` with a status that programs can act upon."""

from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from peft_daemon.runs.launch import ConfigRefused
from peft_daemon.runs.resume import ResumeChanged
from peft_daemon.system_errors import told
from peft_engine.loopback.guard import Refusal
from peft_schemas.errors import ErrorCode, WorkbenchError

_STATUS: dict[ErrorCode, int] = {
    "run-missing": 404,
    "config-missing": 422,
    "config-invalid": 422,
    "model-missing": 422,
    "dataset-missing": 422,
    "run-active": 409,
    "move-illegal": 409,
    "resume-changed": 409,
    "checkpoint-missing": 409,
    "disk-full": 507,
}
"""What a client can do something about; everything else is a fault on this side."""


def body_at_fault(error: ValidationError) -> Response:
    """Return the answer to a request whose body or query is not what it must be: 422, with the field."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(str(part) for part in fault["loc"]) or "body"
    return _answer(
        422, "request-invalid", f"{field}: {fault['msg']}.", "Correct the field and send it again.", field=field
    )


def unguarded(refusal: Refusal) -> Response:
    """Return the answer to a request that the guard does not let pass."""
    remedy = "Ask from a program of this user on this machine, with the token."
    answer = _answer(refusal.status, refusal.kind, refusal.message, remedy)
    answer.headers.update(refusal.headers)
    return answer


async def workbench_error(_: Request, error: Exception) -> Response:
    """Return the answer that says an error of ours, with the findings or changes that it is about."""
    if not isinstance(error, WorkbenchError):
        raise error
    more: dict[str, Any] = {}
    if isinstance(error, ConfigRefused):
        more["findings"] = [finding.model_dump(mode="json") for finding in error.checked.findings]
    if isinstance(error, ResumeChanged):
        more["changes"] = [change.model_dump(mode="json") for change in error.changes]
    return _answer(_STATUS.get(error.code, 500), error.code, error.message, error.remedy, **more)


async def system_error(_: Request, error: Exception) -> Response:
    """Return the answer that says what the operating system refused, such as to write on a full disk."""
    if not isinstance(error, OSError):
        raise error
    report = told(error)
    return _answer(_STATUS.get(report.code, 500), report.code, report.message, report.remedy)


async def not_offered(request: Request, error: Any) -> Response:
    """Return the answer to a request for what is not there, or that is too large."""
    missing = error.status_code in (404, 405)
    message = f"{request.method} {request.url.path} is not offered here." if missing else str(error.detail)
    return _answer(error.status_code, "request-invalid", message, "See the routes in docs/how-to/queue.md.")


async def fault(_: Request, __: Exception) -> Response:
    """Return the answer to what nobody foresaw."""
    return _answer(
        500,
        "internal",
        "Something inside PEFT Workbench went wrong.",
        "Look at what `peftw api` prints, and report it.",
    )


def _answer(status: int, code: str, message: str, remedy: str, **more: Any) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message, "remedy": remedy, **more}}, status)
