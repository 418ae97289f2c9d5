"""Navigation and structure over the wire: definitions, renames, tokens, links, formatting, the workspace."""

from pathlib import Path
from typing import Any

import pytest

from tests.lsp.client import Client
from tests.lsp.test_diagnostics import BAD, GOOD, codes, position

EDITS = {"workspaceEdit": {"documentChanges": True, "resourceOperations": ["create", "rename", "delete"]}}
OPTIONS = {"tabSize": 2, "insertSpaces": True}
ANCHORED = "lora: &😀 {r: 8}\nmethod:\n  <<: *😀\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace of three configs that share a dataset and a preset."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.jsonl").write_text('{"text": "x"}\n')
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets" / "mine.yaml").write_text("values: {}\n")
    for name in ("one", "two"):
        (tmp_path / f"{name}.peft.yaml").write_text(GOOD.replace("org/d", "data/a.jsonl") + "preset: mine\n")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "three.peft.yaml").write_text(GOOD.replace("org/d", "../data/a.jsonl") + "seed: 1\n")
    return tmp_path


@pytest.fixture
def workspace(fresh: Client, folder: Path) -> Client:
    """A server whose editor has the folder open and can rename files."""
    folders = [{"uri": folder.as_uri(), "name": "w"}]
    fresh.initialize({"workspace": {**EDITS, "workspaceFolders": True}}, workspaceFolders=folders)
    return fresh


def opened(client: Client, path: Path) -> str:
    return client.open(path, path.read_text())


def names(locations: list[dict[str, Any]]) -> list[str]:
    return sorted(location["uri"].rsplit("/", 1)[1] for location in locations)


def test_A16_the_definition_of_a_profile_is_its_file(shared: Client) -> None:
    uri = shared.open("untitled:profile.peft.yaml", GOOD + "profile: chatbot\n")
    (location,) = shared.ask("textDocument/definition", uri, 5, 10)
    assert location["uri"].endswith("/profiles/chatbot.yaml")
    assert location["range"] == {"start": position(0, 0), "end": position(0, 0)}


def test_A16_definitions_of_presets_and_datasets_are_their_files(workspace: Client, folder: Path) -> None:
    uri = opened(workspace, folder / "one.peft.yaml")
    (dataset,) = workspace.ask("textDocument/definition", uri, 4, 12)
    assert dataset["uri"] == (folder / "data" / "a.jsonl").as_uri()
    (preset,) = workspace.ask("textDocument/definition", uri, 5, 9)
    assert preset["uri"] == (folder / "presets" / "mine.yaml").as_uri()


def test_an_editor_that_takes_links_is_told_what_leads_there(fresh: Client) -> None:
    fresh.initialize({"textDocument": {"definition": {"linkSupport": True}}})
    uri = fresh.open("untitled:links.peft.yaml", ANCHORED)
    (link,) = fresh.ask("textDocument/definition", uri, 2, 7)
    assert link["originSelectionRange"] == {"start": position(2, 6), "end": position(2, 9)}
    assert link["targetSelectionRange"] == {"start": position(0, 6), "end": position(0, 9)}


def test_references_reach_configs_that_are_not_open(workspace: Client, folder: Path) -> None:
    uri = opened(workspace, folder / "one.peft.yaml")
    found = workspace.ask("textDocument/references", uri, 4, 12, context={"includeDeclaration": True})
    assert names(found) == ["one.peft.yaml", "three.peft.yaml", "two.peft.yaml"]
    found = workspace.ask("textDocument/references", uri, 5, 9, context={"includeDeclaration": True})
    assert names(found) == ["one.peft.yaml", "two.peft.yaml"]


def test_an_anchor_is_highlighted_and_renamed_with_its_aliases(shared: Client) -> None:
    uri = shared.open("untitled:anchors.peft.yaml", ANCHORED)
    assert [one["kind"] for one in shared.ask("textDocument/documentHighlight", uri, 0, 7)] == [3, 2]
    assert shared.ask("textDocument/prepareRename", uri, 2, 8)["placeholder"] == "😀"
    edit = shared.ask("textDocument/rename", uri, 2, 8, newName="base")
    places = [change["range"]["start"] for change in edit["changes"][uri]]
    assert places == [position(0, 7), position(2, 7)]
    params = {"textDocument": {"uri": uri}, "position": position(2, 8), "newName": "a b"}
    refusal = shared.request("textDocument/rename", params)["error"]
    assert (refusal["code"], "letters" in refusal["message"]) == (-32803, True)


