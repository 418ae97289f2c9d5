"""A matrix that learns holds its gradient as it was computed, and the optimizer's numbers are torch's own."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils import clip_grad_norm_

from peft_engine.training.fused import matrix as module
from peft_engine.training.fused.adamw import StretchedAdamW
from peft_engine.training.fused.matrix import LearnedMatrices, LearnedMatrix
from peft_engine.training.fused.threads import Threads
from tests.property.strategies import examples

SHAPES = ((40, 24), (8, 16), (33, 5))


def numbers(*shape):
    return torch.randn(*shape).to(torch.bfloat16)


def factors(weight, tokens=6):
    outputs, inputs = weight.shape
    return numbers(tokens, outputs), numbers(tokens, inputs)


def made(dtype=torch.bfloat16):
    weight = torch.nn.Parameter(torch.randn(40, 24))
    return weight, LearnedMatrix(weight, dtype)


@given(sizes=st.tuples(*[st.integers(1, 40)] * 2), parts=st.lists(st.integers(1, 40), min_size=1, max_size=3))
@examples(30)
def test_F7_a_gradient_is_the_one_product_of_all_parts_and_takes_the_place_of_the_rounded_weight(sizes, parts):
    weight = torch.nn.Parameter(torch.randn(*sizes))
    matrix = LearnedMatrix(weight, torch.bfloat16)
    rounded = matrix.rounded()
    assert torch.equal(rounded, weight.detach().to(torch.bfloat16))
    given = [factors(weight, tokens) for tokens in parts]
    matrix.add_product(given)
    assert matrix.is_held
    assert weight.grad is None
    matrix.hand_over()
    left, right = (torch.cat(side).double() for side in zip(*given, strict=True))
    torch.testing.assert_close(weight.grad.double(), left.t() @ right, rtol=1e-2, atol=1e-2)
    assert torch.equal(weight.grad, rounded.float()), "rounded once"
    assert torch.equal(matrix.rounded(), weight.detach().to(torch.bfloat16))


def test_F7_a_second_gradient_is_added_in_float32():
    weight, matrix = made()
    one, other = numbers(40, 24), numbers(40, 24)
    matrix.add(one)
    matrix.add(other, torch.tensor(0.3))
    assert torch.equal(weight.grad, one.float() + other.float() * 0.3)
    matrix.rounded()
    matrix.add_product([factors(weight)])
    assert not matrix.is_held


def test_a_gradient_that_is_held_is_not_overwritten():
    weight, matrix = made()
    matrix.add_product([factors(weight)])
    first = matrix.room().clone().float()
    assert torch.equal(weight.grad, first)
    matrix.add(numbers(40, 24))
    weight.grad = None
    matrix.add(kept := numbers(40, 24))
    matrix.rounded()
    assert torch.equal(weight.grad, kept.float())


@pytest.mark.parametrize("held", [True, False])
def test_F7_the_rows_of_a_table_are_added_to_what_its_output_layer_gives(held):
    weight, matrix = made()
    dense, which, values = numbers(40, 24), torch.tensor([0, 3, 39]), torch.randn(3, 24)
    expected = torch.zeros_like(weight)
    if held:
        matrix.add(dense, torch.tensor(0.5))
        expected = dense.float() * 0.5
    matrix.add_rows(which, values)
    matrix.add_rows(which, values)
    matrix.hand_over()
    torch.testing.assert_close(weight.grad, expected.index_add(0, which, 2 * values).detach())


def test_a_weight_that_is_set_anew_is_rounded_anew():
    weight, matrix = made()
    matrix.rounded()
    with torch.no_grad():
        weight.copy_(torch.randn(40, 24))
    assert torch.equal(matrix.rounded(), weight.detach().to(torch.bfloat16))


def test_a_weight_whose_gradient_was_handed_over_is_rounded_anew():
    """Not every optimizer that takes it has autograd count what it writes."""
    weight, matrix = made()
    matrix.rounded()
    matrix.add(numbers(40, 24))
    matrix.hand_over()
    version = weight._version
    weight.data.copy_(torch.randn(40, 24))
    assert weight._version == version
    assert torch.equal(matrix.rounded(), weight.detach().to(torch.bfloat16))


def test_what_fails_with_a_matrix_is_raised_as_it_is():
    matrices = LearnedMatrices(Threads())
    matrix = matrices.of(torch.nn.Parameter(torch.randn(40, 24)), torch.bfloat16)
    matrix.add(numbers(40, 24))

    def fails(*_):
        raise IndexError("out of range")

    with pytest.raises(IndexError, match="out of range"):
        matrices.each(fails)


def test_what_is_not_held_wide_or_does_not_learn_is_left_to_autograd():
    matrices = LearnedMatrices()
    assert matrices.of(torch.nn.Parameter(torch.ones(2, 2, dtype=torch.bfloat16)), torch.bfloat16) is None
    assert matrices.of(torch.nn.Parameter(torch.ones(2, 2), requires_grad=False), torch.bfloat16) is None


class Twins:
    """The same weights twice, one with an optimizer of torch's and one with ours."""

    def __init__(self, compute, threads, **settings):
        torch.manual_seed(0)
        self.compute = compute
        self.theirs = [torch.nn.Parameter(torch.randn(*shape)) for shape in SHAPES]
        self.theirs.append(torch.nn.Parameter(torch.randn(7)))
        self.ours = copy.deepcopy(self.theirs)
        matrices = LearnedMatrices(threads)
        self.matrices = [matrices.of(weight, compute) for weight in self.ours[:-1]]
        self.their_optimizer = torch.optim.AdamW(self.theirs, fused=True, **settings)
        self.optimizer = StretchedAdamW(self.ours, matrices=matrices, fused=True, **settings)

    def step(self, largest=None):
        for matrix, theirs in zip(self.matrices, self.theirs, strict=False):
            matrix.rounded()
            matrix.add_product([factors(theirs)])
            theirs.grad = next(gradient.clone() for _, gradient in matrix.wide(torch.empty(theirs.numel())))
        self.theirs[-1].grad = torch.randn(7)
        self.ours[-1].grad = self.theirs[-1].grad.clone()
        if largest is not None:
            norm = clip_grad_norm_(self.theirs, largest)
            torch.testing.assert_close(self.optimizer.clip(largest), norm)
        self.their_optimizer.step()
        self.optimizer.step()
        self.ours[-1].grad = None


