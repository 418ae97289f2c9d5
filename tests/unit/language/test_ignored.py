"""Remarks that a comment tells to ignore."""

import pytest
from hypothesis import given

from peft_daemon.language.check import check_text
from peft_daemon.language.ignored import ignoring
from peft_engine.config.document import parse
from peft_engine.config.text import SourceText
from tests.property.faults import apply
from tests.property.strategies import configs, examples, to_yaml

BASE = "version: 1\nmodel:\n  base: org/m\ndatasets:\n  - path: org/d\ntraining:\n"


def codes(text: str) -> list[str]:
    return [finding.code for finding in check_text(text)]


@pytest.mark.parametrize(
    "training",
    [
        "  learning_rate: 3.0e-3 # peftw: ignore PW501\n",
        "  learning_rate: 3.0e-3  #peftw: ignore PW313, PW501 because the model is small\n",
        "  # peftw: ignore PW501\n  learning_rate: 3.0e-3\n",
    ],
)
def test_a_remark_is_ignored_on_its_line_and_from_the_line_above(training: str) -> None:
    assert codes(BASE + training) == []


@pytest.mark.parametrize(
    "training",
    [
        "  learning_rate: 3.0e-3 # peftw: ignore PW502\n",
        "  learning_rate: 3.0e-3 # ignore PW501\n",
        "  seed: 1 # peftw: ignore PW501\n  learning_rate: 3.0e-3\n",
        "  # peftw: ignore PW501\n  seed: 1\n  learning_rate: 3.0e-3\n",
    ],
)
def test_a_remark_of_another_code_or_line_is_still_made(training: str) -> None:
    assert codes(BASE + training) == ["PW501"]


def test_an_error_cannot_be_ignored() -> None:
    assert codes(BASE + "  learning_rat: 1.0e-4 # peftw: ignore PW101\n") == ["PW101"]
    finding = check_text(BASE + "  learning_rat: 1.0e-4\n")[0]
    assert ignoring(parse(SourceText(BASE + "  learning_rat: 1.0e-4\n")), finding) is None


def test_a_text_that_only_looks_like_the_comment_is_none() -> None:
    text = BASE.replace("org/m", "'org/m # peftw: ignore PW501'") + "  learning_rate: 3.0e-3\n"
    assert codes(text) == ["PW501"]


@examples(60)
@given(configs())
def test_A13_ignoring_takes_one_remark_away_and_changes_no_value(config: dict) -> None:
    text = to_yaml(config)
    for ending in ("\n", " # why\n"):
        written = text.replace("\n", ending)
        document = parse(SourceText(written))
        for finding in check_text(written):
            fix = ignoring(document, finding)
            assert (fix is None) == (finding.severity == "error")
            if fix is not None:
                after = apply(written, fix)
                assert parse(SourceText(after)).to_plain() == document.to_plain()
                assert len(check_text(after)) < len(check_text(written))