def test_a_dataset_is_renamed_in_all_configs_where_the_editor_renames_files(workspace: Client, folder: Path) -> None:
    uri = opened(workspace, folder / "one.peft.yaml")
    edit = workspace.ask("textDocument/rename", uri, 4, 12, newName="data/b.jsonl")
    *texts, file = edit["documentChanges"]
    assert names([change["textDocument"] for change in texts]) == ["one.peft.yaml", "three.peft.yaml", "two.peft.yaml"]
    assert (file["kind"], file["newUri"]) == ("rename", (folder / "data" / "b.jsonl").as_uri())
    versions = {change["textDocument"]["uri"]: change["textDocument"]["version"] for change in texts}
    assert versions.pop(uri) == 1
    assert set(versions.values()) == {None}


def test_moving_a_folder_edits_the_configs_that_name_what_is_in_it(workspace: Client, folder: Path) -> None:
    opened(workspace, folder / "one.peft.yaml")
    files = [{"oldUri": (folder / "data").as_uri(), "newUri": (folder / "sets").as_uri()}]
    edit = workspace.request("workspace/willRenameFiles", {"files": files})["result"]
    new = {change["textDocument"]["uri"].rsplit("/", 1)[1]: change["edits"] for change in edit["documentChanges"]}
    assert {name: [one["newText"] for one in edits] for name, edits in new.items()} == {
        "one.peft.yaml": ["sets/a.jsonl"],
        "two.peft.yaml": ["sets/a.jsonl"],
        "three.peft.yaml": ["../sets/a.jsonl"],
    }
    files = [{"oldUri": (folder / "other").as_uri(), "newUri": (folder / "sets").as_uri()}]
    assert workspace.request("workspace/willRenameFiles", {"files": files})["result"] is None


def test_a_renamed_folder_is_searched_again_also_when_no_watcher_told_of_its_files(fresh: Client, folder: Path) -> None:
    watching = {"didChangeWatchedFiles": {"dynamicRegistration": True}}
    fresh.initialize({"workspace": watching}, workspaceFolders=[{"uri": folder.as_uri(), "name": "w"}])
    while ".peft.yml" not in str(request := fresh.asked("client/registerCapability")):
        fresh.send({"jsonrpc": "2.0", "id": request["id"], "result": None})
    fresh.send({"jsonrpc": "2.0", "id": request["id"], "result": None})
    (symbol,) = fresh.request("workspace/symbol", {"query": "three"})["result"]
    assert symbol["location"]["uri"] == (folder / "deep" / "three.peft.yaml").as_uri()
    (folder / "deep").rename(folder / "moved")
    files = [{"oldUri": (folder / "deep").as_uri(), "newUri": (folder / "moved").as_uri()}]
    fresh.notify("workspace/didRenameFiles", {"files": files})
    (symbol,) = fresh.request("workspace/symbol", {"query": "three"})["result"]
    assert symbol["location"]["uri"] == (folder / "moved" / "three.peft.yaml").as_uri()


def test_selection_grows_from_the_cursor(shared: Client) -> None:
    uri = shared.open("untitled:selection.peft.yaml", "a: '😀x'\nb: 1\n")
    (found,) = shared.ask("textDocument/selectionRange", uri, positions=[position(0, 5)])
    assert found["range"] == {"start": position(0, 4), "end": position(0, 7)}
    assert found["parent"]["range"] == {"start": position(0, 3), "end": position(0, 8)}


def test_semantic_tokens_come_whole_as_a_change_and_in_part(shared: Client) -> None:
    uri = shared.open("untitled:tokens.peft.yaml", GOOD)
    full = shared.ask("textDocument/semanticTokens/full", uri)
    assert len(full["data"]) == 5 * 8
    shared.change(uri, 2, {"range": {"start": position(0, 9), "end": position(0, 10)}, "text": "22"})
    delta = shared.ask("textDocument/semanticTokens/full/delta", uri, previousResultId=full["resultId"])
    (edit,) = delta["edits"]
    data = full["data"][:]
    data[edit["start"] : edit["start"] + edit["deleteCount"]] = edit["data"]
    assert data == shared.ask("textDocument/semanticTokens/full", uri)["data"]
    assert "data" in shared.ask("textDocument/semanticTokens/full/delta", uri, previousResultId="another")
    line = {"start": position(0, 0), "end": position(0, 1)}
    assert shared.ask("textDocument/semanticTokens/range", uri, range=line)["data"] == data[:10]


