"""The library as an editor reaches it."""

from pathlib import Path
from typing import Any

from peft_engine.home import models_dir
from tests.lsp.client import Client
from tests.unit.library.layouts import write_gguf


def test_models_are_listed_added_shown_and_forgotten_over_the_protocol(client: Client, tmp_path: Path) -> None:
    def ask(method: str, **params: Any) -> Any:
        return client.request(method, params)["result"]

    path = write_gguf(tmp_path / "mine.gguf")
    assert ask("peft/models/add", path=str(path), id="team/mine")["id"] == "team/mine"
    assert [model["id"] for model in ask("peft/models/list", text="TEAM/")["models"]] == ["team/mine"]
    assert ask("peft/models/show", id="team/mine")["facts"]["parameters"] == 12
    assert ask("peft/models/scan")["faults"] == []
    ask("peft/models/remove", id="team/mine")
    assert client.request("peft/models/show", {"id": "team/mine"})["error"]["data"]["code"] == "model-missing"
    assert path.exists()


def test_E33_an_editor_is_told_of_a_definition_file_that_appears(fresh: Client, tmp_path: Path) -> None:
    fresh.initialize()
    assert fresh.request("peft/models/list", {})["result"]["faults"] == []
    models_dir().mkdir(parents=True, exist_ok=True)
    (models_dir() / "bad.yaml").write_text("model: 1\n")
    fresh.notified("peft/models/changed")
    (fault,) = fresh.request("peft/models/list", {})["result"]["faults"]
    assert (fault["path"], fault["line"]) == (str(models_dir() / "bad.yaml"), 1)
