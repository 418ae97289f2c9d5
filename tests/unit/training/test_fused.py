"""The fused operations compute what the libraries' own layers compute, and so do their gradients."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model
from torch.autograd import gradcheck
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM

from peft_engine.training.data.batch import collate
from peft_engine.training.data.tokens import TokenisedExample
from peft_engine.training.fused.adapter import can_fuse
from peft_engine.training.fused.attention import SEGMENTED, attend_within, group_by_length
from peft_engine.training.fused.dense import TrainedLinear
from peft_engine.training.fused.linear import FrozenWeight, LoraLinear, row_norms
from peft_engine.training.fused.loss import ChunkedCrossEntropy, LossForward, summed_loss
from peft_engine.training.fused.model import fuse
from peft_engine.training.fused.norm import RmsNorm
from tests.property.strategies import examples

SIZES = st.integers(1, 9)
SEEDS = st.integers(0, 2**31 - 1)


def doubles(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


@given(tokens=SIZES, inputs=SIZES, outputs=SIZES, rank=SIZES, seed=SEEDS, gated=st.booleans(), dora=st.booleans())
@examples(15)
def test_F2_F4_the_gradients_of_the_fused_layer_are_those_of_its_formula(
    tokens, inputs, outputs, rank, seed, gated, dora
):
    torch.manual_seed(seed)
    layer = torch.nn.Linear(inputs, outputs, dtype=torch.float64)
    x, a, b = doubles(tokens, inputs), doubles(rank, inputs), doubles(outputs, rank)
    gate = doubles(tokens, inputs) if gated else None
    magnitude = doubles(outputs) if dora else None
    norm = torch.rand(outputs, dtype=torch.float64) + 0.5 if dora else None

    def fused(*learned):
        return LoraLinear.apply(
            *learned, norm, FrozenWeight(layer), layer.bias.detach(), 0.7, torch.float64, torch.float64
        )

    def formula(x, gate, a, b, magnitude):
        entered = x if gate is None else torch.nn.functional.silu(gate) * x
        out = entered @ layer.weight.detach().t() + 0.7 * (entered @ a.t()) @ b.t()
        return (out if magnitude is None else out * (magnitude / norm)) + layer.bias.detach()

    arguments = (x, gate, a, b, magnitude)
    torch.testing.assert_close(fused(*arguments), formula(*arguments))
    assert gradcheck(fused, arguments)


@given(tokens=SIZES, inputs=SIZES, outputs=SIZES, seed=SEEDS, gated=st.booleans(), biased=st.booleans())
@examples(15)
def test_F7_the_gradients_of_a_layer_that_learns_are_those_of_its_formula(tokens, inputs, outputs, seed, gated, biased):
    torch.manual_seed(seed)
    x, weight = doubles(tokens, inputs), doubles(outputs, inputs)
    gate, bias = doubles(tokens, inputs) if gated else None, doubles(outputs) if biased else None

    def fused(x, gate, weight, bias):
        return TrainedLinear.apply(x, gate, weight, bias, weight.detach(), None)

    def formula(x, gate, weight, bias):
        return torch.nn.functional.linear(x if gate is None else torch.nn.functional.silu(gate) * x, weight, bias)

    arguments = (x, gate, weight, bias)
    torch.testing.assert_close(fused(*arguments), formula(*arguments))
    assert gradcheck(fused, arguments)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_F3_a_packed_weight_is_unpacked_to_the_type_of_the_product_at_once(dtype):
    bitsandbytes = pytest.importorskip("bitsandbytes")
    layer = bitsandbytes.nn.LinearNF4(64, 8, bias=False).to("cpu")
    expected = bitsandbytes.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    assert expected.dtype == torch.float32
    with torch.profiler.profile(profile_memory=True) as profile:
        found = FrozenWeight(layer).dense(dtype)
    assert torch.equal(found, expected.to(dtype))
    largest = max(event.self_cpu_memory_usage for event in profile.key_averages())
    assert largest <= found.numel() * found.element_size()


@pytest.mark.parametrize("gated", [False, True])
def test_F3_a_packed_layer_keeps_an_update_that_bfloat16_would_round_away(gated):
    bitsandbytes = pytest.importorskip("bitsandbytes")
    torch.manual_seed(0)
    layer = bitsandbytes.nn.LinearNF4(64, 8, bias=False).to("cpu")
    x, gate, a = torch.randn(3, 64), torch.randn(3, 64) if gated else None, torch.randn(2, 64)
    b = torch.full((8, 2), 1e-5, requires_grad=True)
    weight = FrozenWeight(layer)
    rest = (None, None, weight, None, 1.0, torch.bfloat16, weight.result_type(torch.bfloat16))
    found, base = (LoraLinear.apply(x, gate, a, matrix, *rest) for matrix in (b, torch.zeros_like(b)))
    entered = (x if gate is None else torch.nn.functional.silu(gate) * x).bfloat16()
    update = (entered @ a.bfloat16().t()).float() @ b.t()
    assert found.dtype == torch.float32
    assert not torch.equal(update, torch.zeros_like(update))
    torch.testing.assert_close(found - base, update, rtol=0.05, atol=1e-6)
    assert not torch.equal(found.bfloat16(), found)


def test_F3_halves_of_a_gate_are_computed_with_exactly_and_learn_through_what_is_rounded():
    bitsandbytes = pytest.importorskip("bitsandbytes")
    torch.manual_seed(0)
    layers = [bitsandbytes.nn.LinearNF4(64, 64, bias=False).to("cpu") for _ in range(3)]
    rest = [(None, None, FrozenWeight(layer), None, 1.0, torch.bfloat16, torch.float32) for layer in layers]
    low = [torch.randn(rows, columns) * 0.1 for _ in layers for rows, columns in ((2, 64), (64, 2))]
    x = torch.randn(5, 64).bfloat16()

    def block(exact):
        learned = [matrix.clone().requires_grad_() for matrix in low]
        (a, b), (c, d), (e, f) = zip(learned[::2], learned[1::2], strict=True)
        if exact:
            gate, wide_gate = LoraLinear.apply(x, None, a, b, *rest[0], None, True)
            up, wide_up = LoraLinear.apply(x, None, c, d, *rest[1], None, True)
            assert (gate.dtype, wide_gate.dtype) == (torch.bfloat16, torch.float32)
            assert not wide_gate.requires_grad
            out = LoraLinear.apply(up, gate, e, f, *rest[2], (wide_gate, wide_up))
        else:
            gate, up = LoraLinear.apply(x, None, a, b, *rest[0]), LoraLinear.apply(x, None, c, d, *rest[1])
            out = LoraLinear.apply(up, gate, e, f, *rest[2])
        return out, torch.autograd.grad(out.square().sum(), learned)

    (found, gradients), (expected, of_wide) = block(exact=True), block(exact=False)
    assert torch.equal(found, expected)
    for one, other in zip(gradients, of_wide, strict=True):
        assert torch.equal(one, other)


@given(inputs=SIZES, outputs=SIZES, rank=SIZES, seed=SEEDS, scale=st.floats(0.01, 8))
@examples(30)
def test_F4_the_norms_of_the_rows_need_no_product_of_the_adapters_matrices(inputs, outputs, rank, seed, scale):
    torch.manual_seed(seed)
    weight, a, b = torch.randn(outputs, inputs), torch.randn(rank, inputs), torch.randn(outputs, rank)
    found = row_norms(weight.double(), weight.double().square().sum(1), a.double(), b.double(), scale)
    expected = torch.linalg.norm(weight.double() + scale * b.double() @ a.double(), dim=1)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


@given(
    tokens=SIZES,
    width=SIZES,
    vocabulary=st.integers(2, 40),
    seed=SEEDS,
    chunk=st.integers(1, 4),
    multiple=st.integers(1, 3),
)
@examples(30)
def test_chunked_cross_entropy_equals_torchs(tokens, width, vocabulary, seed, chunk, multiple):
    torch.manual_seed(seed)
    hidden, weight = torch.randn(tokens, width, requires_grad=True), torch.randn(vocabulary, width, requires_grad=True)
    targets = torch.randint(vocabulary, (tokens,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("peft_engine.training.fused.loss._LEARNED_CHUNK_NUMBERS", chunk * vocabulary)
        patch.setattr("peft_engine.training.fused.loss._MULTIPLE", multiple)
        loss = ChunkedCrossEntropy.apply(hidden, weight, targets, torch.float32)
    expected = cross_entropy(hidden @ weight.t(), targets, reduction="sum")
    torch.testing.assert_close(loss, expected)
    found = torch.autograd.grad(3 * loss, (hidden, weight))
    for one, other in zip(found, torch.autograd.grad(3 * expected, (hidden, weight)), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("zeros", [0, 2])
def test_the_norm_has_the_gradients_of_its_formula(zeros):
    torch.manual_seed(0)
    x, weight = torch.randn(4, 6, requires_grad=True), torch.randn(6)
    weight[:zeros] = 0
    weight.requires_grad_()
    expected = torch.nn.functional.rms_norm(x, (6,), weight, 1e-3)
    found = RmsNorm.apply(x, weight, 1e-3, torch.float32)
    torch.testing.assert_close(found, expected)
    for one, other in zip(
        torch.autograd.grad(found.square().sum(), (x, weight)),
        torch.autograd.grad(expected.square().sum(), (x, weight)),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_the_norm_keeps_its_result_and_not_its_input():
    x, weight = torch.randn(4, 6, requires_grad=True), torch.rand(6) + 0.5
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda saved: kept.append(saved) or saved, lambda saved: saved):
        found = RmsNorm.apply(x * 1, weight, 1e-3, torch.bfloat16)
    assert sum(saved.numel() * saved.element_size() for saved in kept if saved.numel() == x.numel()) == 2 * x.numel()
    assert found.dtype == torch.bfloat16


@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    key_heads=st.integers(1, 2),
    shared_by=st.integers(1, 3),
    half=st.integers(1, 4),
    seed=SEEDS,
)
@examples(30)
def test_D14_turned_attention_and_its_gradients_are_those_of_a_mask(lengths, key_heads, shared_by, half, seed):
    torch.manual_seed(seed)
    tokens, size = sum(lengths), 2 * half
    query = torch.randn(tokens, key_heads * shared_by, size, requires_grad=True)
    key, value = (torch.randn(tokens, key_heads, size, requires_grad=True) for _ in range(2))
    angles = torch.rand(tokens, half).repeat(1, 2) * 6
    starts = torch.tensor([0, *lengths]).cumsum(0)
    found = attend_within(query, key, value, starts, scale=0.3, turn=(angles.cos(), angles.sin()))

    def turned(x):
        swapped = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
        return (x * angles.cos().unsqueeze(1) + swapped * angles.sin().unsqueeze(1)).transpose(0, 1)

    segment = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    seen = (segment.unsqueeze(1) == segment) & torch.ones(tokens, tokens).tril().bool()
    products = turned(query) @ turned(key).repeat_interleave(shared_by, dim=0).transpose(1, 2) * 0.3
    weights = products.masked_fill(~seen, -torch.inf).softmax(-1)
    expected = (weights @ value.transpose(0, 1).repeat_interleave(shared_by, dim=0)).transpose(0, 1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    upstream = torch.randn_like(found)
    for one, other in zip(
        torch.autograd.grad(found, (query, key, value), upstream),
        torch.autograd.grad(expected, (query, key, value), upstream),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=12))
@examples(50)
def test_every_token_is_computed_in_exactly_one_group(lengths):
    groups = group_by_length(tuple(lengths))
    assert sorted(torch.cat([group.laid[group.real] for group in groups]).tolist()) == list(range(sum(lengths)))
    assert sum(group.laid.numel() for group in groups) <= sum(lengths) / 0.75


def tiny(kind=LlamaForCausalLM, **more):
    torch.manual_seed(0)
    config = kind.config_class(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        attn_implementation=SEGMENTED,
        **more,
    )
    return kind(config)


def adapted(**settings):
    torch.manual_seed(1)
    model = get_peft_model(
        tiny(), LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM", **settings)
    )
    return model.train()


def batch():
    torch.manual_seed(2)
    rows = []
    for length in (7, 12, 4):
        ids = tuple(torch.randint(0, 64, (length,)).tolist())
        rows.append((TokenisedExample(ids, (False,) + (True,) * (length - 1)),))
    return collate(rows)


def loss_and_gradients(model):
    loss = summed_loss(model, batch())
    loss.backward()
    return loss.detach(), {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def fused_all(model):
    fuse(model, torch.float32)
    return model


@pytest.mark.parametrize("settings", [{}, {"use_rslora": True}, {"use_dora": True}], ids=["lora", "rslora", "dora"])
def test_a_fused_model_has_the_loss_and_the_gradients_of_the_plain_one(settings):
    plain_loss, plain = loss_and_gradients(adapted(**settings))
    loss, found = loss_and_gradients(fused_all(adapted(**settings)))
    torch.testing.assert_close(loss, plain_loss, rtol=1e-5, atol=1e-4)
    assert found.keys() == plain.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("kind", [LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM])
def test_full_fine_tuning_has_the_gradients_of_the_plain_model(kind):
    plain_loss, plain = loss_and_gradients(tiny(kind, head_dim=8).train())
    fused = fused_all(tiny(kind, head_dim=8).train())
    assert all("forward" in vars(layer.self_attn) for layer in fused.model.layers)
    loss, found = loss_and_gradients(fused)
    torch.testing.assert_close(loss, plain_loss, rtol=1e-5, atol=1e-4)
    assert found.keys() == plain.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("padding", [None, 11])
@pytest.mark.parametrize("passes", [1, 2])
def test_F7_a_tied_table_learns_to_the_bit_what_it_learned_with_a_whole_gradient(padding, passes):
    """By the plain lookup under the same loss, over tokens that come again and a padding token that has a row."""

    def gradient(whole):
        model = fused_all(tiny(tie_word_embeddings=True, pad_token_id=padding).train())
        table = model.get_input_embeddings()
        assert table.padding_idx == padding
        if whole:
            del table.forward
        for _ in range(passes):
            summed_loss(model, batch()).backward()
        return table.weight.grad

    assert batch()["input_ids"].unique().numel() < batch()["input_ids"].numel()
    assert (batch()["input_ids"] == 11).any()
    found, expected = gradient(False), gradient(True)
    assert found.layout == torch.strided
    assert torch.equal(found, expected)


def test_F7_a_tied_table_gets_no_second_gradient_of_its_own_size():
    model = fused_all(tiny(tie_word_embeddings=True).train())
    with torch.profiler.profile(profile_memory=True) as profile:
        summed_loss(model, batch()).backward()
    names = {event.key for event in profile.key_averages()}
    assert "aten::embedding_dense_backward" not in names
    assert "aten::_coalesce" not in names


def test_a_table_of_its_own_has_the_gradient_that_its_optimizer_takes():
    model = fused_all(tiny(tie_word_embeddings=False).train())
    summed_loss(model, batch()).backward()
    assert model.get_input_embeddings().weight.grad.layout == torch.strided


def test_the_same_step_twice_is_the_same_to_the_bit():
    (one, first), (two, second) = (loss_and_gradients(fused_all(adapted())) for _ in range(2))
    assert torch.equal(one, two)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_layer_with_dropout_or_bias_of_its_own_keeps_pefts_forward():
    for settings in ({"lora_dropout": 0.1}, {"lora_bias": True}):
        assert not any(can_fuse(module) for module in adapted(**settings).modules())
    assert sum(can_fuse(module) is not None for module in adapted().modules()) == 14


def test_disabled_and_merged_adapters_compute_as_in_peft():
    plain, model = adapted(), fused_all(adapted())
    ids = torch.tensor([[1, 2, 3, 4]])
    with torch.no_grad():
        with plain.disable_adapter(), model.disable_adapter():
            torch.testing.assert_close(model(ids).logits, plain(ids).logits)
        plain.merge_adapter()
        model.merge_adapter()
        torch.testing.assert_close(model(ids).logits, plain(ids).logits)


def test_bfloat16_products_stay_near_float32_and_hold_frozen_matrices_in_half_the_space():
    expected, _ = loss_and_gradients(adapted())
    model = adapted()
    fuse(model, torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = summed_loss(model, batch())
    loss.backward()
    torch.testing.assert_close(loss.detach(), expected, rtol=0.02, atol=0.1)
    layer = model.get_base_model().model.layers[0].mlp.down_proj
    assert layer.base_layer.weight.dtype == torch.bfloat16
    assert layer.lora_A["default"].weight.dtype == torch.float32


def test_the_loss_is_computed_without_logits():
    assert isinstance(fused_all(adapted()).get_base_model().forward, LossForward)


def rows_of(lengths):
    torch.manual_seed(sum(lengths))
    ids = [tuple(torch.randint(0, 64, (length,)).tolist()) for length in lengths]
    return collate([(TokenisedExample(one, (False,) + (True,) * (len(one) - 1)),) for one in ids])


class Products(torch.utils._python_dispatch.TorchDispatchMode):
    """Notes how many rows each matrix product has, or adds up."""

    def __init__(self):
        super().__init__()
        self.rows = set()

    def __torch_dispatch__(self, call, _types, arguments=(), keywords=None):
        if call in (torch.ops.aten.mm.default, torch.ops.aten.addmm_.default):
            left, right = arguments[-2:]
            self.rows.add((left.shape[0], left.shape[1], right.shape[1]))
        return call(*arguments, **(keywords or {}))


def test_F7_batches_of_other_lengths_need_no_other_kernels():
    model, seen = fused_all(adapted()), []
    for lengths in ((7, 12, 4), (9, 9, 9), (5, 3, 12, 6)):
        with Products() as products:
            summed_loss(model, rows_of(lengths)).backward()
        seen.append(products.rows)
    assert len(seen[0]) > 1
    assert seen[1] == seen[0]
    assert seen[2] == seen[0]


@pytest.mark.parametrize("lengths", [(16, 16), (31,), (7, 12, 4), (3, 18)])
def test_F7_what_fills_a_batch_up_changes_neither_loss_nor_gradients(lengths):
    found = []
    for multiple in (16, 1):
        model = fused_all(adapted())
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("peft_engine.training.fused.loss._MULTIPLE", multiple)
            loss = summed_loss(model, rows_of(lengths))
        loss.backward()
        found.append((loss, [weight.grad for weight in model.parameters() if weight.requires_grad]))
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


def test_F1_what_is_dropped_is_the_same_whether_parts_are_fused_or_not():
    plain, fused = adapted(lora_dropout=0.3), fused_all(adapted(lora_dropout=0.3))
    losses = []
    for model in (plain, fused):
        torch.manual_seed(5)
        losses.append(summed_loss(model, batch()))
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-5, atol=1e-5)


def test_an_output_layer_that_does_not_learn_is_rounded_once_and_not_at_each_step():
    model = adapted()
    fuse(model, torch.bfloat16)
    head = model.get_base_model().lm_head.weight
    with torch.profiler.profile(record_shapes=True) as profile, torch.autocast("cpu", torch.bfloat16):
        summed_loss(model, batch()).backward()
    copied = [event.input_shapes[0] for event in profile.events() if event.name == "aten::_to_copy"]
    assert copied
    assert list(head.shape) not in copied
    assert head.dtype == torch.float32


def test_generating_still_has_logits():
    assert fused_all(adapted())(torch.tensor([[1, 2, 3]])).logits.shape == (1, 3, 64)
