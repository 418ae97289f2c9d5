"""The child process that looks, under what children do: crash, hang, leave."""

import os
import signal
import sys
from pathlib import Path

import pytest

from peft_daemon.language.world import looker as module
from peft_daemon.language.world.answers import Answers
from peft_daemon.language.world.looker import Looker
from peft_engine.look import AskHardware, AskTemplate


@pytest.fixture
def question(tmp_path: Path) -> AskTemplate:
    (tmp_path / "t.jinja").write_text("{{ messages }}")
    return AskTemplate(str(tmp_path / "t.jinja"))


def stand_in(tmp_path: Path, script: str) -> str:
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_child_that_was_killed_is_replaced(question: AskTemplate) -> None:
    looker = Looker(sys.executable)
    before = looker.ask(question)
    assert before is not None
    assert looker._child is not None
    os.kill(looker._child.pid, signal.SIGKILL)
    looker._child.wait()
    assert looker.ask(question) == before


def test_a_child_that_does_not_answer_in_time_is_given_up(
    question: AskTemplate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.2)
    python = stand_in(tmp_path, "exec sleep 600")
    monkeypatch.setattr(sys, "executable", python)
    looker = Looker(python)
    assert looker.ask(question) is None
    assert looker._child is None


@pytest.mark.parametrize("script", ["echo '{\"model\": 3}'", "echo nonsense", "exit 1", "kill -9 $$"])
def test_a_child_that_talks_nonsense_or_dies_is_no_answer(
    question: AskTemplate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    python = stand_in(tmp_path, script)
    monkeypatch.setattr(sys, "executable", python)
    assert Looker(python).ask(question) is None


def test_an_answer_holds_until_its_file_changes(question: AskTemplate) -> None:
    answers = Answers(Looker(sys.executable))
    first = answers.find(question)
    assert answers.find(question) is first
    Path(question.path).write_text("{% generation %}{% endgeneration %}")
    known = answers.known(question)
    assert known is not None
    assert not known.still_holds()
    second = answers.find(question)
    assert second.template is not None
    assert second.template.has_generation_markers


def test_an_interpreter_that_is_not_there_is_replaced_by_this_one() -> None:
    answer = Looker("/no/such/python").ask(AskHardware("/no/such/python"))
    assert answer is not None
    assert answer.hardware is not None
    assert answer.hardware.packages is None
