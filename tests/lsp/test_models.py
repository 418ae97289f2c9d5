"""The library as an editor reaches it."""

from pathlib import Path
from typing import Any

import pytest

from peft_engine.home import models_dir
from peft_schemas import PROTOCOL_VERSION, __version__
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


def test_E33_an_editor_is_told_of_a_definition_file_that_appears_and_where_it_is_wrong(fresh: Client) -> None:
    fresh.initialize()
    assert fresh.request("peft/models/list", {})["result"]["faults"] == []
    models_dir().mkdir(parents=True, exist_ok=True)
    bad = models_dir() / "bad.yaml"
    bad.write_text("model: some/model\npin: maybe\nmodle: 1\n")
    fresh.notified("peft/models/changed")
    shown = fresh.published(bad.as_uri())
    places = [
        (one["range"]["start"]["line"], one["range"]["start"]["character"], one["range"]["end"]["character"])
        for one in shown
    ]
    assert sorted(places) == [(1, 5, 10), (2, 0, 5)]
    assert {fault["path"] for fault in fresh.request("peft/models/list", {})["result"]["faults"]} == {str(bad)}

    bad.unlink()
    assert fresh.published(bad.as_uri()) == []
    assert fresh.request("peft/models/list", {})["result"]["faults"] == []


@pytest.mark.parametrize("trusted", [True, False])
def test_E33_a_workspace_defines_models_where_it_is_trusted(fresh: Client, tmp_path: Path, trusted: bool) -> None:
    def ids() -> set[str]:
        return {model["id"] for model in fresh.request("peft/models/list", {})["result"]["models"]}

    write_gguf(tmp_path / "weights.gguf")
    definitions = tmp_path / ".peft/models"
    definitions.mkdir(parents=True)
    options = {"extension_version": __version__, "protocol": PROTOCOL_VERSION, "trusted": trusted}
    folder = {"uri": tmp_path.as_uri(), "name": "workspace"}
    fresh.initialize(initializationOptions=options, workspaceFolders=[folder])
    assert "ours" not in ids()
    (definitions / "ours.yaml").write_text("model: ../../weights.gguf\n")
    (definitions / "wrong.yaml").write_text("modle: x\n")
    if not trusted:
        # Another look at the definition files has come and gone when it tells of one in the state folder.
        models_dir().mkdir(parents=True, exist_ok=True)
        (models_dir() / "mine.yaml").write_text(f"model: {tmp_path / 'weights.gguf'}\n")
        fresh.notified("peft/models/changed")
        assert "mine" in ids()
        assert "ours" not in ids()
        return
    fresh.notified("peft/models/changed")
    while not fresh.published((definitions / "wrong.yaml").as_uri()):
        pass
    assert "ours" in ids()

    (definitions / "ours.yaml").unlink()
    fresh.notified("peft/models/changed")
    assert "ours" not in ids()
