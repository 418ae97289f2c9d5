"""What the editor is told without an edit: facts that arrive, and files that come, change and go."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.lsp.client import Client
from tests.mlflow_server import MlflowStandIn


def config(path: str = "train.jsonl", max_length: int = 256) -> str:
    return (
        "version: 1\nmodel:\n  base: ./base\n"
        f"datasets:\n  - path: {path}\n    format: text\ntraining:\n  max_length: {max_length}\n"
        "  completion_only_loss: false\n"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    settings = {"model_type": "llama", "max_position_embeddings": 512}
    (tmp_path / "base/config.json").write_text(json.dumps(settings))
    write_records(tmp_path / "train.jsonl")
    return tmp_path


def write_records(path: Path, *more: str) -> None:
    texts = [json.dumps({"text": f"The number {number} in words. " * 20}) for number in range(200)]
    path.write_text("\n".join([*texts, *more]) + "\n")


def tell_of(client: Client, path: Path, kind: int) -> None:
    client.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": path.as_uri(), "type": kind}]})


CREATED, CHANGED, DELETED = 1, 2, 3


def until(client: Client, uri: str, code: str, *, there: bool) -> dict | None:
    """Wait for diagnostics that hold a code, or do not, and return it."""
    while True:
        found = {item["code"]: item for item in client.published(uri)}
        if (code in found) is there:
            return found.get(code)


def test_A8_a_dataset_that_appears_clears_its_finding_and_one_that_goes_brings_it_back(
    shared: Client, folder: Path
) -> None:
    data = folder / "late.jsonl"
    uri = shared.open(folder / "a.peft.yaml", config("late.jsonl"))
    until(shared, uri, "PW601", there=True)
    write_records(data)
    tell_of(shared, data, CREATED)
    until(shared, uri, "PW601", there=False)
    data.unlink()
    tell_of(shared, data, DELETED)
    until(shared, uri, "PW601", there=True)


def test_A8_a_record_that_breaks_is_found_without_an_edit(shared: Client, folder: Path) -> None:
    uri = shared.open(folder / "b.peft.yaml", config())
    assert [item["code"] for item in shared.published(uri) if item["severity"] == 1] == []
    write_records(folder / "train.jsonl", '{"text": ')
    tell_of(shared, folder / "train.jsonl", CHANGED)
    found = until(shared, uri, "PW603", there=True)
    assert found is not None
    assert "201" in found["message"]
    write_records(folder / "train.jsonl")
    tell_of(shared, folder / "train.jsonl", CHANGED)
    until(shared, uri, "PW603", there=False)


def test_A7_what_the_model_says_is_judged_when_it_is_known_and_when_it_changes(shared: Client, folder: Path) -> None:
    uri = shared.open(folder / "c.peft.yaml", config(max_length=1024))
    found = until(shared, uri, "PW702", there=True)
    assert found is not None
    assert "512" in found["message"]
    settings = folder / "base/config.json"
    settings.write_text(json.dumps({"model_type": "llama", "max_position_embeddings": 4096}))
    tell_of(shared, settings, CHANGED)
    until(shared, uri, "PW702", there=False)


def test_A7_a_preset_that_appears_clears_its_finding_and_one_that_goes_brings_it_back(
    shared: Client, folder: Path
) -> None:
    preset = folder / "presets/careful.yaml"
    uri = shared.open(folder / "p.peft.yaml", f"preset: careful\n{config()}")
    until(shared, uri, "PW113", there=True)
    preset.parent.mkdir()
    preset.write_text("training:\n  batch_size: 2\n")
    tell_of(shared, preset, CREATED)
    until(shared, uri, "PW113", there=False)
    preset.write_text("training:\n  batch_siz: 2\n")
    tell_of(shared, preset, CHANGED)
    until(shared, uri, "PW114", there=True)
    preset.unlink()
    tell_of(shared, preset, DELETED)
    until(shared, uri, "PW113", there=True)


def test_A7_a_tracker_that_is_started_clears_its_finding_and_one_that_ends_brings_it_back(
    shared: Client, folder: Path
) -> None:
    standin = MlflowStandIn()
    with standin.serving():
        url = standin.url
        uri = shared.open(folder / "t.peft.yaml", f"{config()}tracker:\n  type: mlflow\n  url: {url}\n")
        assert [item["code"] for item in shared.published(uri) if item["code"] == "PW844"] == []
    found = until(shared, uri, "PW844", there=True)
    assert found is not None
    assert url in found["message"]
    with standin.serving(urlsplit(url).port or 0):
        until(shared, uri, "PW844", there=False)


def test_A15_the_editor_ends_with_the_findings_of_the_command_line(shared: Client, folder: Path) -> None:
    from peft_daemon.language.check import check_file

    text = config("other.jsonl", max_length=1024) + "method:\n  target_modules: [q_prj]\n"
    write_records(folder / "other.jsonl", "[1]")
    path = folder / "d.peft.yaml"
    path.write_text(text)
    expected = [finding.code for finding in check_file(path).findings]
    assert {"PW603", "PW702"} <= set(expected)
    uri = shared.open(path, text)
    while [item["code"] for item in shared.published(uri)] != expected:
        pass


def test_a_server_that_is_left_while_it_looks_ends_at_once(client: Client, folder: Path) -> None:
    write_records(folder / "train.jsonl", *[json.dumps({"text": "a" * 500})] * 20_000)
    uri = client.open(folder / "e.peft.yaml", config())
    client.published(uri)
    assert client.stop() == 0
    assert "Traceback" not in client.log
