"""A small sample of `benchmarks/findings`: what is planted is found at its place, and its fixes repair."""

from benchmarks.findings.judging import judge
from benchmarks.findings.kinds import KINDS
from benchmarks.findings.planting import good_texts, plant
from benchmarks.findings.sheet import CannotPlantError
from hypothesis import assume, given
from hypothesis import strategies as st

from peft_daemon.language.rules.registry import rules
from tests.property.strategies import examples

HARD_TO_STATE = {"PW199"}
"""It stands for what no other rule names, so nothing can be planted for it."""

CANNOT_HAPPEN = {"PW901", "PW902"}
"""This version trains with every method and quantization that the language has."""


@examples(60)
@given(st.sampled_from(sorted(KINDS)), st.integers(0, 10_000))
def test_A3_a_fault_planted_anywhere_is_found_at_its_exact_characters(kind: str, seed: int) -> None:
    try:
        fault, good = plant(kind, seed)
    except CannotPlantError:
        assume(False)
    verdict = judge(fault, good)
    assert not verdict.missed, fault.text
    assert not verdict.misplaced, fault.text
    assert not verdict.extra, fault.text


@examples(40)
@given(st.sampled_from(sorted(KINDS)), st.integers(10_000, 20_000))
def test_A13_the_fixes_of_a_planted_fault_remove_it_and_touch_nothing_else(kind: str, seed: int) -> None:
    try:
        fault, good = plant(kind, seed)
    except CannotPlantError:
        assume(False)
    verdict = judge(fault, good)
    assert not verdict.keeps_finding, fault.text
    assert not verdict.adds_finding, fault.text
    assert not verdict.changes_value, fault.text


def test_A3_there_is_a_kind_of_fault_that_can_be_planted_for_every_rule() -> None:
    planted = {code for kind in KINDS for seed in range(2) for code in plant(kind, seed)[0].codes}
    assert {rule.code for rule in rules()} - planted - HARD_TO_STATE - CANNOT_HAPPEN == set()


def test_A3_the_corpus_can_be_read_by_the_reader_that_states_the_places() -> None:
    assert len(good_texts()) >= 60
