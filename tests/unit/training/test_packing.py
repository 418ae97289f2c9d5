from hypothesis import given
from hypothesis import strategies as st

from peft_engine.training.tokens import TokenisedExample, boundaries, pack


def example(length, mark=0):
    return TokenisedExample((mark,) * length, (False,) + (True,) * (length - 1))


def test_short_examples_share_a_row():
    rows = pack([example(6), example(3), example(4), example(7)], capacity=10)
    assert sorted(sorted(len(e.ids) for e in row) for row in rows) == [[3, 7], [4, 6]]


@given(st.lists(st.integers(2, 32), max_size=60))
def test_every_example_is_in_one_row_and_no_row_overflows(lengths):
    examples = [example(length, mark) for mark, length in enumerate(lengths)]
    rows = pack(examples, capacity=32)
    assert all(sum(len(e.ids) for e in row) <= 32 for row in rows)
    assert sorted(e.ids[0] for row in rows for e in row) == sorted(range(len(lengths)))
    assert rows == pack(examples, capacity=32)


def test_borders_are_where_examples_begin_and_the_last_ends():
    assert boundaries([3, 2, 5]) == [0, 3, 5, 10]
