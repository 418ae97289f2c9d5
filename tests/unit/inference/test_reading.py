"""Whose prompt is read next."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from peft_engine.inference.reading import Reading
from tests.property.strategies import examples


@dataclass(eq=False)
class Prompt:
    """A prompt that is counted down."""

    prompt_left: int


def read(prompts: list[Prompt], reading: Reading) -> Prompt | None:
    """Read one block."""
    chosen = reading.next(prompts)
    if chosen is not None:
        chosen.prompt_left -= 1
        reading.read()
    return chosen


def ends(lengths: list[int]) -> list[int]:
    """Return after how many blocks each prompt is read."""
    prompts, reading = [Prompt(length) for length in lengths], Reading()
    found = [0] * len(prompts)
    for block in range(1, sum(lengths) + 1):
        chosen = read(prompts, reading)
        assert chosen is not None
        found[prompts.index(chosen)] = block
    assert reading.next(prompts) is None
    return found


def test_prompts_of_one_length_are_read_one_after_the_other() -> None:
    assert ends([3, 3, 3]) == [3, 6, 9]


def test_a_short_prompt_takes_at_most_twice_its_time_beside_a_long_one() -> None:
    assert ends([100, 2])[1] <= 4


def test_a_long_prompt_comes_to_its_end_however_many_short_ones_come() -> None:
    long, reading = Prompt(20), Reading()
    blocks = 0
    while long.prompt_left:
        read([long, Prompt(1)], reading)
        blocks += 1
    assert blocks <= 40


def test_nothing_is_read_where_every_prompt_is() -> None:
    assert Reading().next([Prompt(0), Prompt(0)]) is None


@given(st.lists(st.integers(1, 30), min_size=1, max_size=4))
@examples(100)
def test_no_prompt_waits_longer_than_all_blocks_and_one_is_read_in_twice_its_own(lengths: list[int]) -> None:
    found = ends(lengths)
    assert max(found) == sum(lengths)
    assert min(found) <= 2 * min(lengths)
