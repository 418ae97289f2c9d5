"""Whose turn it is among answers under unlike adapters."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from peft_engine.inference.llama.adapters import AdapterKey
from peft_engine.inference.llama.turns import Turns
from tests.property.strategies import examples

KEYS: list[AdapterKey] = [(), (("a", 1.0),), (("b", 1.0),), (("a", 0.5), ("b", 1.0))]


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_turn_lasts_for_several_quick_steps_and_for_one_slow_one() -> None:
    clock = Clock()
    turns = Turns(clock)

    def served(step: float, steps: int) -> list[int]:
        found = []
        for _ in range(steps):
            found.append(KEYS.index(turns.next(KEYS[:2])))
            clock.now += step
        return found

    assert served(0.04, 9) == [0, 0, 0, 1, 1, 1, 0, 0, 0]
    assert served(0.2, 4) == [1, 0, 1, 0]


def test_a_newcomer_comes_behind_those_who_wait() -> None:
    clock = Clock()
    turns = Turns(clock)

    def serve(*waiting: int) -> int:
        clock.now += 0.12
        return KEYS.index(turns.next([KEYS[number] for number in waiting]))

    assert [serve(0, 1, 2) for _ in range(4)] == [0, 1, 2, 0]
    assert [serve(0, 1, 2, 3) for _ in range(5)] == [1, 2, 0, 3, 1]


def test_a_turn_ends_with_the_last_answer_that_has_it() -> None:
    turns = Turns(Clock())
    assert turns.next(KEYS[:2]) == KEYS[0]
    assert turns.next(KEYS[1:2]) == KEYS[1]


@given(st.lists(st.tuples(st.floats(0.001, 0.1), st.sets(st.sampled_from(KEYS))), min_size=20, max_size=80))
@examples(50)
def test_000_P8_nobody_has_two_turns_while_an_answer_waits(steps: list[tuple[float, set[AdapterKey]]]) -> None:
    clock = Clock()
    turns = Turns(clock)
    patient, begun = KEYS[0], list[AdapterKey]()
    before: AdapterKey | None = None
    for seconds, others in steps:
        present = sorted({*others, patient})
        chosen = turns.next(present)
        assert chosen in present
        if chosen == patient:
            begun.clear()
        elif chosen != before:
            begun.append(chosen)
        assert len(begun) == len(set(begun))
        before = chosen
        clock.now += seconds
