import numpy as np
import pytest
import torch

from peft_engine.training.data.batch import collate
from peft_engine.training.data.tokens import TokenisedExample
from peft_engine.training.watched.microbatches import split


def example(length, first):
    trained = np.ones(length, np.bool_)
    trained[: length // 2 + 1] = False
    return TokenisedExample(np.arange(first, first + length, dtype=np.uint32), trained)


def examples(*lengths):
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
    every = examples(*lengths)
    got = split(collate([(one,) for one in every]), parts)
    ends = np.cumsum(sizes)
    wanted = [collate([(one,) for one in every[end - size : end]]) for size, end in zip(sizes, ends, strict=True)]
    assert len(got) == len(wanted)
    assert all(same(*pair) for pair in zip(got, wanted, strict=True))


def test_a_packed_row_is_cut_between_its_examples():
    every = examples(6, 6, 6, 6)
    first, second = split(collate([tuple(every)]), 2)
    assert same(first, collate([tuple(every[:2])]))
    assert same(second, collate([tuple(every[2:])]))
