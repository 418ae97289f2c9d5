"""Exports and imports that an editor gives up, or is closed upon."""

from pathlib import Path
from typing import Any

import pytest

from peft_engine.home import runs_dir
from tests.large_run import make_large_run
from tests.lsp.client import Client
from tests.waiting import wait_until

REQUEST_CANCELLED = -32800


def begun(client: Client, method: str, params: dict[str, Any], folder: Path, pattern: str) -> int:
    """Ask for something, and wait until there is a file of its making."""
    id_ = client.begin(method, params)
    wait_until(lambda: any(path.stat().st_size for path in folder.glob(pattern)))
    return id_


def export_of(run_id: str, bundle: Path) -> dict[str, Any]:
    return {"run_id": run_id, "path": str(bundle), "checkpoints": False}


@pytest.fixture
def bundle(client: Client, tmp_path: Path) -> Path:
    """A large run, exported."""
    path = tmp_path / "large.tar.gz"
    assert "result" in client.request("peft/run/export", export_of(make_large_run(name="away").id, path))
    return path


def test_H8_an_export_that_the_editor_gives_up_is_answered_when_no_file_of_it_is_left(
    client: Client, tmp_path: Path
) -> None:
    run = make_large_run()
    asked = export_of(run.id, tmp_path / "large.zip")
    id_ = begun(client, "peft/run/export", asked, tmp_path, ".large.zip.making")
    client.notify("$/cancelRequest", {"id": id_})
    assert client.response(id_)["error"]["code"] == REQUEST_CANCELLED
    assert list(tmp_path.iterdir()) == []


def test_H8_an_import_that_the_editor_gives_up_is_answered_when_nothing_of_it_is_left(
    client: Client, bundle: Path
) -> None:
    before = sorted(runs_dir().iterdir())
    asked = {"path": str(bundle)}
    id_ = begun(client, "peft/runs/import", asked, runs_dir(), ".importing-*/adapter/optimizer.bin")
    client.notify("$/cancelRequest", {"id": id_})
    assert client.response(id_)["error"]["code"] == REQUEST_CANCELLED
    assert sorted(runs_dir().iterdir()) == before


def test_H8_a_window_that_closes_waits_for_no_export_and_leaves_no_file(client: Client, tmp_path: Path) -> None:
    run = make_large_run()
    begun(client, "peft/run/export", export_of(run.id, tmp_path / "large.zip"), tmp_path, ".large.zip.making")
    assert client.stop() == 0
    assert list(tmp_path.iterdir()) == []
