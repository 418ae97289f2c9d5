"""Renaming anchors and files, and what configs write once files have moved."""

from pathlib import Path

import pytest

from peft_daemon.language.documents import OpenDocument
from peft_daemon.language.features.rename import Refused, prepare_rename, rename
from peft_daemon.language.relocation import moved_by, rewrite, workspace_edit
from peft_daemon.lsp.types import Position, WorkspaceEdit
from tests.unit.language.features.marked import MARK, after, at, opened, saved, shown

ANCHORED = "a: &lo😀ra {r: 8}\nmethod:\n  <<: *lo😀ra\nb: *lo😀ra\nc: &other 1\n"


def renamed(document: OpenDocument, position: Position, name: str, *others: OpenDocument) -> WorkspaceEdit:
    return rename(document, position, name, [document, *others], files=True, as_document_changes=True)


def test_an_anchor_is_renamed_together_with_its_aliases() -> None:
    for before in ("&lo😀", "<<: *", "b: *lo"):
        document, position = at(ANCHORED.replace(before, before + MARK, 1))
        prepared = prepare_rename(document, position, files=False)
        assert (shown(document, prepared["range"]), prepared["placeholder"]) == ("lo😀ra", "lo😀ra")
        edit = rename(document, position, "base", [document], files=False, as_document_changes=False)
        text = after(document, edit["changes"][document.uri])
        assert text == ANCHORED.replace("lo😀ra", "base")


@pytest.mark.parametrize(
    ("name", "words"), [("a b", "letters"), ("", "letters"), ("other", "already"), ("x]", "letters"), ("*x", "letters")]
)
def test_a_bad_name_for_an_anchor_is_refused_in_one_sentence(name: str, words: str) -> None:
    document, position = at(ANCHORED.replace("&", "&" + MARK, 1))
    with pytest.raises(Refused, match=words) as refusal:
        renamed(document, position, name)
    assert "\n" not in str(refusal.value)


def test_an_anchor_is_not_renamed_where_an_alias_might_be_missed() -> None:
    document, position = at("a: &¦x 1\nb: *x\nc: [*x\n")
    with pytest.raises(Refused, match="faults"):
        renamed(document, position, "y")


def test_a_dataset_is_renamed_in_every_config_and_on_disk(tmp_path: Path) -> None:
    data = saved("{}", tmp_path / "data" / "a.jsonl").path
    document, position = at('datasets:\n  - path: "data/a¦.jsonl" # it\n', tmp_path / "a.peft.yaml")
    other = opened("datasets: [{path: ../data/a.jsonl}, {path: b.csv}]", tmp_path / "sub" / "b.peft.yaml", 7)
    prepared = prepare_rename(document, position, files=True)
    assert (shown(document, prepared["range"]), prepared["placeholder"]) == ("data/a.jsonl", "data/a.jsonl")
    here, there, file = renamed(document, position, "./data/ä b.jsonl", other)["documentChanges"]
    assert after(document, here["edits"]) == 'datasets:\n  - path: "./data/ä b.jsonl" # it\n'
    assert after(other, there["edits"]) == 'datasets: [{path: "../data/ä b.jsonl"}, {path: b.csv}]'
    assert there["textDocument"] == {"uri": other.uri, "version": 7}
    assert file == {"kind": "rename", "oldUri": data.as_uri(), "newUri": data.with_name("ä b.jsonl").as_uri()}


def test_a_preset_is_renamed_with_its_file(tmp_path: Path) -> None:
    saved("values: {}\n", tmp_path / "presets" / "mine.yaml")
    document, position = at("preset: mi¦ne\n", tmp_path / "a.peft.yaml")
    other = opened("preset: 'mine'\n", tmp_path / "b.peft.yaml")
    here, there, file = renamed(document, position, "fast", other)["documentChanges"]
    assert (after(document, here["edits"]), after(other, there["edits"])) == ("preset: fast\n", "preset: 'fast'\n")
    assert file["newUri"] == (tmp_path / "presets" / "fast.yaml").as_uri()
    with pytest.raises(Refused, match="preset"):
        renamed(document, position, "../fast")


