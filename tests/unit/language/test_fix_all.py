"""Repairing everything at once."""

from hypothesis import given

from peft_daemon.language.check import check_text
from peft_daemon.language.context import NOTHING_KNOWN
from peft_daemon.language.fix_all import repaired
from peft_daemon.language.revision import Revision, apply_edits
from peft_engine.config.document import parse
from peft_engine.config.text import SourceText
from tests.property.faults import Planted, planted
from tests.property.strategies import damaged, examples, texts

BASE = "version: 1\nmodel:\n  base: org/m\ndatasets:\n  - path: org/d\n"


def fixed(text: str) -> str:
    return repaired(Revision(parse(SourceText(text)), NOTHING_KNOWN)).document.source.text


def error_count(text: str) -> int:
    return sum(finding.severity == "error" for finding in check_text(text))


def test_several_faults_are_repaired_in_one_go_and_comments_stay() -> None:
    text = f"{BASE}method: {{lora_r: 8}} # why\ntraining:\n  learning_rat: 1.0e-4\n  packing: yes # joined\n"
    expected = f"{BASE}method: {{r: 8}} # why\ntraining:\n  learning_rate: 1.0e-4\n  packing: true # joined\n"
    assert fixed(text) == expected


def test_two_keys_for_a_section_that_is_not_there_land_in_one_section() -> None:
    text = fixed(f"{BASE}lora_r: 8\nlora_alpha: 16\n")
    assert parse(SourceText(text)).to_plain()["method"] == {"r": 8, "alpha": 16}
    assert text.count("method:") == 1


def test_a_repair_that_uncovers_a_warning_is_made_and_the_advice_is_left_to_the_user() -> None:
    text = f"{BASE}training:\n  learnin_rate: 3.0e-3\n"
    assert [finding.severity for finding in check_text(text)] == ["error"]
    assert fixed(text) == f"{BASE}training:\n  learning_rate: 3.0e-3\n"


def test_nothing_that_the_user_wrote_is_deleted_unasked() -> None:
    text = f"{BASE}zzz: 1\n"
    assert check_text(text)
    assert fixed(text) == text


def test_a_preview_shows_the_words_that_change_and_not_their_lines() -> None:
    text = f"{BASE}training:\n  learnin_rate: 1e-4 # low\n  packing: yes\n"
    before = Revision(parse(SourceText(text)), NOTHING_KNOWN)
    edits = repaired(before).edits_from(before.document)
    assert [edit.newText for edit in edits] == ["learning_rate: 1.0e-4", "true"]
    assert [edit.range.start.line for edit in edits] == [6, 7]


@examples(100)
@given(texts(), texts())
def test_the_edits_between_two_texts_make_one_of_the_other(one: str, other: str) -> None:
    before, after = (Revision(parse(SourceText(text)), NOTHING_KNOWN) for text in (one, other))
    edits = after.edits_from(before.document)
    assert apply_edits(before.document.source, edits) == after.document.source.text


@examples(60)
@given(planted())
def test_A13_repairing_all_brings_no_error_and_leaves_nothing_to_repair(fault: Planted) -> None:
    text = fixed(fault.text)
    assert error_count(text) <= error_count(fault.text)
    assert fixed(text) == text


@examples(60)
@given(damaged())
def test_A13_repairing_a_damaged_text_brings_no_error_and_is_done_once(text: str) -> None:
    once = fixed(text)
    assert error_count(once) <= error_count(text)
    assert fixed(once) == once
