"""The reference page of the HTTP API, written from its operations."""

from typing import Any

from peft_engine.inference.http.app import OPERATIONS
from peft_engine.inference.http.openapi import document
from peft_engine.inference.http.operations import Operation

_INTRODUCTION = """\
`peftw serve --json` prints the address and the key. Every route wants the header `Authorization: Bearer <key>`, names
this machine in `Host`, and refuses web pages unless `serving.allowed_origins` in `settings.yaml` names them. A field
that is not known is ignored; one that is known and cannot be honoured is refused with 400 and named in `error.param`.

[Connect a client](../how-to/connect-a-client.md) has the settings of several programs. The same, for programs, is
served at `/openapi.json`."""


def http_page(notice: str) -> str:
    """Return the page."""
    described = document(OPERATIONS)
    lines = ["# The HTTP API", "", f"<!-- {notice} -->", "", _INTRODUCTION, ""]
    lines += ["| operation | what it does |", "|---|---|"]
    lines += [f"| `{one.method} {one.path}` | {one.summary} |" for one in OPERATIONS]
    for operation in OPERATIONS:
        if operation.takes is not None:
            lines += ["", *_body(operation, described)]
    return "\n".join([*lines, ""])


def _body(operation: Operation, described: dict[str, Any]) -> list[str]:
    content = described["paths"][operation.path][operation.method.lower()]["requestBody"]["content"]
    schema = described["components"]["schemas"][content["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]]
    required = schema.get("required", [])
    lines = [f"## `{operation.method} {operation.path}`", "", operation.summary, "", "| field | meaning |", "|---|---|"]
    for name, field in schema["properties"].items():
        if field.get("type") == "null":
            # Known only to be refused by name.
            continue
        need = "required. " if name in required else ""
        lines.append(f"| `{name}` | {need}{_one_line(field.get('description', ''))} |")
    return lines


def _one_line(text: str) -> str:
    return " ".join(text.split())
