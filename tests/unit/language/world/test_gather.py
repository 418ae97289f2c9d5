"""The complete look around a document, as the command line and every launch take it."""

import sys
from pathlib import Path

from peft_daemon.language.context import NOTHING_KNOWN, CheckContext
from peft_daemon.language.world.gather import gather
from peft_engine.config.document import parse
from peft_engine.config.text import SourceText
from tests.unit.language.world.conftest import TEXT


def look(text: str, folder: Path, python: str = sys.executable) -> CheckContext:
    return gather(parse(SourceText(text)), folder / "x.peft.yaml", python=python)


def test_everything_that_the_document_names_is_known(folder: Path) -> None:
    context = look(TEXT, folder)
    assert {path: fact.state for path, fact in context.files.items()} == {
        "./base": "folder", "chat.jinja": "present", "train.jsonl": "present", "other.jsonl": "present",
        "held.jsonl": "present",
    }  # fmt: skip
    assert context.model is not None
    assert (context.model.name, context.model.context_length) == ("base", 512)
    assert {path: fact.records for path, fact in context.datasets.items()} == {
        "train.jsonl": 2, "other.jsonl": 1, "held.jsonl": 1,
    }  # fmt: skip
    assert context.datasets["other.jsonl"].format == "prompt-completion"
    assert context.template is not None
    assert context.template.special_tokens == {"<|user|>"}
    assert (context.presets, context.preset_names) == ({"careful": {"training": {"seed": 7}}}, ("careful",))
    assert context.hardware is not None
    assert context.hardware.packages is not None


def test_a_second_look_sees_what_changed(folder: Path) -> None:
    look(TEXT, folder)
    (folder / "train.jsonl").write_text('{"text": "a"}\n' * 5)
    (folder / "held.jsonl").unlink()
    (folder / "base/config.json").write_text('{"max_position_embeddings": 2048}')
    context = look(TEXT, folder)
    assert context.datasets["train.jsonl"].records == 5
    assert context.files["held.jsonl"].state == "missing"
    assert "held.jsonl" not in context.datasets
    assert context.model is not None
    assert context.model.context_length == 2048


def test_the_same_look_gives_the_same_facts_without_asking_again(folder: Path) -> None:
    first, second = look(TEXT, folder), look(TEXT, folder)
    assert first == second
    assert second.model is first.model


def test_what_is_not_there_is_not_known(tmp_path: Path) -> None:
    context = look("model:\n  base: org/nowhere\n  chat_template: no.jinja\npreset: nope\n", tmp_path)
    assert (context.model, context.template, context.datasets, context.presets) == (None, None, {}, {})
    assert context.files["no.jinja"].state == "missing"
    assert gather(parse(SourceText(TEXT)), None) is NOTHING_KNOWN


def test_an_interpreter_that_cannot_look_leaves_only_its_packages_unknown(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    context = look(TEXT, folder, str(broken))
    assert context.model is not None
    assert context.hardware is not None
    assert context.hardware.packages is None


def test_a_preset_that_cannot_be_used_is_known_by_the_reason(folder: Path) -> None:
    assert look(TEXT, folder).preset_fault is None
    (folder / "presets/careful.yaml").write_text("values: 3\n")
    context = look(TEXT, folder)
    assert context.preset_fault == "The preset careful cannot be used. `values` has a value that it cannot have."
    assert (context.presets, context.preset_names) == ({}, ("careful",))