def test_links_are_resolved_one_by_one(workspace: Client, folder: Path) -> None:
    uri = opened(workspace, folder / "one.peft.yaml")
    links = workspace.ask("textDocument/documentLink", uri)
    assert [link.get("target") for link in links if link["range"]["start"]["line"] == 2] == [
        "https://huggingface.co/org/m"
    ]
    (dataset,) = (link for link in links if link["range"]["start"]["line"] == 4)
    resolved = workspace.request("documentLink/resolve", dataset)["result"]
    assert resolved["target"] == (folder / "data" / "a.jsonl").as_uri()


def test_symbols_of_the_workspace_are_its_configs_and_their_sections(workspace: Client, folder: Path) -> None:
    found = workspace.request("workspace/symbol", {"query": "thr"})["result"]
    assert [symbol["name"] for symbol in found] == ["three"]
    assert found[0]["location"]["uri"] == (folder / "deep" / "three.peft.yaml").as_uri()


def test_A16_formatting_is_asked_for_a_document_a_range_and_a_new_line(shared: Client) -> None:
    uri = shared.open("untitled:format.peft.yaml", "version:   1\r\nmodel:\r\n    base:  x\r\n\r\n")
    edits = shared.ask("textDocument/formatting", uri, options=OPTIONS)
    assert [edit["newText"] for edit in edits] == [" ", "  ", " ", "\r\n"]
    line = {"start": position(0, 0), "end": position(0, 12)}
    assert len(shared.ask("textDocument/rangeFormatting", uri, range=line, options=OPTIONS)) == 1
    (edit,) = shared.ask("textDocument/onTypeFormatting", uri, 3, 0, ch="\n", options=OPTIONS)
    assert edit["newText"] == "    "


def test_workspace_diagnostics_cover_configs_that_are_not_open(workspace: Client, folder: Path) -> None:
    uri = workspace.open(folder / "one.peft.yaml", BAD)
    items = workspace.request("workspace/diagnostic", {"previousResultIds": []})["result"]["items"]
    found = {item["uri"].rsplit("/", 1)[1]: item for item in items}
    assert sorted(found) == ["one.peft.yaml", "three.peft.yaml", "two.peft.yaml"]
    assert {"PW101", "PW103"} <= set(codes(found["one.peft.yaml"]["items"]))
    assert found["one.peft.yaml"]["version"] == 1
    assert found["one.peft.yaml"]["uri"] == uri
    assert found["three.peft.yaml"]["version"] is None
    assert "PW101" in codes(found["three.peft.yaml"]["items"])
    assert not {item["code"] for item in found["two.peft.yaml"]["items"]} & {"PW101", "PW103", "PW601"}


def test_workspace_diagnostics_send_again_only_what_changed(workspace: Client, folder: Path) -> None:
    first = workspace.request("workspace/diagnostic", {"previousResultIds": []})["result"]["items"]
    known = [{"uri": item["uri"], "value": item["resultId"]} for item in first]
    (folder / "two.peft.yaml").write_text(BAD)
    (folder / "one.peft.yaml").unlink()
    again = workspace.request("workspace/diagnostic", {"previousResultIds": known})["result"]["items"]
    found = {item["uri"].rsplit("/", 1)[1]: item for item in again}
    assert found["three.peft.yaml"]["kind"] == "unchanged"
    assert {"PW101", "PW103"} <= set(codes(found["two.peft.yaml"]["items"]))
    assert found["one.peft.yaml"]["items"] == []


def test_workspace_diagnostics_come_one_by_one_when_the_editor_takes_parts(workspace: Client) -> None:
    params = {"previousResultIds": [], "partialResultToken": "t"}
    assert workspace.request("workspace/diagnostic", params)["result"] == {"items": []}
    parts = [message["params"] for message in workspace.notifications if message["method"] == "$/progress"]
    assert [part["token"] for part in parts] == ["t"] * 3
    assert all(len(part["value"]["items"]) == 1 for part in parts)


@pytest.mark.parametrize("text", ["", "\x00" * 10, "a: &a [*a", "\ufeffa: 1", "<<<<<<< a\n", "😀" * 9, "a:\n\t- b"])
def test_odd_texts_are_answered(shared: Client, text: str) -> None:
    uri = shared.open("untitled:odd.peft.yaml", text)
    for method in ("definition", "documentHighlight"):
        assert shared.ask(f"textDocument/{method}", uri, 0, 1) == []
    assert shared.ask("textDocument/references", uri, 0, 1, context={"includeDeclaration": True}) == []
    assert len(shared.ask("textDocument/selectionRange", uri, positions=[position(0, 1)])) == 1
    assert len(shared.ask("textDocument/formatting", uri, options=OPTIONS)) <= 1
    assert shared.ask("textDocument/documentLink", uri) == []
    shared.ask("textDocument/semanticTokens/full", uri)
    shared.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
