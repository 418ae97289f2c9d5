"""What a rule is told of a config of which not everything can be known."""

import pytest

from peft_daemon.language.binding import bind
from peft_daemon.language.context import NOTHING_KNOWN
from peft_daemon.language.rules.subject import Subject
from peft_engine.config.document import parse
from peft_engine.config.text import SourceText
from tests.unit.language.rules.marked import BASE, findings


def subject(text: str) -> Subject:
    document = parse(SourceText(text))
    return Subject(document, bind(document), NOTHING_KNOWN)


@pytest.mark.parametrize("written", ["3", "[1, 2]", "", "null", "text"])
def test_a_value_of_a_section_that_is_none_is_not_known(written: str) -> None:
    of = subject(f"{BASE}training: {written}\n")
    assert of.setting("training.batch_size") is None
    assert of.setting("method.r") is not None


def test_a_list_of_the_wrong_shape_is_not_known() -> None:
    assert subject(f"{BASE}evaluation:\n  datasets: org/d\n").setting("evaluation.datasets") is None


def test_a_value_of_a_section_that_must_be_there_and_is_not_is_not_known() -> None:
    of = subject("version: 1\ndatasets:\n  - path: org/d\n")
    assert of.setting("model.quantization") is None
    assert of.setting("training.batch_size") is not None


def test_nothing_is_known_of_a_text_that_is_no_mapping() -> None:
    assert subject("- a\n").setting("training.batch_size") is None


@pytest.mark.parametrize(
    ("path", "written"), [("training.batch_size", "*four"), ("method.target_modules", "[q_proj, *other]")]
)
def test_what_an_alias_without_an_anchor_stands_for_is_not_known(path: str, written: str) -> None:
    section, name = path.split(".")
    assert subject(f"{BASE}{section}:\n  {name}: {written}\n").setting(path) is None


@pytest.mark.parametrize(
    "key", ["num_epochs", "batch_size", "gradient_accumulation_steps", "max_steps", "learning_rate"]
)
def test_no_rule_stumbles_over_an_alias_without_an_anchor(key: str) -> None:
    assert [finding.code for finding in findings(f"{BASE}training:\n  {key}: *missing\n")] == ["PW005"]
