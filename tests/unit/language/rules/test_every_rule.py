"""What must hold of each rule: cases on both sides, an example, a page, and fixes that repair without harm."""

import pytest

from peft_daemon.language.rules.pages import page_of
from peft_daemon.language.rules.registry import FAMILIES, Rule, rules
from tests.property.faults import apply
from tests.unit.language.rules import (
    test_backend,
    test_cost,
    test_data,
    test_method,
    test_model,
    test_precision,
    test_room,
    test_scalars,
    test_schedule,
    test_several,
    test_tracker,
)
from tests.unit.language.rules.marked import Case, findings

CASES: list[Case] = [
    case
    for module in (
        test_backend,
        test_cost,
        test_data,
        test_method,
        test_model,
        test_precision,
        test_room,
        test_scalars,
        test_schedule,
        test_several,
        test_tracker,
    )
    for case in module.CASES
]
WITH_EXAMPLE = [rule for rule in rules() if rule.example]


@pytest.mark.parametrize("code", [rule.code for rule in WITH_EXAMPLE if rule.code >= "PW113"])
def test_each_rule_has_a_case_that_it_finds_and_a_near_one_that_it_does_not(code: str) -> None:
    assert {case.is_fault for case in CASES if case.code == code} == {True, False}


@pytest.mark.parametrize("case", [case for case in CASES if case.is_fault], ids=str)
def test_A13_each_fix_removes_its_finding_and_adds_none(case: Case) -> None:
    _repairs(case.code, case.text, case)


@pytest.mark.parametrize("rule", WITH_EXAMPLE, ids=lambda rule: rule.code)
def test_A13_the_fixes_of_each_example_remove_its_finding_and_add_none(rule: Rule) -> None:
    _repairs(rule.code, rule.example, rule)


def _repairs(code: str, text: str, of: Case | Rule) -> None:
    before = findings(text, of.known)
    kinds = {finding.code for finding in before}
    for finding in [finding for finding in before if finding.code == code]:
        for fix in finding.fixes:
            fixed = apply(text, fix)
            after = findings(fixed, of.known)
            assert (finding.code, finding.message) not in [(one.code, one.message) for one in after], fixed
            assert {one.code for one in after} <= kinds, fixed
            assert fixed.count("#") == text.count("#")


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.code)
def test_each_rule_has_a_page_and_says_why_and_what_to_do(rule: Rule) -> None:
    page = page_of(rule.code)
    assert page is not None
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {rule.code}\n")
    assert rule.why in text
    assert rule.advice in text
    assert rule.family in FAMILIES
    for sentence in (rule.summary, rule.why, rule.advice):
        assert sentence.endswith(".")


def test_there_is_no_page_of_a_code_that_is_none() -> None:
    assert page_of("PW000") is None


def test_each_message_is_one_plain_sentence_without_blanks_at_its_ends() -> None:
    for case in CASES:
        for finding in findings(case.text, case.known):
            assert finding.message[-1] in ".?"
            assert finding.message == " ".join(finding.message.split())
            assert len(finding.message) < 200
