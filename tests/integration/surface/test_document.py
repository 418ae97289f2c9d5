"""The OpenAPI document says what is served, and what is served is what it says."""

import json
from typing import Any

import jsonschema
import pytest
from openai import OpenAI

from peft_engine.inference.http.app import OPERATIONS
from tests.integration.serving.homes import BASE
from tests.integration.surface.conftest import TOKEN, Surface

ASKED = [{"role": "user", "content": "Recite."}]
EXAMPLES: dict[tuple[str, str], Any] = {
    ("GET", "/v1/models"): None,
    ("GET", "/v1/models/{model_id}"): None,
    ("POST", "/v1/models/{model_id}/switch"): None,
    ("POST", "/v1/chat/completions"): {"model": BASE, "messages": ASKED, "max_tokens": 3},
    ("POST", "/v1/completions"): {"model": BASE, "prompt": "Once upon", "max_tokens": 3},
    ("POST", "/v1/responses"): {"model": BASE, "input": "Recite."},
    ("POST", "/v1/embeddings"): {"model": BASE, "input": ["one", "two"]},
    ("POST", "/tokenize"): {"model": BASE, "prompt": "one two"},
    ("GET", "/models/status"): None,
    ("POST", "/models/switch"): {"model": BASE},
    ("POST", "/models/load"): {"model": BASE},
    ("POST", "/models/pin"): {"model": BASE, "pinned": False},
    ("POST", "/models/unload"): {"model": BASE},
    ("GET", "/health"): None,
    ("GET", "/metrics"): None,
    ("POST", "/shutdown"): None,
    ("GET", "/openapi.json"): None,
    ("GET", "/docs"): None,
    ("GET", "/api/version"): None,
    ("GET", "/api/tags"): None,
    ("POST", "/api/show"): {"model": BASE},
}
"""A request for each operation that gets a meaningful answer."""

CALLED = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
STREAMED: list[tuple[str, dict[str, Any]]] = [
    ("/v1/chat/completions", {"stream_options": {"include_usage": True}, "n": 2, "logprobs": True, "top_logprobs": 2}),
    ("/v1/chat/completions", {"tools": CALLED, "max_tokens": 2}),
    ("/v1/completions", {"stream_options": {"include_usage": True}, "n": 2, "logprobs": 2}),
    ("/v1/responses", {}),
    ("/v1/responses", {"max_output_tokens": 2}),
]
"""What each route that streams is asked, beside what `EXAMPLES` has."""

NAMING = [(operation.method, operation.path) for operation in OPERATIONS if operation.names_model]
NO_BODIES = [b"", b"{", b"[]", b"null", b'{"model": 7}', b"\xff", b"[" * 100_000]


@pytest.fixture
def document(surface: Surface) -> dict[str, Any]:
    body: dict[str, Any] = surface.get("/openapi.json").json()
    return body


def test_J17_every_route_is_asked_here_once(document: dict[str, Any]) -> None:
    documented = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}

    assert documented - set(EXAMPLES) == set()
    assert documented == {(operation.method, operation.path) for operation in OPERATIONS}


@pytest.mark.parametrize(("method", "path"), EXAMPLES)
def test_J10_the_answer_of_each_route_is_what_the_document_says(
    surface: Surface, document: dict[str, Any], method: str, path: str
) -> None:
    surface.post("/models/load", {"model": BASE})
    answer = surface.ask(method, path.format(model_id=surface.adapter), EXAMPLES[method, path])

    promised = document["paths"][path][method.lower()]["responses"][str(answer.status_code)]
    assert answer.status_code < 300
    media_type = next(kind for kind in promised["content"] if answer.headers["content-type"].startswith(kind))
    check(answer.json(), promised["content"][media_type].get("schema"), document) if "json" in media_type else None
    assert answer.content


@pytest.mark.parametrize(("path", "more"), STREAMED)
def test_J10_each_event_of_a_stream_is_what_the_document_says(
    surface: Surface, document: dict[str, Any], path: str, more: dict[str, Any]
) -> None:
    answer = surface.post(path, EXAMPLES["POST", path] | more | {"stream": True})

    content = document["paths"][path]["post"]["responses"]["200"]["content"]
    media_type = answer.headers["content-type"].partition(";")[0]
    schema = content[media_type]["schema"]["properties"]["data"]["contentSchema"]
    sent = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    events = [json.loads(event) for event in sent if event != "[DONE]"]
    described = [document["components"]["schemas"][one["$ref"].rpartition("/")[2]] for one in schema["anyOf"]]
    for event in events:
        check(event, schema, document)
        # A schema lets pass what it does not know.
        assert any(set(event) <= set(one["properties"]) for one in described)
    assert len(events) > 2


def test_J10_every_route_that_streams_is_asked_for_a_stream() -> None:
    assert {path for path, _ in STREAMED} == {one.path for one in OPERATIONS if one.events}


@pytest.mark.parametrize(("method", "path"), NAMING)
def test_J7_J10_a_refusal_of_each_route_is_what_the_document_says(
    surface: Surface, document: dict[str, Any], method: str, path: str
) -> None:
    responses = document["paths"][path][method.lower()]["responses"]
    body = EXAMPLES[method, path] and EXAMPLES[method, path] | {"model": "nobody/nothing"}

    answer = surface.ask(method, path.format(model_id="nobody/nothing"), body)
    assert answer.status_code == 404
    check(answer.json(), responses["404"]["content"]["application/json"]["schema"], document)
    assert answer.json()["error"]["code"] == "model_not_found"
    assert BASE in answer.json()["error"]["message"]


@pytest.mark.parametrize(("method", "path"), [key for key, body in EXAMPLES.items() if body])
@pytest.mark.parametrize("body", NO_BODIES)
def test_J6_a_body_that_is_none_is_400_and_names_what_is_wrong(
    surface: Surface, method: str, path: str, body: bytes
) -> None:
    answer = surface.http.request(method, path, content=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"]


def test_the_page_for_people_names_every_route_and_loads_nothing(surface: Surface) -> None:
    answer = surface.get("/docs")

    assert answer.headers["content-type"].startswith("text/html")
    assert all(f"{operation.method} {operation.path}" in answer.text for operation in OPERATIONS)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not any(word in answer.text for word in ("<script", "src=", "href=", "@import"))


def test_every_operation_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    names = [entry["operationId"] for methods in document["paths"].values() for entry in methods.values()]

    assert len(set(names)) == len(names)


def test_J1_the_list_has_what_openais_client_reads_and_what_ours_need(surface: Surface) -> None:
    surface.post("/models/load", {"model": BASE})
    client = OpenAI(base_url=f"{surface.root}/v1", api_key=TOKEN, http_client=surface.http)
    models = {model.id: model for model in client.models.list()}

    base, adapter = models[BASE].model_extra or {}, models[surface.adapter].model_extra or {}
    assert base["format"] == "gguf"
    assert base["status"] == adapter["status"] == "ready"
    assert base["memory_bytes"] == 123
    assert "chat" in base["capabilities"]
    assert adapter["base"] == BASE
    assert adapter["adapters"] == [adapter["run_id"]]


def check(body: object, schema: Any, document: dict[str, Any]) -> None:
    """Hold a body against a schema of the document."""
    if schema is not None:
        jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(body)
