"""Help with writing, over the wire: numbers in place, completion that is filled in, changes of the whole config."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from peft_daemon.lsp.errors import INVALID_PARAMS, REQUEST_CANCELLED, REQUEST_FAILED
from tests.lsp.client import Client
from tests.waiting import wait_until

GOOD = "version: 1\nmodel:\n  base: org/m\ndatasets:\n  - path: a.jsonl\n"
TRAINING = "training:\n  batch_size: 4\n  max_steps: 30\n"
ABLE = {
    "textDocument": {
        "codeAction": {"dataSupport": True, "resolveSupport": {"properties": ["edit"]}},
    },
    "workspace": {
        "workspaceEdit": {
            "documentChanges": True,
            "resourceOperations": ["create"],
            "changeAnnotationSupport": {},
        },
        "codeLens": {"refreshSupport": True},
        "inlayHint": {"refreshSupport": True},
    },
}


@pytest.fixture(scope="module")
def able() -> Iterator[Client]:
    """A server whose editor can do everything."""
    client = Client()
    client.initialize(ABLE)
    yield client
    client.kill()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "a.jsonl").write_text('{"text": "hello"}\n')
    return tmp_path / "run.peft.yaml"


def actions(client: Client, uri: str, line: int, **context: Any) -> dict[str, dict]:
    cursor = {"line": line, "character": 0}
    range_ = {"start": cursor, "end": cursor}
    found = client.ask("textDocument/codeAction", uri, range=range_, context={"diagnostics": [], **context})
    return {action["title"]: action for action in found}


def applied(text: str, edits: list[dict]) -> str:
    lines = [*text.splitlines(keepends=True), ""]
    starts = [sum(map(len, lines[:number])) for number in range(len(lines))]

    def offset(position: dict[str, int]) -> int:
        return starts[position["line"]] + position["character"]

    for edit in sorted(edits, key=lambda edit: -offset(edit["range"]["start"])):
        start, end = (offset(edit["range"][end]) for end in ("start", "end"))
        text = text[:start] + edit["newText"] + text[end:]
    return text


def lens_titles(client: Client, uri: str) -> list[str]:
    return [lens["command"]["title"] for lens in client.ask("textDocument/codeLens", uri)]


def hint_labels(client: Client, uri: str) -> list[str]:
    everything = {"start": {"line": 0, "character": 0}, "end": {"line": 99, "character": 0}}
    return [hint["label"] for hint in client.ask("textDocument/inlayHint", uri, range=everything)]


def test_A14_an_edit_of_the_batch_changes_lens_and_hint_and_both_equal_the_command(able: Client, config: Path) -> None:
    uri = able.open(config, GOOD + TRAINING)
    assert lens_titles(able, uri) == ["Run", "Estimate · 30 steps · effective batch 4", "Dry run", "Compare"]
    assert "effective batch 4" in hint_labels(able, uri)
    changed = (GOOD + TRAINING).replace("batch_size: 4", "batch_size: 6")
    able.change(uri, 2, {"text": changed})
    assert lens_titles(able, uri)[1] == "Estimate · 30 steps · effective batch 6"
    assert "effective batch 6" in hint_labels(able, uri)
    config.write_text(changed)
    command = [sys.executable, "-m", "peft_daemon", "estimate", str(config), "--json"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)
    figures = {figure["name"]: figure["value"] for figure in json.loads(printed.stdout)["figures"]}
    assert (figures["steps"], figures["effective_batch"]) == (30, 6)


def test_A14_the_editor_asks_again_when_the_data_was_counted(fresh: Client, config: Path) -> None:
    fresh.initialize(ABLE)
    uri = fresh.open(config, f"{GOOD}training: {{num_epochs: 3}}\n")
    hint_labels(fresh, uri)
    fresh.asked("workspace/inlayHint/refresh")
    # The model and the machine are looked at too, and each is told when it is known.
    wait_until(lambda: "3 steps" in hint_labels(fresh, uri))
    assert "3 steps" in lens_titles(fresh, uri)[1]


def test_one_of_a_thing_is_said_in_the_singular(able: Client) -> None:
    uri = able.open("untitled:one.peft.yaml", GOOD + "training: {max_steps: 1}\nlora_r: 8\n")
    assert lens_titles(able, uri)[1].startswith("Estimate · 1 step ·")
    action = actions(able, uri, 0, only=["source.fixAll"])["Fix all that can be repaired"]
    edit = able.request("codeAction/resolve", action)["result"]["edit"]
    assert [one["description"] for one in edit["changeAnnotations"].values()] == ["1 finding before, 0 after."]


def test_A12_an_offered_key_is_explained_when_it_is_looked_at(able: Client) -> None:
    text = f"{GOOD}profile: summarization\nmethod:\n  \n"
    uri = able.open("untitled:resolve.peft.yaml", text)
    item = next(item for item in able.ask("textDocument/completion", uri, 7, 2) if item["label"] == "dropout")
    assert "documentation" not in item
    filled = able.request("completionItem/resolve", item)["result"]
    assert "Left out, it is `0.05`, from the profile summarization." in filled["documentation"]["value"]
    assert {key: filled[key] for key in item} == item


def test_A13_repairing_everything_is_one_edit_that_is_announced(able: Client) -> None:
    text = f"{GOOD}lora_r: 8\ntraining:\n  learning_rat: 1.0e-4\n"
    uri = able.open("untitled:all.peft.yaml", text)
    action = actions(able, uri, 0, only=["source.fixAll"])["Fix all that can be repaired"]
    assert "edit" not in action
    edit = able.request("codeAction/resolve", action)["result"]["edit"]
    (change,) = edit["documentChanges"]
    assert change["textDocument"] == {"uri": uri, "version": 1}
    assert applied(text, change["edits"]) == f"{GOOD}training:\n  learning_rate: 1.0e-4\nmethod:\n  r: 8\n"
    (annotation,) = edit["changeAnnotations"].values()
    assert "needsConfirmation" not in annotation
    assert annotation["description"] == "2 findings before, 0 after."
    assert {edit["annotationId"] for edit in change["edits"]} == set(edit["changeAnnotations"])


def test_nobody_is_asked_when_everything_is_repaired_while_saving(able: Client) -> None:
    uri = able.open("untitled:save.peft.yaml", f"{GOOD}lora_r: 8\n")
    action = actions(able, uri, 0, only=["source.fixAll"], triggerKind=2)["Fix all that can be repaired"]
    edit = able.request("codeAction/resolve", action)["result"]["edit"]
    assert "changeAnnotations" not in edit
    assert list(edit["changes"]) == [uri]


def test_moving_settings_into_a_preset_makes_its_file(able: Client, config: Path) -> None:
    text = f"{GOOD}name: demo\n{TRAINING}"
    uri = able.open(config, text)
    action = actions(able, uri, 6, only=["refactor.extract"])["Move `training` into a preset"]
    edit = able.request("codeAction/resolve", action)["result"]["edit"]
    create, content, change = edit["documentChanges"]
    assert (create["kind"], create["uri"]) == ("create", (config.parent / "presets" / "demo.yaml").as_uri())
    assert content["edits"][0]["newText"] == "title: demo\nvalues:\n  training:\n    batch_size: 4\n    max_steps: 30\n"
    assert applied(text, change["edits"]) == f"{GOOD}name: demo\npreset: demo\n"


def test_an_action_from_before_an_edit_is_refused(able: Client) -> None:
    uri = able.open("untitled:old.peft.yaml", GOOD + TRAINING)
    action = next(iter(actions(able, uri, 6, only=["refactor.rewrite"]).values()))
    able.change(uri, 2, {"text": GOOD})
    assert able.request("codeAction/resolve", action)["error"]["code"] == -32801


def test_an_editor_that_never_asks_for_edits_gets_them_at_once(shared: Client) -> None:
    text = GOOD + TRAINING
    uri = shared.open("untitled:simple.peft.yaml", text)
    found = actions(shared, uri, 6)
    title = "Halve the batch to 2 and accumulate 2: less memory, the effective batch stays 4"
    edits = found[title]["edit"]["changes"][uri]
    assert "batch_size: 2" in applied(text, edits)
    assert not [title for title in found if "preset" in title], "this editor cannot make files"


def test_an_estimate_shows_the_unsaved_text_with_its_arithmetic(able: Client, config: Path) -> None:
    config.write_text(GOOD)
    uri = able.open(config, GOOD + TRAINING)
    text = able.request("peft/config/estimate", {"uri": uri})["result"]["text"]
    assert text.startswith("| Figure | Value | How it comes about |\n")
    assert "| effective batch | 4 | 4 × 1 (batch_size × gradient_accumulation_steps) |" in text
    assert "Time and memory are not estimated by this version." in text


def test_two_configs_are_compared_by_their_effective_values(able: Client, config: Path) -> None:
    config.write_text(f"{GOOD}profile: summarization\n")
    closed = able.request("peft/config/effective", {"uri": config.as_uri()})["result"]["text"]
    uri = able.open("untitled:other.peft.yaml", GOOD + TRAINING)
    open_ = able.request("peft/config/effective", {"uri": uri})["result"]["text"]
    assert "  batch_size: 2\n" in closed
    assert "  batch_size: 4\n" in open_
    assert closed.splitlines()[0] == open_.splitlines()[0] == "version: 1"


def test_a_dry_run_says_what_would_be_run_or_why_not(able: Client, config: Path) -> None:
    config.write_text(GOOD.replace("version: 1", "version: 7"))
    refused = able.request("peft/config/plan", {"uri": config.as_uri()})["result"]
    assert (refused["text"], refused["error"]["code"]) == (None, "config-invalid")
    assert [finding["code"] for finding in refused["findings"] if finding["severity"] == "error"] == ["PW108"]
    config.write_text(GOOD.replace("org/m", "HuggingFaceTB/SmolLM2-135M-Instruct"))
    plan = able.request("peft/config/plan", {"uri": config.as_uri()})["result"]["text"]
    assert "1 example to train on in an epoch" in plan


def test_a_dry_run_that_is_given_up_is_answered_when_nobody_reads_the_data_any_more(able: Client, config: Path) -> None:
    data = config.with_name("a.jsonl")
    # It is read for seconds.
    data.write_text('{"text": "hello"}\n' * 1_000_000)
    config.write_text(GOOD.replace("org/m", "HuggingFaceTB/SmolLM2-135M-Instruct"))
    server = psutil.Process(able.process.pid)

    def is_read() -> bool:
        return str(data) in {file.path for file in server.open_files()}

    id_ = able.begin("peft/config/plan", {"uri": config.as_uri()})
    wait_until(is_read)
    able.notify("$/cancelRequest", {"id": id_})
    assert able.response(id_)["error"]["code"] == REQUEST_CANCELLED
    assert not is_read()


def test_B24_an_import_is_shown_and_not_written(able: Client, tmp_path: Path) -> None:
    foreign = tmp_path / "axolotl.yaml"
    foreign.write_text("base_model: org/m\nlora_rr: 8\nadapter: lora\nlora_r: 8\nlora_alpha: 16\n")
    params = {"tool": "axolotl", "path": str(foreign)}
    report = able.request("peft/config/import", params)["result"]
    assert "base: org/m" in report["config"]
    assert [finding["range"]["start"]["line"] for finding in report["findings"] if "lora_rr" in finding["message"]] == [
        1
    ]
    assert list(tmp_path.iterdir()) == [foreign]
    missing = able.request("peft/config/import", {"tool": "axolotl", "path": str(tmp_path / "no.yaml")})
    assert missing["error"]["data"]["code"] == "config-missing"


def test_B24_json_that_is_indented_with_tabs_is_imported(able: Client, tmp_path: Path) -> None:
    foreign = tmp_path / "axolotl.json"
    foreign.write_text('{\n\t"base_model": "org/m",\n\t"adapter": "lora",\n\t"lora_r": 8\n}\n')
    report = able.request("peft/config/import", {"tool": "axolotl", "path": str(foreign)})["result"]
    assert "base: org/m" in report["config"]


def test_an_export_is_made_of_what_the_editor_shows_and_says_what_cannot_be_said(able: Client, config: Path) -> None:
    config.write_text(GOOD)
    uri = able.open(config, GOOD + "training:\n  batch_size: 3\nwatch:\n  memory_limit: 0.5\n")
    report = able.request("peft/config/export", {"tool": "axolotl", "uri": uri})["result"]
    assert "micro_batch_size: 3" in report["config"]
    assert {finding["range"]["start"]["line"] for finding in report["findings"] if "memory_limit" in finding["message"]}
    assert config.read_text() == GOOD


def test_a_config_with_errors_is_not_exported(able: Client, config: Path) -> None:
    config.write_text(GOOD.replace("version: 1", "version: 7"))
    report = able.request("peft/config/export", {"tool": "trl", "uri": config.as_uri()})["result"]
    assert report["config"] == ""
    assert [finding["code"] for finding in report["findings"] if finding["severity"] == "error"] == ["PW108"]


@pytest.mark.parametrize("typed", ["", "b", "batch"])
def test_A11_the_first_key_of_a_section_is_offered_at_each_of_its_letters(able: Client, typed: str) -> None:
    for number, before in enumerate(("training:\n  ", "training:\n  seed: 1\n  ", "datasets:\n  - ")):
        uri = able.open(f"untitled:{typed}{number}.peft.yaml", f"{before}{typed}\n")
        wanted = "path" if before.startswith("datasets") else "batch_size"
        offered = able.ask("textDocument/completion", uri, before.count("\n"), len(before.split("\n")[-1] + typed))
        assert wanted in [item["label"] for item in offered], before


COMMANDS = {**ABLE, "workspace": {**ABLE["workspace"], "applyEdit": True}}
FAULTY = GOOD + "trainning:\n  batch_size: 4\n"


@pytest.fixture(scope="module")
def commanding() -> Iterator[Client]:
    """A server whose editor takes edits that it did not ask for."""
    client = Client()
    client.initialize(COMMANDS)
    yield client
    client.kill()


def run(client: Client, command: str, *arguments: str) -> dict[str, Any]:
    return client.request("workspace/executeCommand", {"command": command, "arguments": list(arguments)})


def test_A14_a_command_tells_what_a_config_comes_to(commanding: Client, config: Path) -> None:
    uri = commanding.open(config, GOOD + TRAINING)
    assert "| effective batch | 4 |" in run(commanding, "peftw.estimate", uri)["result"]
    assert "  batch_size: 4\n" in run(commanding, "peftw.effective", uri)["result"]
    # Nothing is named, and no other config is open.
    assert "| effective batch | 4 |" in run(commanding, "peftw.estimate")["result"]
    commanding.notify("textDocument/didClose", {"textDocument": {"uri": uri}})


def test_A13_a_command_repairs_everything_in_the_editor(commanding: Client, config: Path) -> None:
    uri = commanding.open(config, FAULTY)
    asked = commanding.begin("workspace/executeCommand", {"command": "peftw.fixAll", "arguments": [uri]})
    question = commanding.asked("workspace/applyEdit")
    (edits,) = question["params"]["edit"]["changes"].values()
    assert applied(FAULTY, edits) == FAULTY.replace("trainning", "training")
    commanding.send({"jsonrpc": "2.0", "id": question["id"], "result": {"applied": True}})
    assert commanding.response(asked)["result"] is True
    commanding.change(uri, 2, {"text": GOOD})
    assert run(commanding, "peftw.fixAll", uri)["result"] is False
    commanding.notify("textDocument/didClose", {"textDocument": {"uri": uri}})


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("peftw.nothing", []),
        ("peftw.estimate", []),
        ("peftw.estimate", ["file:///nowhere.peft.yaml"]),
        ("peftw.fixAll", [3]),
        ("peftw.fixAll", [{"uri": "a"}]),
    ],
)
def test_a_command_that_cannot_be_run_is_refused(commanding: Client, command: str, arguments: list[Any]) -> None:
    assert run(commanding, command, *arguments)["error"]["code"] == INVALID_PARAMS


def test_an_editor_that_takes_no_edits_is_told_so(able: Client, config: Path) -> None:
    uri = able.open(config, FAULTY)
    assert run(able, "peftw.fixAll", uri)["error"]["code"] == REQUEST_FAILED
    able.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