@pytest.mark.parametrize(
    ("name", "words"), [("data/b.jsonl", "already"), ("data/a.csv", r"\.jsonl"), (" ", "path"), ("x\0.jsonl", "path")]
)
def test_a_bad_path_is_refused(tmp_path: Path, name: str, words: str) -> None:
    saved("{}", tmp_path / "data" / "a.jsonl")
    saved("{}", tmp_path / "data" / "b.jsonl")
    document, position = at("datasets: [{path: data/¦a.jsonl}]", tmp_path / "a.peft.yaml")
    with pytest.raises(Refused, match=words):
        renamed(document, position, name)


@pytest.mark.parametrize(
    ("marked", "files", "words"),
    [
        ("datasets: [{path: gone¦.jsonl}]", True, "no gone.jsonl"),
        ("datasets: [{path: here¦.jsonl}]", False, "rename the file itself"),
        ("name: de¦mo", True, "Only anchors and files"),
        ("profile: chat¦bot", True, "Only anchors and files"),
        ("model: {base: org/¦m}", True, "Only anchors and files"),
    ],
)
def test_what_cannot_be_renamed_says_why(tmp_path: Path, marked: str, files: bool, words: str) -> None:
    saved("{}", tmp_path / "here.jsonl")
    document, position = at(marked, tmp_path / "a.peft.yaml")
    with pytest.raises(Refused, match=words):
        prepare_rename(document, position, files=files)


def moved_texts(documents: list[OpenDocument], *renames: tuple[Path, Path]) -> dict[str, str]:
    found = rewrite(documents, moved_by(renames))
    return {one.document.uri.rsplit("/", 1)[1]: after(one.document, one.edits) for one in found}


def test_a_moved_folder_of_data_is_followed_by_the_configs_that_name_it(tmp_path: Path) -> None:
    configs = [
        opened("datasets: [{path: ./data/a.csv}, {path: org/data}]", tmp_path / "a.peft.yaml"),
        opened(f"datasets: [{{path: '{tmp_path}/data/a.csv'}}]", tmp_path / "x" / "b.peft.yaml"),
        opened("datasets: [{path: other/a.csv}]", tmp_path / "c.peft.yaml"),
    ]
    assert moved_texts(configs, (tmp_path / "data", tmp_path / "x" / "sets")) == {
        "a.peft.yaml": "datasets: [{path: ./x/sets/a.csv}, {path: org/data}]",
        "b.peft.yaml": f"datasets: [{{path: '{tmp_path}/x/sets/a.csv'}}]",
    }


def test_a_moved_config_keeps_its_files(tmp_path: Path) -> None:
    model = "model: {base: ./base, chat_template: c.jinja}\n"
    text = model + "datasets: [{path: data/a.csv}, {path: /abs.csv}, {path: org/d}]"
    config = opened(text, tmp_path / "a.peft.yaml")
    assert moved_texts([config], (tmp_path / "a.peft.yaml", tmp_path / "runs" / "b.peft.yaml")) == {
        "a.peft.yaml": text.replace("./base", "../base").replace("c.jinja", "../c.jinja").replace("data/a", "../data/a")
    }


def test_what_moves_together_needs_no_edit(tmp_path: Path) -> None:
    config = opened("datasets: [{path: data/a.csv}]", tmp_path / "p" / "a.peft.yaml")
    assert moved_texts([config], (tmp_path / "p", tmp_path / "q")) == {}
    assert moved_texts([config], (tmp_path / "p" / "a.peft.yaml", tmp_path / "p" / "b.peft.yaml")) == {}


def test_a_moved_preset_is_followed_while_it_can_be_found(tmp_path: Path) -> None:
    saved("values: {}\n", tmp_path / "presets" / "mine.yaml")
    config = opened("preset: mine", tmp_path / "a.peft.yaml")
    old = tmp_path / "presets" / "mine.yaml"
    assert moved_texts([config], (old, old.with_name("ours.yaml"))) == {"a.peft.yaml": "preset: ours"}
    assert moved_texts([config], (old, tmp_path / "ours.yaml")) == {}


def test_an_editor_without_document_changes_gets_plain_ones(tmp_path: Path) -> None:
    config = opened("datasets: [{path: a.csv}]", tmp_path / "a.peft.yaml")
    rewritten = rewrite([config], moved_by([(tmp_path / "a.csv", tmp_path / "b.csv")]))
    edit = workspace_edit(rewritten, as_document_changes=False)
    assert after(config, edit["changes"][config.uri]) == "datasets: [{path: b.csv}]"
