"""Errors in OpenAI's shape, with our own report beside it."""

from collections.abc import Mapping

from starlette.responses import JSONResponse

from peft_engine.inference.contract import RequestPart
from peft_engine.inference.http.operations import Shape
from peft_engine.loopback.guard import Refusal
from peft_schemas.errors import ErrorCode, ErrorReport

_STATUS: dict[ErrorCode, int] = {
    "adapter-missing": 404,
    "model-missing": 404,
    "model-not-loaded": 409,
    "base-not-servable": 400,
    "context-exceeded": 400,
    "not-supported": 400,
}
"""What the client can mend; everything else is a fault on this side."""

_OPENAI_CODE: dict[ErrorCode, str] = {
    "adapter-missing": "model_not_found",
    "model-missing": "model_not_found",
    "context-exceeded": "context_length_exceeded",
}
"""The codes that clients act upon."""


_PROMPTS = {"/v1/completions": "prompt", "/v1/embeddings": "input", "/v1/responses": "input", "/tokenize": "prompt"}
"""The field that holds what a model is asked, by path; of every other it is `messages`."""

_SCHEMAS = {"/v1/responses": "text.format"}
"""The field that holds what an answer must look like, by path; of every other it is `response_format`."""

_FIELDS: dict[RequestPart, str] = {"lark": "tools", "regex": "tools"}
"""Grammars are made of tools alone."""

_RETRY_SECONDS = 5
"""After which a full queue is worth another try: an answer of a small model takes about as long."""


class ErrorDetail(Shape):
    """What is wrong."""

    message: str
    """One sentence that says what is wrong, where, and what to do."""

    type: str
    """OpenAI's kind of error, such as `invalid_request_error`."""

    param: str | None
    """The field of the request that is at fault."""

    code: str | None
    """What programs act upon, such as `model_not_found`."""

    report: ErrorReport | None = None
    """The same in the words of the other parts of PEFT Workbench."""


class ErrorAnswer(Shape):
    """The body of every answer that refuses or fails."""

    error: ErrorDetail


_GUARDED = {
    "forbidden": ("permission_error", "forbidden"),
    "unauthorized": ("authentication_error", "invalid_api_key"),
    "too-many": ("rate_limit_error", "rate_limit_exceeded"),
}
"""OpenAI's `type` and `code` of what the guard refuses."""


def error_body(
    message: str, *, kind: str, param: str | None = None, code: str | None = None, report: ErrorReport | None = None
) -> dict[str, object]:
    """Return the body of an error.

    Args:
        message: One sentence for people.
        kind: OpenAI's `type`, such as `invalid_request_error`.
        param: The field of the request that is at fault.
        code: What programs act upon.
        report: The same as a value of our vocabulary, for our own clients.
    """
    error: dict[str, object] = {"message": message, "type": kind, "param": param, "code": code}
    if report is not None:
        error["report"] = report.model_dump()
    return {"error": error}


def invalid_request(
    message: str,
    *,
    status: int = 400,
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return the answer to a request that cannot be served as it is."""
    body = error_body(message, kind="invalid_request_error", param=param, code=code)
    return JSONResponse(body, status, headers=headers)


def report_body(report: ErrorReport, path: str = "", part: RequestPart | None = None) -> dict[str, object]:
    """Return the body of an error of ours.

    Args:
        report: The error.
        path: What was asked; it decides which field is at fault.
        part: Of the request, if it is known to be at fault.
    """
    client = report.code in _STATUS
    prompt = _PROMPTS.get(path, "messages")
    param = prompt if report.code in ("context-exceeded", "not-supported") else "model"
    if part is not None and part != "prompt":
        param = _SCHEMAS.get(path, "response_format") if part == "json-schema" else _FIELDS.get(part, part)
    return error_body(
        f"{report.message} {report.remedy}",
        kind="invalid_request_error" if client else "server_error",
        param=param if client else None,
        code=_OPENAI_CODE.get(report.code, report.code),
        report=report,
    )


def report_response(report: ErrorReport, path: str, part: RequestPart | None = None) -> JSONResponse:
    """Return the answer that says an error of ours, and of which part of the request, to who asked a path."""
    return JSONResponse(report_body(report, path, part), _STATUS.get(report.code, 500))


def unguarded(refusal: Refusal) -> JSONResponse:
    """Return the answer to a request that the guard does not let pass."""
    kind, code = _GUARDED.get(refusal.kind, ("invalid_request_error", None))
    return JSONResponse(error_body(refusal.message, kind=kind, code=code), refusal.status, headers=refusal.headers)


def overloaded() -> JSONResponse:
    """Return the answer to one request too many, with the seconds after which it is worth asking again."""
    body = error_body(
        "Too many requests are waiting already; ask again in a moment.",
        kind="rate_limit_error",
        code="rate_limit_exceeded",
    )
    return JSONResponse(body, 429, headers={"Retry-After": str(_RETRY_SECONDS)})
