"""Workspace symbols, and the search for configs behind them."""

import os
import sys
from pathlib import Path

import pytest

from peft_daemon.language import workspace
from peft_daemon.language.documents import DocumentStore
from peft_daemon.language.features.workspace_symbols import MAX_SYMBOLS, match, workspace_symbols
from peft_daemon.language.workspace import Workspace, find_configs
from peft_daemon.lsp.kinds import SymbolKind
from tests.unit.language.features.marked import opened, saved

CONFIG = "name: release-notes\nmodel: {base: x}\ndatasets: [{path: y}]\nseed: 1\n"


def names(query: str, *texts: str, runs: tuple[Path, ...] = ()) -> list[str]:
    return [symbol["name"] for symbol in workspace_symbols(query, map(opened, texts), runs)]


def test_configs_sections_and_runs_are_symbols() -> None:
    run = Path("/runs/release-notes-3/config.peft.yaml")
    found = workspace_symbols("", [opened(CONFIG), opened("version: 1\n", Path("/w/other.peft.yaml"))], [run])
    assert {symbol["name"]: symbol["kind"] for symbol in found} == {
        "release-notes": SymbolKind.File,
        "other": SymbolKind.File,
        "model": SymbolKind.Module,
        "datasets": SymbolKind.Module,
        "release-notes-3": SymbolKind.Event,
    }
    (section,) = (symbol for symbol in found if symbol["name"] == "datasets")
    assert section["containerName"] == "release-notes"
    assert section["location"]["range"]["start"] == {"line": 2, "character": 0}


def test_characters_in_order_match_in_any_case_and_the_closest_come_first() -> None:
    assert names("NOTE", CONFIG) == ["release-notes"]
    assert names("rlnt", CONFIG) == ["release-notes"]
    assert names("tn", CONFIG) == []
    assert match("ab", "xaxxab") == (1, 4)
    assert names("m", "name: am\n", "name: ma\n") == ["ma", "am"]


def test_an_answer_is_bounded() -> None:
    assert len(names("", *(f"name: n{index}\n" for index in range(MAX_SYMBOLS + 9)))) == MAX_SYMBOLS


def test_a_broken_config_still_has_what_can_be_read() -> None:
    assert names("", "name: x\nmodel: {base: y}\ntraining: [\n")[:1] == ["model"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps its pipes elsewhere")
def test_a_pipe_with_a_config_s_name_is_passed_over(tmp_path: Path) -> None:
    saved(CONFIG, tmp_path / "run.peft.yaml")
    os.mkfifo(tmp_path / "pipe.peft.yaml")
    found = Workspace(DocumentStore(), lambda: [tmp_path]).documents()
    assert [document.path for document in found] == [tmp_path / "run.peft.yaml"]


def test_configs_are_found_outside_hidden_folders_and_environments(tmp_path: Path) -> None:
    for place in ("b", "a/deep", ".git", ".venv", "node_modules/x", "venv", "env-of-mine"):
        saved("version: 1\n", tmp_path / place / "run.peft.yaml")
    saved("", tmp_path / "env-of-mine" / "pyvenv.cfg")
    saved("", tmp_path / "a" / "other.yaml")
    found = find_configs([tmp_path, tmp_path / "a"])
    assert [path.relative_to(tmp_path).parts[0] for path in found.paths] == ["a", "b"]
    assert found.is_complete


def test_the_search_ends_at_its_limit_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "MAX_CONFIGS", 3)
    for index in range(5):
        saved("version: 1\n", tmp_path / f"{index}.peft.yaml")
    found = find_configs([tmp_path])
    assert (len(found.paths), found.is_complete) == (3, False)


def test_open_documents_are_read_from_the_editor_and_others_once_until_they_change(tmp_path: Path) -> None:
    saved("name: disk\n", tmp_path / "a.peft.yaml")
    saved("\ufeffname: b\n", tmp_path / "b.peft.yaml")
    store = DocumentStore()
    store.open((tmp_path / "a.peft.yaml").as_uri(), 3, "name: editor\n")
    configs = Workspace(store, lambda: [tmp_path])
    first, second = list(configs.documents())
    assert (first.source.text, second.source.text) == ("name: editor\n", "name: b\n")
    assert list(configs.documents())[1] is second
    saved("name: changed\n", tmp_path / "b.peft.yaml")
    assert list(configs.documents())[1].source.text == "name: changed\n"
    (tmp_path / "b.peft.yaml").unlink()
    assert [document.version for document in configs.documents()] == [3]


def test_a_watched_workspace_is_searched_again_only_when_files_came_or_went(tmp_path: Path) -> None:
    configs = Workspace(DocumentStore(), lambda: [tmp_path])
    configs.is_watched = True
    assert configs.listing().paths == ()
    saved("version: 1\n", tmp_path / "a.peft.yaml")
    assert configs.listing().paths == ()
    configs.forget()
    assert configs.listing().paths == (tmp_path / "a.peft.yaml",)
