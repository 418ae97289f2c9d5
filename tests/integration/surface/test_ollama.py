"""The requests of VS Code's Ollama provider, replayed from its source: version, list, one model, then OpenAI's chat."""

from tests.integration.serving.homes import BASE
from tests.integration.surface.conftest import Surface

LEAST = (0, 6, 4)
"""The version below which the provider refuses a server."""


def test_the_provider_finds_models_and_their_context(surface: Surface) -> None:
    version = tuple(int(part) for part in surface.get("/api/version").json()["version"].split("."))
    tags = surface.get("/api/tags").json()["models"]
    shown = surface.post("/api/show", {"model": BASE}).json()
    info = shown["model_info"]

    assert version >= LEAST
    assert {tag["model"] for tag in tags} == {BASE, surface.adapter}
    assert info[f"{info['general.architecture']}.context_length"] == 8192
    assert info["general.basename"]
    assert "completion" in shown["capabilities"]
    assert "tools" not in shown["capabilities"]


def test_without_the_key_the_provider_gets_nothing(surface: Surface) -> None:
    """It sends none, so it cannot be used: an open door would be open to everyone."""
    for path in ("/api/version", "/api/tags"):
        assert surface.http.get(path, headers={"Authorization": ""}).status_code == 401
