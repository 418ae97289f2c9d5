from hypothesis import given
from hypothesis import strategies as st

from peft_engine.training.data.packing import pack
from peft_engine.training.data.tokens import boundaries
from tests.property.strategies import examples


def packed_plainly(lengths, capacity):
    """Best fit as it is written in books, at a cost of examples times rows."""
    rows, room = [], []
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        fitting = [row for row, left in enumerate(room) if left >= lengths[i]]
        row = min(fitting, key=lambda row: room[row], default=len(rows))
        if row == len(rows):
            rows.append([])
            room.append(capacity)
        rows[row].append(i)
        room[row] -= lengths[i]
    return rows


def test_short_examples_share_a_row():
    assert pack([6, 3, 4, 7], capacity=10) == [[3, 1], [0, 2]]


def test_an_example_that_fills_a_row_is_alone_in_it():
    assert pack([10, 10, 1], capacity=10) == [[0], [1], [2]]


@examples(300)
@given(st.integers(1, 64).flatmap(lambda room: st.tuples(st.lists(st.integers(1, room), max_size=80), st.just(room))))
def test_every_example_is_in_one_row_and_no_row_overflows(case):
    lengths, capacity = case
    rows = pack(lengths, capacity)
    assert all(sum(lengths[i] for i in row) <= capacity for row in rows)
    assert sorted(i for row in rows for i in row) == list(range(len(lengths)))


@examples(300)
@given(st.integers(1, 64).flatmap(lambda room: st.tuples(st.lists(st.integers(1, room), max_size=80), st.just(room))))
def test_the_rows_are_those_of_plain_best_fit(case):
    assert pack(*case) == packed_plainly(*case)


def test_borders_are_where_examples_begin_and_the_last_ends():
    assert boundaries([3, 2, 5]) == [0, 3, 5, 10]