@pytest.mark.parametrize("compute", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("threads", [None, Threads()], ids=["one thread", "two"])
@pytest.mark.parametrize("largest", [None, 1.0, 1e6])
def test_F7_the_optimizers_numbers_are_torchs(compute, threads, largest, monkeypatch):
    monkeypatch.setattr(module, "_STRETCH_NUMBERS", 100)
    twins = Twins(compute, threads, lr=1e-2, weight_decay=0.1)
    for _ in range(4):
        twins.step(largest)
        assert not any(matrix.is_held for matrix in twins.matrices)
        for ours, theirs in zip(twins.ours, twins.theirs, strict=True):
            torch.testing.assert_close(
                ours, theirs, rtol=0 if largest is None else 1e-5, atol=0 if largest is None else 1e-6
            )
        for matrix in twins.matrices:
            assert torch.equal(matrix.rounded(), matrix.weight.detach().to(compute))


def test_F11_the_optimizers_state_is_torchs_and_either_goes_on_from_it():
    twins = Twins(torch.bfloat16, None, lr=1e-2)
    twins.step()
    ours, theirs = twins.optimizer.state_dict(), twins.their_optimizer.state_dict()
    assert ours["state"].keys() == theirs["state"].keys()
    for place, state in theirs["state"].items():
        assert state.keys() == ours["state"][place].keys()
        assert all(torch.equal(ours["state"][place][name], value) for name, value in state.items())
    twins.optimizer.load_state_dict(theirs)
    twins.their_optimizer.load_state_dict(ours)
    twins.step()
    assert all(torch.equal(one, other) for one, other in zip(twins.ours, twins.theirs, strict=True))
