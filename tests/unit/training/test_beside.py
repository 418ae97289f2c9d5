"""Two halves of a batch computed at the same time have its loss and gradients, the same to the bit each time."""

from functools import partial

import bitsandbytes
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaForCausalLM

from peft_engine.training.data.batch import collate
from peft_engine.training.data.tokens import TokenisedExample
from peft_engine.training.fused.adamw import learns_little, step_in_one_thread
from peft_engine.training.fused.attention import SEGMENTED
from peft_engine.training.fused.beside import Beside
from peft_engine.training.fused.loss import summed_loss
from peft_engine.training.fused.model import fuse, train_alone


@pytest.fixture(autouse=True)
def two_threads(set_threads):
    set_threads(2)


@pytest.fixture
def passes(monkeypatch):
    """What was computed in halves."""
    counted, run = [], Beside.run
    monkeypatch.setattr(Beside, "run", lambda self, *given: counted.append(given) or run(self, *given))
    return counted


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


def full(**more):
    return fused(bare(**more))


def computed_again(model):
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return model


def batch(seed, lengths=(7, 12, 4, 9)):
    torch.manual_seed(seed)
    rows = []
    for length in lengths:
        ids = tuple(torch.randint(0, 512, (length,)).tolist())
        rows.append((TokenisedExample(ids, (False,) + (True,) * (length - 1)),))
    return collate(rows)


def trained_on(model, seeds, alone=True):
    """Return the losses of some batches, and their gradients added up."""
    matrices = train_alone(model, torch.float32) if alone else None
    losses = []
    for seed in seeds:
        loss = summed_loss(model, batch(seed))
        loss.backward()
        losses.append(loss.detach())
    if matrices is not None:
        matrices.hand_over()
    return losses, {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


MADE = [
    pytest.param(adapted, id="lora"),
    pytest.param(partial(adapted, use_dora=True), id="dora"),
    pytest.param(full, id="full"),
    pytest.param(partial(full, tie_word_embeddings=True), id="full, tied"),
    pytest.param(partial(full, attention_bias=True), id="full, biases"),
    pytest.param(lambda: computed_again(adapted()), id="lora, computed again"),
    pytest.param(lambda: computed_again(full()), id="full, computed again"),
]


@pytest.mark.parametrize("make", MADE)
@pytest.mark.parametrize("seeds", [(2,), (2, 3)])
def test_F2_F4_F7_halves_have_the_loss_and_the_gradients_of_the_whole(make, seeds, passes):
    expected_losses, expected = trained_on(make(), seeds, alone=False)
    assert not passes
    losses, found = trained_on(make(), seeds)
    assert len(passes) == len(seeds)
    torch.testing.assert_close(losses, expected_losses)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("make", MADE)
def test_P28_halves_give_the_same_to_the_bit_each_time(make):
    runs = [trained_on(make(), (2, 3, 4)) for _ in range(5)]
    for losses, found in runs[1:]:
        assert losses == runs[0][0]
        assert all(torch.equal(found[name], gradient) for name, gradient in runs[0][1].items())


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_P28_the_number_of_threads_leaves_nothing_to_chance(threads):
    """Of so many tokens, a product's bits depend on how many threads compute it."""
    torch.set_num_threads(threads)

    def gradients():
        model = full()
        matrices = train_alone(model, torch.float32)
        summed_loss(model, batch(2, (370, 420, 240, 290, 133, 51))).backward()
        matrices.hand_over()
        return [weight.grad for weight in model.parameters()]

    first = gradients()
    assert all(all(map(torch.equal, first, gradients())) for _ in range(8))


def test_layers_of_eight_bits_have_moved_their_weight_before_two_threads_ask_them_to(passes):
    model = bare()
    for name, layer in list(model.model.named_modules()):
        if type(layer) is torch.nn.Linear:
            packed = bitsandbytes.nn.Linear8bitLt(
                layer.in_features, layer.out_features, bias=False, has_fp16_weights=False
            )
            packed.load_state_dict(layer.state_dict())
            model.model.set_submodule(name, packed.to("cpu"))
    model = adapted(model)
    packed = [module for module in model.modules() if isinstance(module, bitsandbytes.nn.Linear8bitLt)]
    train_alone(model, torch.float32)
    assert packed
    assert all(layer.weight.CB is None and layer.state.CB is not None for layer in packed)
    losses = [summed_loss(model, batch(2)) for _ in range(2)]
    losses[0].backward()
    assert len(passes) == len(losses)
    assert losses[0] == losses[1]


@pytest.mark.parametrize("make", [adapted, full])
@pytest.mark.parametrize("half", [0, 1])
def test_what_fails_in_either_half_is_raised_and_the_other_ends(make, half, monkeypatch):
    model = make()
    train_alone(model, torch.float32)
    run = Beside.run

    class Failing(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            raise MemoryError("no room")

    def failing(self, work, embeddings):
        return run(self, lambda at, x: Failing.apply(work(at, x)) if at == half else work(at, x), embeddings)

    monkeypatch.setattr(Beside, "run", failing)
    with pytest.raises(MemoryError, match="no room"):
        summed_loss(model, batch(2)).backward()
    assert torch.get_num_threads() == 2
    monkeypatch.setattr(Beside, "run", run)
    summed_loss(model, batch(2)).backward()


def test_a_single_example_is_computed_as_a_whole(passes):
    model = full()
    matrices = train_alone(model, torch.float32)
    summed_loss(model, batch(2, (9,))).backward()
    matrices.hand_over()
    assert not passes
    assert all(weight.grad is not None for weight in model.parameters())


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: adapted(lora_dropout=0.1), id="random numbers in the adapter"),
        pytest.param(lambda: adapted(bare(attention_dropout=0.1)), id="random numbers in attention"),
        pytest.param(
            lambda: adapted(bare(rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4})),
            id="positions that remember",
        ),
        pytest.param(lambda: get_peft_model(bare(), LoraConfig(r=2, target_modules="all-linear")), id="not known"),
        pytest.param(lambda: full().to(torch.bfloat16), id="gradients that are not made of both halves"),
    ],
)
def test_other_models_are_trained_as_a_whole(make, passes):
    trained_on(make(), (2,))
    assert not passes


def test_one_thread_alone_trains_batches_as_a_whole(passes):
    torch.set_num_threads(1)
    trained_on(adapted(), (2,))
    assert not passes


def test_measuring_computes_batches_as_a_whole(passes):
    model = full()
    train_alone(model, torch.float32)
    with torch.no_grad():
        summed_loss(model, batch(2))
    assert not passes


def test_an_adapter_learns_little_and_a_whole_model_does_not():
    assert learns_little(adapted())
    assert not learns_little(full())


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
