import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.training.data.token_table import Rows, TokenTable
from peft_engine.training.data.tokens import TokenisedExample
from tests.property.strategies import examples

tokens = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.booleans()), min_size=1, max_size=20)
made = st.builds(
    lambda pairs, cut: TokenisedExample(
        np.array([token for token, _ in pairs], np.uint32), np.array([flag for _, flag in pairs], np.bool_), cut
    ),
    tokens,
    st.booleans(),
)


def plain(example):
    return (example.ids.tolist(), example.trained.tolist(), example.is_cut)


NOTHING = ([], [], False)


@examples(100)
@given(st.lists(st.none() | made, max_size=12))
def test_examples_come_back_as_they_were_laid_out(given_examples):
    table = TokenTable.of(given_examples)
    assert len(table) == len(given_examples)
    assert [plain(table[i]) for i in range(len(table))] == [NOTHING if e is None else plain(e) for e in given_examples]
    assert table.lengths.tolist() == [0 if e is None else len(e.ids) for e in given_examples]


@examples(100)
@given(st.lists(st.lists(st.none() | made, max_size=5), max_size=4))
def test_tables_are_joined_in_their_order(parts):
    joined = TokenTable.joined([TokenTable.of(part) for part in parts])
    whole = TokenTable.of(example for part in parts for example in part)
    assert [plain(joined[i]) for i in range(len(joined))] == [plain(whole[i]) for i in range(len(whole))]


def test_rows_refer_to_the_table_and_can_repeat_its_examples():
    table = TokenTable.of(TokenisedExample(np.full(n, n, np.uint32), np.ones(n, np.bool_)) for n in (1, 2, 3))
    rows = Rows(table, [[2, 0], [1], [2]])
    assert [[example.ids[0] for example in row] for row in rows] == [[3, 1], [2], [3]]
    assert len(rows) == 3
    assert [len(row) for row in rows[-2:]] == [1, 1]
    assert np.shares_memory(rows[0][0].ids, table.ids)
    with pytest.raises(IndexError):
        rows[3]
