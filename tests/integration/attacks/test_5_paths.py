"""Attack 5: an id, an adapter or a switch that names a file of the user's, by a path or by a link."""

import json
from pathlib import Path

import pytest

from peft_engine.catalog import find_servable, list_servable
from peft_schemas.errors import WorkbenchError
from tests.integration.attacks.conftest import Victim
from tests.integration.serving.homes import BASE, complete_run

HOSTILE = [
    "/etc/passwd",
    "../../etc/passwd",
    "..\\..\\etc\\passwd",
    "file:///etc/passwd",
    "~/.ssh/id_rsa",
    "runs/first-1/adapter.gguf",
    f"{BASE}:../../../../etc/passwd",
    f"{BASE}:/etc/passwd",
    f"{BASE}:..",
    f"{BASE}:first-1/../../secret",
    f"{BASE}:first-1+../secret",
    f"{BASE}:first-1\x00.gguf",
    f"{BASE}/../../etc/passwd",
    "models--HuggingFaceTB--SmolLM2-135M-Instruct",
    "x" * 100_000,
]


@pytest.mark.parametrize("model_id", HOSTILE, ids=range(len(HOSTILE)))
def test_an_id_is_never_a_path(victim: Victim, model_id: str) -> None:
    body = {"model": model_id, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    routes = [
        ("/v1/chat/completions", body),
        ("/v1/completions", {"model": model_id, "prompt": "Hi", "max_tokens": 1}),
        ("/v1/embeddings", {"model": model_id, "input": "Hi"}),
        ("/api/show", {"model": model_id}),
    ]
    for path, asked in routes:
        answer = victim.http.post(path, json=asked)
        assert answer.status_code in (400, 404), (path, answer.text[:200])
        assert "root:" not in answer.text
    assert victim.http.get("/health").status_code == 200


@pytest.mark.parametrize(
    "name", ["../../../../etc/passwd", "/etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "..%2f..%2fsecret"]
)
def test_a_path_in_the_address_is_no_model(victim: Victim, name: str) -> None:
    status, answer = victim.send("GET", f"/v1/models/{name}", "Host: localhost", victim.key)
    assert status in (400, 404)
    assert "root:" not in answer


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A model that lies where nobody asked for it to be served."""
    path = tmp_path / "secret.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    return path


@pytest.mark.parametrize("form", ["adapter.gguf", "adapter"])
def test_a_link_out_of_a_runs_folder_is_not_served(secret: Path, home: Path, form: str) -> None:
    model_id = complete_run("first", seed=1)
    run = home / "runs" / "first-1"
    assert find_servable(model_id).adapters
    (run / "adapter.gguf").unlink()
    (run / form).symlink_to(secret if form == "adapter.gguf" else secret.parent)

    with pytest.raises(WorkbenchError) as error:
        find_servable(model_id)
    assert error.value.code == "adapter-missing"
    assert model_id not in [model.id for model in list_servable()]


def test_what_is_refused_is_refused_whoever_asks_to_switch(victim: Victim) -> None:
    document = victim.http.get("/openapi.json")
    paths = json.loads(document.text)["paths"] if document.status_code == 200 else {}
    commands = [path for path, methods in paths.items() if "post" in methods and ("switch" in path or "load" in path)]
    assert commands
    for path in commands:
        for model_id in HOSTILE:
            answer = victim.http.post(path, json={"model": model_id})
            assert answer.status_code in (400, 404), (path, model_id[:60], answer.text[:200])
