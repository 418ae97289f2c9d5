"""Two halves of a batch computed at the same time have its loss and gradients, the same to the bit each time."""

import threading
from functools import partial

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaForCausalLM

from peft_engine.training.data.batch import collate
from peft_engine.training.data.tokens import TokenisedExample
from peft_engine.training.fused.attention import SEGMENTED
from peft_engine.training.fused.beside import Beside, can_halve, step_in_one_thread
from peft_engine.training.fused.loss import summed_loss
from peft_engine.training.fused.model import fuse
from peft_engine.training.watched.microbatches import halve

PATIENCE = 60.0


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def bare(**more):
    torch.manual_seed(0)
    config = LlamaForCausalLM.config_class(
        vocab_size=512,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        attn_implementation=SEGMENTED,
        **more,
    )
    return LlamaForCausalLM(config).train()


def adapted(model=None, **settings):
    torch.manual_seed(1)
    config = LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM", **settings)
    return fused(get_peft_model(model or bare(), config).train())


def fused(model):
    fuse(model, torch.float32)
    return model


def batch(seed):
    torch.manual_seed(seed)
    rows = []
    for length in (7, 12, 4, 9):
        ids = tuple(torch.randint(0, 512, (length,)).tolist())
        rows.append((TokenisedExample(ids, (False,) + (True,) * (length - 1)),))
    return collate(rows)


def gradients(model):
    return {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


def trained_on(model, seeds, in_halves):
    """Return the losses of some batches, whose gradients are added up."""
    losses = []
    beside = Beside(model)

    def here(part):
        loss = summed_loss(model, part)
        loss.backward()
        return loss.detach()

    for seed in seeds:
        if in_halves:
            first, second = halve(batch(seed), beside.target_cost)
            losses.append(sum(beside.compute(partial(here, first), partial(summed_loss, model, second))))
        else:
            losses.append(here(batch(seed)))
    return losses


MADE = [
    pytest.param(adapted, id="lora"),
    pytest.param(partial(adapted, use_dora=True), id="dora"),
]


@pytest.mark.parametrize("make", MADE)
def test_F2_F4_halves_have_the_loss_and_the_gradients_of_the_whole(make):
    whole, halved = make(), make()
    for loss, both in zip(trained_on(whole, (2, 3), False), trained_on(halved, (2, 3), True), strict=True):
        torch.testing.assert_close(both, loss)
    expected = gradients(whole)
    found = gradients(halved)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("make", MADE)
def test_P28_halves_give_the_same_to_the_bit_each_time(make):
    runs = []
    for _ in range(5):
        model = make()
        runs.append((trained_on(model, (2, 3, 4), True), gradients(model)))
    for losses, found in runs[1:]:
        assert losses == runs[0][0]
        assert all(torch.equal(found[name], gradient) for name, gradient in runs[0][1].items())


def test_both_are_computed_at_the_same_time_each_with_half_of_the_threads():
    meeting, threads = threading.Barrier(2, timeout=PATIENCE), []

    def compute():
        meeting.wait()
        threads.append(torch.get_num_threads())
        return torch.zeros((), requires_grad=True)

    Beside(adapted()).compute(compute, compute)
    assert threads == [1, 1]
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("fails_here", [True, False])
def test_what_fails_in_either_half_is_raised(fails_here):
    def fail():
        raise MemoryError("no room")

    def compute():
        return torch.zeros((), requires_grad=True)

    pair = (fail, compute) if fails_here else (compute, fail)
    beside = Beside(adapted())
    with pytest.raises(MemoryError, match="no room"):
        beside.compute(*pair)
    assert torch.get_num_threads() == 2
    beside.compute(compute, compute)


def test_a_weight_that_only_one_half_reaches_gets_its_gradient():
    model = adapted()
    weights = [weight for weight in model.parameters() if weight.requires_grad]

    def here():
        (weights[0].sum() + weights[1].sum()).backward()
        return torch.zeros(())

    def found():
        return [None if weight.grad is None else weight.grad.unique().item() for weight in weights[:4]]

    beside = Beside(model)
    beside.compute(here, lambda: weights[1].sum() * 2 + weights[2].sum() * 3)
    assert found() == [1, 3, 3, None]
    beside.compute(here, lambda: weights[2].sum() + weights[3].sum())
    assert found() == [2, 4, 4, 1]


@pytest.mark.parametrize("make", MADE)
def test_what_is_known_can_be_trained_in_halves(make):
    assert can_halve(make())


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: fused(bare()), id="gradients as large as the weights"),
        pytest.param(lambda: adapted(lora_dropout=0.1), id="random numbers in the adapter"),
        pytest.param(lambda: adapted(bare(attention_dropout=0.1)), id="random numbers in attention"),
        pytest.param(
            lambda: adapted(bare(rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4})),
            id="positions that remember",
        ),
        pytest.param(lambda: get_peft_model(bare(), LoraConfig(r=2, target_modules="all-linear")), id="not known"),
    ],
)
def test_other_models_are_trained_as_a_whole(make):
    assert not can_halve(make())


def test_one_thread_alone_trains_batches_as_a_whole():
    torch.set_num_threads(1)
    assert not can_halve(adapted())


def test_an_optimizer_of_small_matrices_steps_in_one_thread_and_leaves_the_others_as_they_were():
    weight = torch.nn.Parameter(torch.ones(2, 2))
    seen = []

    class Watched(torch.optim.SGD):
        def step(self, closure=None):
            seen.append(torch.get_num_threads())
            return super().step(closure)

    optimizer = Watched([weight], lr=0.1)
    torch.set_num_threads(2)
    step_in_one_thread(optimizer)
    weight.grad = torch.ones(2, 2)
    optimizer.step()
    assert seen == [1]
    assert torch.get_num_threads() == 2
    assert weight.unique().item() == pytest.approx(0.9)
