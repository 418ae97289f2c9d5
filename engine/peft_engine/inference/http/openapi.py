"""The OpenAPI document and the page for people, made from the operations themselves."""

from collections.abc import Sequence
from html import escape
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from peft_engine.inference.http.errors import ErrorAnswer
from peft_engine.inference.http.operations import Operation
from peft_schemas import __version__

_REFUSALS = {
    400: "The request is not what it must be; `param` names the field.",
    401: "The key is missing or wrong.",
    403: "The request names another host, or comes from a web page that is not allowed.",
    404: "There is no such model.",
    409: "The model is not in memory.",
    413: "The request is too large.",
    429: "Too many requests wait already, or came in the last minute; `Retry-After` says when to ask again.",
    500: "Something went wrong on this side.",
}


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of some operations."""
    shapes: list[tuple[type[BaseModel], JsonSchemaMode]] = [(ErrorAnswer, "serialization")]
    for operation in operations:
        shapes += [(operation.takes, "validation")] if operation.takes is not None else []
        shapes += [(shape, "serialization") for shape in (operation.gives, *operation.events) if shape is not None]
    names, definitions = models_json_schema(list(dict.fromkeys(shapes)), ref_template="#/components/schemas/{model}")
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _entry(operation, names)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PEFT Workbench",
            "version": __version__,
            "description": "Models and adapters of this machine behind OpenAI's API. Every route wants the key.",
        },
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def page(operations: Sequence[Operation]) -> str:
    """Return the page for people: plain HTML that loads nothing."""
    rows = "".join(
        f"<tr><td><code>{one.method} {escape(one.path)}</code></td><td>{escape(one.summary)}</td></tr>"
        for one in operations
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>PEFT Workbench API</title>'
        "<style>body{font:16px/1.5 system-ui;max-width:60em;margin:2em auto;padding:0 1em}"
        "td{padding:.3em 1em .3em 0;vertical-align:top}</style>"
        f"<h1>PEFT Workbench API {escape(__version__)}</h1>"
        "<p>Send the key with every request: <code>Authorization: Bearer …</code>. "
        "<code>peftw serve --json</code> prints address and key. "
        "The exact shapes are in <code>/openapi.json</code>.</p>"
        f"<table>{rows}</table></html>"
    )


def _entry(operation: Operation, names: dict[Any, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {operation.media_type: {}}
    if operation.gives is not None:
        content[operation.media_type]["schema"] = names[operation.gives, "serialization"]
    if operation.events:
        # OpenAPI 3.1 has no word for a stream; 3.2 has `itemSchema`, which describes an event in this way.
        variants = [names[shape, "serialization"] for shape in operation.events]
        data = {"type": "string", "contentSchema": {"anyOf": variants}}
        content["text/event-stream"] = {"schema": {"type": "object", "properties": {"data": data}}}
    entry: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": {str(operation.status): {"description": "Done.", "content": content}}
        | {str(status): _refusal(status, names) for status in _refusals(operation)},
    }
    if "{model_id}" in operation.path:
        entry["parameters"] = [{"name": "model_id", "in": "path", "required": True, "schema": {"type": "string"}}]
    if operation.takes is not None:
        body = {"application/json": {"schema": names[operation.takes, "validation"]}}
        entry["requestBody"] = {"required": True, "content": body}
    return entry


def _refusals(operation: Operation) -> list[int]:
    possible = {401, 403, 500}
    if operation.takes is not None:
        possible |= {400, 413}
    if operation.names_model:
        possible |= {400, 404}
    if operation.needs_loaded:
        possible.add(409)
    if operation.computes:
        possible.add(429)
    return sorted(possible)


def _refusal(status: int, names: dict[Any, Any]) -> dict[str, Any]:
    schema = names[ErrorAnswer, "serialization"]
    return {"description": _REFUSALS[status], "content": {"application/json": {"schema": schema}}}
