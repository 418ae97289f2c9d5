"""Which token comes next, by which probability."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from peft_engine.inference.contract import Sampling
from peft_engine.inference.sampler import Logits, Sampler, log_probabilities, most_likely
from peft_schemas.errors import WorkbenchError
from tests.property.strategies import examples

FREE = Sampling(temperature=1.0, top_p=1.0, seed=1)
LOGITS = np.log(np.array([0.5, 0.25, 0.15, 0.07, 0.03], np.float32))


def drawn(sampling: Sampling, count: int = 4000, logits: Logits = LOGITS) -> dict[int, float]:
    """Return how often each token came, none of which counts for the next."""
    sampler = Sampler(sampling, ())
    found = Counter(sampler.choose(logits, None) for _ in range(count))
    return {token: times / count for token, times in found.items()}


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (FREE, [0.5, 0.25, 0.15, 0.07, 0.03]),
        (replace(FREE, top_k=2), [2 / 3, 1 / 3]),
        (replace(FREE, top_p=0.8), [0.5 / 0.9, 0.25 / 0.9, 0.15 / 0.9]),
        (replace(FREE, min_p=0.2), [0.5 / 0.9, 0.25 / 0.9, 0.15 / 0.9]),
        (replace(FREE, top_k=3, top_p=0.7), [2 / 3, 1 / 3]),
        (replace(FREE, temperature=0.5), [0.742, 0.185, 0.067, 0.0145, 0.0027]),
    ],
    ids=["all", "top-k", "top-p", "min-p", "top-k and top-p", "temperature"],
)
def test_tokens_come_as_often_as_they_are_likely(sampling: Sampling, expected: list[float]) -> None:
    found = drawn(sampling)

    assert set(found) <= set(range(len(expected)))
    assert [found.get(token, 0) for token in range(len(expected))] == pytest.approx(expected, abs=0.03)


def test_a_penalty_counts_what_the_answer_has() -> None:
    sampler = Sampler(replace(FREE, temperature=0, frequency_penalty=0.4, presence_penalty=0.1), ())

    # ln 0.5 - 0.5 < ln 0.25 only after one more time.
    assert [sampler.choose(LOGITS, None) for _ in range(3)] == [0, 0, 1]


def test_a_repetition_penalty_counts_the_prompt_too() -> None:
    logits = np.array([2.0, 1.5, -1.0], np.float32)

    assert Sampler(replace(FREE, temperature=0, repetition_penalty=2.0), (0,)).choose(logits, None) == 1
    assert Sampler(replace(FREE, temperature=0, repetition_penalty=2.0), ()).choose(logits, None) == 0


def test_a_constraint_is_stronger_than_any_bias() -> None:
    allowed = np.array([False, False, True, False, False])
    sampler = Sampler(replace(FREE, logit_bias=((0, 100.0),)), ())

    assert {sampler.choose(LOGITS, allowed) for _ in range(50)} == {2}


def test_logits_are_left_as_they_are() -> None:
    before = LOGITS.copy()
    Sampler(replace(FREE, presence_penalty=1, logit_bias=((1, 5.0),)), (0,)).choose(LOGITS, None)

    assert np.array_equal(LOGITS, before)


@given(
    logits=arrays(np.float32, st.integers(1, 1500), elements=st.floats(-50, 50, width=32)),
    temperature=st.sampled_from([0.0, 0.1, 1.0, 2.0]),
    top_p=st.sampled_from([1e-9, 0.5, 0.999999, 1.0]),
    top_k=st.sampled_from([0, 1, 7, 10_000]),
    min_p=st.sampled_from([0.0, 0.1, 1.0]),
    seed=st.integers(-(2**63), 2**64),
)
@examples(200)
def test_any_sampling_of_any_logits_gives_a_token_and_the_same_again(
    logits: Logits, temperature: float, top_p: float, top_k: int, min_p: float, seed: int
) -> None:
    sampling = Sampling(temperature, top_p, seed, top_k, min_p)
    first, again = (Sampler(sampling, ()).choose(logits, None) for _ in range(2))

    assert 0 <= first < len(logits)
    assert first == again
    if min_p == 1.0 or top_k == 1 or temperature == 0:
        assert logits[first] == logits.max()


def test_the_nucleus_may_be_larger_than_what_is_sorted_at_first() -> None:
    even = np.zeros(5000, np.float32)

    assert len(drawn(replace(FREE, top_p=0.9), logits=even)) > 1500


def test_the_most_likely_come_in_order_and_equal_ones_by_place() -> None:
    values = np.array([0.1, 0.4, 0.4, 0.9, 0.0])

    assert most_likely(values, 3).tolist() == [3, 1, 2]
    assert most_likely(values, 9).tolist() == [3, 1, 2, 0, 4]


def test_log_probabilities_are_those_of_the_logits_whatever_their_size() -> None:
    huge = LOGITS + np.float32(1e4)

    assert np.exp(log_probabilities(LOGITS)).sum() == pytest.approx(1)
    assert log_probabilities(huge) == pytest.approx(log_probabilities(LOGITS), abs=1e-2)


@pytest.mark.parametrize("temperature", [0, 0.8])
def test_what_is_no_number_chooses_no_token(temperature: float) -> None:
    logits = np.array([1.0, np.nan, 3.0], np.float32)
    with pytest.raises(WorkbenchError, match="no numbers") as error:
        Sampler(Sampling(temperature=temperature, top_p=0.9, seed=1), []).choose(logits, None)
    assert error.value.code == "model-unreadable"
