"""Diagnostics over the wire: pushed, pulled, in step with edits and with the files beside the config."""

import json
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from tests.lsp.client import Client
from tests.property.strategies import VALID

GOOD = "version: 1\nmodel:\n  base: org/m\ndatasets:\n  - path: org/d\n"
BAD = GOOD + "training:\n  learning_rat: 1.0e-4\n  batch_size: 0\n"


def codes(diagnostics: list[dict]) -> list[str]:
    return [diagnostic["code"] for diagnostic in diagnostics]


def position(line: int, character: int) -> dict[str, int]:
    return {"line": line, "character": character}


def test_A1_opening_a_document_publishes_its_findings_with_the_version(shared: Client) -> None:
    uri = shared.open("untitled:open.peft.yaml", BAD, version=7)
    found = shared.published(uri)
    assert shared.diagnostics[uri]["version"] == 7
    assert codes(found) == ["PW101", "PW103"]
    first = found[0]
    assert first["range"] == {"start": position(6, 2), "end": position(6, 14)}
    assert (first["severity"], first["source"]) == (1, "peftw")
    assert "learning_rate" in first["message"]


def test_an_edit_is_judged_and_the_result_carries_its_version(shared: Client) -> None:
    uri = shared.open("untitled:edit.peft.yaml", BAD)
    assert codes(shared.published(uri)) == ["PW101", "PW103"]
    edit = {"range": {"start": position(7, 14), "end": position(7, 15)}, "text": "4"}
    shared.change(uri, 2, edit)
    assert codes(shared.published(uri, 2)) == ["PW101"]
    shared.change(uri, 3, {"text": GOOD})
    assert shared.published(uri, 3) == []


def test_positions_count_utf16_characters_also_in_edits(shared: Client) -> None:
    uri = shared.open("untitled:emoji.peft.yaml", GOOD + "training: {seed: 1} # 😀\nmethod: {r: 8} # 😀😀x\n")
    assert shared.published(uri) == []
    edit = {"range": {"start": position(6, 22), "end": position(6, 22)}, "text": "😀\nname: a b #"}
    shared.change(uri, 2, edit)
    (found,) = shared.published(uri, 2)
    assert (found["code"], found["range"]) == ("PW109", {"start": position(7, 6), "end": position(7, 9)})


def test_many_edits_end_in_the_findings_of_the_last(shared: Client) -> None:
    uri = shared.open("untitled:typing.peft.yaml", GOOD)
    text = "training:\n  seed: -1\n"
    for version, character in enumerate(text, start=2):
        done = text[: version - 2]
        line, column = 5 + done.count("\n"), len(done) - (done.rfind("\n") + 1)
        shared.change(
            uri, version, {"range": {"start": position(line, column), "end": position(line, column)}, "text": character}
        )
    last = 1 + len(text)
    assert codes(shared.published(uri, last)) == ["PW103"]


def test_closing_takes_the_diagnostics_away(shared: Client) -> None:
    uri = shared.open("untitled:close.peft.yaml", BAD)
    assert shared.published(uri)
    shared.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    assert shared.published(uri) == []


def test_pulled_diagnostics_are_the_pushed_ones_and_unchanged_ones_are_not_sent_again(shared: Client) -> None:
    uri = shared.open("untitled:pull.peft.yaml", BAD)
    pushed = shared.published(uri)
    pulled = shared.ask("textDocument/diagnostic", uri)
    assert pulled["kind"] == "full"
    assert pulled["items"] == pushed
    again = shared.ask("textDocument/diagnostic", uri, previousResultId=pulled["resultId"])
    assert (again["kind"], again["resultId"]) == ("unchanged", pulled["resultId"])
    shared.change(uri, 2, {"text": GOOD})
    assert shared.ask("textDocument/diagnostic", uri, previousResultId=pulled["resultId"])["items"] == []


def test_an_editor_that_pulls_is_not_told_twice(fresh: Client) -> None:
    fresh.initialize({"textDocument": {"diagnostic": {}, "publishDiagnostics": {}}})
    uri = fresh.open("untitled:once.peft.yaml", BAD)
    assert codes(fresh.ask("textDocument/diagnostic", uri)["items"]) == ["PW101", "PW103"]
    fresh.change(uri, 2, {"text": BAD + "name: a b\n"})
    assert len(fresh.ask("textDocument/diagnostic", uri)["items"]) == 3
    time.sleep(1)
    fresh.ask("textDocument/hover", uri, 0)
    assert fresh.diagnostics[uri]["diagnostics"] == []


def test_findings_follow_the_files_beside_the_config(shared: Client, tmp_path: Path) -> None:
    path = tmp_path / "run.peft.yaml"
    uri = shared.open(path, GOOD.replace("org/d", "train.jsonl"))
    assert codes(shared.published(uri)) == ["PW601"]
    (tmp_path / "train.jsonl").write_text("{}\n")
    change = {"uri": (tmp_path / "train.jsonl").as_uri(), "type": 1}
    shared.notify("workspace/didChangeWatchedFiles", {"changes": [change]})
    assert shared.published(uri) == []


def test_an_untitled_document_is_checked_without_files(shared: Client) -> None:
    uri = shared.open("untitled:Untitled-1", GOOD.replace("org/d", "absent.jsonl"))
    assert shared.published(uri) == []


@pytest.mark.parametrize("text", ["", "\x00" * 10, "- " * 5000, "a: &a [*a]", "\ufeff", "<<<<<<< a\n", "😀" * 1000])
def test_odd_texts_are_answered(shared: Client, text: str) -> None:
    uri = shared.open("untitled:odd.peft.yaml", text)
    shared.published(uri)
    for method in ("hover", "completion"):
        shared.ask(f"textDocument/{method}", uri, 0, 1)
    shared.ask("textDocument/documentSymbol", uri)
    shared.ask("textDocument/foldingRange", uri)
    shared.notify("textDocument/didClose", {"textDocument": {"uri": uri}})


def test_A18_the_shell_says_the_same_as_the_editor(shared: Client, tmp_path: Path) -> None:
    texts = [
        BAD,
        VALID,
        GOOD.replace("org/d", "absent.csv"),
        "a: [1\nb: 2\n",
        "model: x\n",
        "name: 😀 # x\nversion: 2\n",
    ]
    for index, text in enumerate(texts):
        path = tmp_path / f"{index}.peft.yaml"
        path.write_text(text)
    command = [sys.executable, "-m", "peft_daemon", "check", str(tmp_path), "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert sum(report["summary"].values()) == len(report["findings"])
    for index, text in enumerate(texts):
        path = tmp_path / f"{index}.peft.yaml"
        uri = shared.open(path, text)
        in_editor = [(d["code"], d["message"], d["range"]) for d in shared.published(uri)]
        in_shell = [(f["code"], f["message"], f["range"]) for f in report["findings"] if f["path"] == str(path)]
        assert in_editor == in_shell


def test_a_diagnostic_leads_to_the_page_of_its_code(shared: Client) -> None:
    uri = shared.open("untitled:page.peft.yaml", "version: 2\n")
    code = {one["code"]: one["codeDescription"]["href"] for one in shared.published(uri)}
    page = Path(unquote(urlparse(code["PW108"]).path))
    assert page.read_text(encoding="utf-8").startswith("# PW108")
