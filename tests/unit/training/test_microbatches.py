import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.training.data.batch import collate
from peft_engine.training.data.microbatches import halve, split
from peft_engine.training.data.tokens import TokenisedExample
from tests.property.strategies import examples


def example(length, first):
    trained = np.ones(length, np.bool_)
    trained[: length // 2 + 1] = False
    return TokenisedExample(np.arange(first, first + length, dtype=np.uint32), trained)


def examples_of(*lengths):
    return [example(length, 100 * number) for number, length in enumerate(lengths)]


def same(left, right):
    assert left.keys() == right.keys()
    for name, value in left.items():
        assert torch.equal(torch.as_tensor(value), torch.as_tensor(right[name])), name
    return True


@pytest.mark.parametrize(
    ("lengths", "parts", "sizes"),
    [
        ((5, 5, 5, 5), 2, (2, 2)),
        ((5, 5, 5, 5), 4, (1, 1, 1, 1)),
        ((40, 5, 5, 5), 2, (1, 3)),
        ((5, 5, 5, 40), 2, (3, 1)),
        ((5, 5, 5), 2, (1, 2)),
        ((5, 7), 8, (1, 1)),
        ((9,), 2, (1,)),
        ((5, 5, 5), 1, (3,)),
    ],
)
def test_each_part_is_what_its_examples_alone_would_give(lengths, parts, sizes):
    every = examples_of(*lengths)
    got = split(collate([(one,) for one in every]), parts)
    ends = np.cumsum(sizes)
    wanted = [collate([(one,) for one in every[end - size : end]]) for size, end in zip(sizes, ends, strict=True)]
    assert len(got) == len(wanted)
    assert all(same(*pair) for pair in zip(got, wanted, strict=True))


def test_a_packed_row_is_cut_between_its_examples():
    every = examples_of(6, 6, 6, 6)
    first, second = split(collate([tuple(every)]), 2)
    assert same(first, collate([tuple(every[:2])]))
    assert same(second, collate([tuple(every[2:])]))


@given(lengths=st.lists(st.integers(2, 60), min_size=2, max_size=12), target_cost=st.sampled_from([0.0, 0.3, 4.0]))
@examples(100)
def test_F7_halves_hold_each_example_once_and_take_about_as_long(lengths, target_cost):
    every = examples_of(*lengths)
    halves = halve(collate([(one,) for one in every]), target_cost)
    first_tokens = {100 * number: one for number, one in enumerate(every)}
    costs, seen = [], []
    for half in halves:
        begins = half["cu_seq_lens_q"][:-1].long()
        inside = [first_tokens[first] for first in half["input_ids"][0, begins].tolist()]
        assert same(half, collate([(one,) for one in inside]))
        costs.append(sum(len(one.ids) + target_cost * int(one.trained.sum()) for one in inside))
        seen += [int(one.ids[0]) for one in inside]
    assert sorted(seen) == sorted(first_tokens)
    longest = max(len(one.ids) + target_cost * int(one.trained.sum()) for one in every)
    assert abs(costs[0] - costs[1]) <= longest


def test_F7_halves_are_nearer_to_each_other_than_neighbours_could_be():
    halves = halve(collate([(one,) for one in examples_of(30, 30, 10, 8, 6, 6)]), 0.0)
    assert [half["input_ids"].shape[1] for half in halves] == [46, 44]


def test_a_target_counts_for_what_its_logits_cost():
    every = examples_of(40, 40, 40)
    every[0].trained[:] = np.arange(40) > 0
    plain, costly = (halve(collate([(one,) for one in every]), cost) for cost in (0.0, 9.0))
    assert {len(half["cu_seq_lens_q"]) - 1 for half in (*plain, *costly)} == {1, 2}
    alone = next(half for half in costly if len(half["cu_seq_lens_q"]) == 2)
    assert len(alone["targets"]) == 39


def test_one_example_is_not_halved():
    batch = collate([(example(9, 0),)])
    assert halve(batch, 0.3) == [batch]
