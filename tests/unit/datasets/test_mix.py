from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peft_engine.datasets import Text, mix, mix_as_configured, split_off
from peft_schemas.config import DatasetConfig
from peft_schemas.errors import WorkbenchError
from tests.property.strategies import examples

TEXTS = [Text(str(n)) for n in range(50)]


def test_no_share_holds_out_nothing():
    split = split_off(TEXTS, 0.0, 1)
    assert split.train == tuple(TEXTS)
    assert split.held_out == ()


def test_the_seed_decides_who_is_held_out():
    assert split_off(TEXTS, 0.2, 1) == split_off(TEXTS, 0.2, 1)
    assert split_off(TEXTS, 0.2, 1) != split_off(TEXTS, 0.2, 2)


@given(
    st.lists(st.integers(0, 20).map(lambda n: Text(str(n))), min_size=1, max_size=60),
    st.floats(0, 0.99),
    st.integers(0, 1000),
)
def test_the_two_sides_are_disjoint_and_complete(examples, share, seed):
    split = split_off(examples, share, seed)
    assert not set(split.train) & set(split.held_out)
    assert set(split.train) | set(split.held_out) == set(examples)
    assert len(split.held_out) == len(set(split.held_out))
    assert split.train
    assert bool(split.held_out) == (share > 0 and len(set(examples)) > 1)


def test_a_weight_says_how_often_each_example_is_used():
    other = [Text("other")] * 3
    counts = Counter(mix([(TEXTS, 2.0), (other, 1.0)], seed=3))
    assert all(counts[text] == 2 for text in TEXTS)
    assert counts[Text("other")] == 3


def test_a_broken_weight_uses_a_part_once_more():
    counts = Counter(mix([(TEXTS, 1.5)], seed=3))
    assert sorted(counts.values()) == [1] * 25 + [2] * 25
    assert mix([(TEXTS, 1.5)], seed=3) == mix([(TEXTS, 1.5)], seed=3)


def test_a_weight_below_one_uses_a_part_of_the_examples():
    assert len(set(mix([(TEXTS, 0.2)], seed=3))) == 10


@examples(100)
@given(
    st.lists(st.tuples(st.integers(1, 30), st.sampled_from([0.01, 0.3, 0.5, 1.0, 1.7, 3.0])), min_size=1, max_size=4),
    st.integers(0, 100),
)
def test_what_is_chosen_does_not_depend_on_what_the_examples_are(parts, seed):
    texts = [[Text(f"{part} {n}") for n in range(count)] for part, (count, _) in enumerate(parts)]
    numbers = [list(range(count)) for count, _ in parts]
    weights = [weight for _, weight in parts]
    chosen = mix(list(zip(texts, weights, strict=True)), seed)
    assert [int(text.text.split()[1]) for text in chosen] == list(mix(list(zip(numbers, weights, strict=True)), seed))


@examples(100)
@given(st.integers(1, 60), st.floats(0.001, 3.0))
def test_a_weight_that_leaves_nothing_is_told_and_no_other(count, weight):
    config = DatasetConfig(path="some.jsonl", weight=weight)
    if mix([(range(count), weight)], 1):
        assert mix_as_configured([range(count)], [config], 1) == mix([(range(count), weight)], 1)
    else:
        with pytest.raises(WorkbenchError, match=f"leaves none of the {count} examples of some.jsonl"):
            mix_as_configured([range(count)], [config], 1)
