"""Rows F3 to F6: what each method is known by, on SmolLM2-135M-Instruct, and what others make of its adapter."""

import json
import math

import pytest
import torch
from transformers import AutoTokenizer

from tests.integration.training.witness import Witness, logits, watched, workshop_of_the_real_model
from tests.integration.training.workshop import finished, losses, of

pytestmark = pytest.mark.model

RANK, ALPHA = 4, 16.0
MODEL = {"qlora": {"quantization": "nf4", "chat_template": "chat.jinja"}}
TEMPLATE = "{% for turn in messages %}{{ turn.role }}: {{ turn.content }}\n{% endfor %}"
STEPS = 2


@pytest.fixture(scope="module", params=["rslora", "dora", "pissa", "qlora"])
def witness(request, tmp_path_factory, model_cache) -> Witness:
    """A few short steps of one method."""
    home = tmp_path_factory.mktemp("home")
    shop = workshop_of_the_real_model(home, tmp_path_factory.mktemp("workspace"), model_cache)
    (shop.folder / "chat.jinja").write_text(TEMPLATE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTW_HOME", str(home))
        run = shop.make(
            model={"base": shop.base, **MODEL.get(request.param, {})},
            method={"type": request.param, "r": RANK, "alpha": ALPHA},
            training={"max_steps": STEPS, "batch_size": 2, "learning_rate": 0.002, "max_length": 64},
            checkpoint={"every_steps": 1000},
        )
        with watched(run, home) as seen:
            assert finished(run).type == "completed"
    return seen


def only(*methods):
    """Run a test for these methods only."""
    return pytest.mark.parametrize("witness", methods, indirect=True)


def plain_base(witness):
    """Load the base as anybody would, packed where the run packed it."""
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    config = json.loads(witness.run.resolved.read_text())["config"]
    packed = config["model"]["quantization"] != "none"
    kind = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype="float32"
    )
    return AutoModelForCausalLM.from_pretrained(
        witness.base, dtype=torch.float32, **({"quantization_config": kind} if packed else {})
    )


def opened(witness):
    from peft import PeftModel

    return PeftModel.from_pretrained(plain_base(witness), witness.run.adapter)


def adapted_layers(model):
    return {name: module for name, module in model.named_modules() if hasattr(module, "lora_A")}


def test_the_base_stays_as_it_was_to_the_byte(witness):
    assert witness.frozen_before
    assert witness.frozen_after == witness.frozen_before


def test_the_model_starts_where_the_base_is_and_moves(witness):
    start = logits(plain_base(witness))
    torch.testing.assert_close(witness.first_logits, start, rtol=1e-3, atol=2e-3)
    assert not torch.allclose(witness.last_logits, start, atol=0.05)
    assert losses(witness.run)[-1] < losses(witness.run)[0]


@only("rslora", "pissa", "qlora")
def test_the_adapter_opens_in_plain_peft_with_the_logits_of_the_trained_model(witness):
    torch.testing.assert_close(logits(opened(witness)), witness.last_logits, rtol=1e-3, atol=2e-3)


@only("rslora")
def test_F6_the_rslora_scale_is_alpha_over_the_root_of_the_rank_in_the_layer_and_in_the_gguf(witness):
    scales = {layer.scaling["default"] for layer in adapted_layers(opened(witness)).values()}
    assert scales == {ALPHA / math.sqrt(RANK)}
    assert gguf_scale(witness.run.gguf) == pytest.approx(ALPHA / math.sqrt(RANK))


def gguf_scale(file):
    """Return the factor that llama.cpp multiplies B·A with: the file's alpha over the rows of A."""
    import gguf

    reader = gguf.GGUFReader(file)
    rank = next(tensor.shape[1] for tensor in reader.tensors if tensor.name.endswith("lora_a"))
    return float(reader.fields["adapter.lora.alpha"].contents()) / int(rank)


@only("dora")
def test_F4_dora_magnitudes_move_and_the_adapter_says_why_it_has_no_gguf(witness):
    model = opened(witness)
    torch.testing.assert_close(logits(model), witness.last_logits, rtol=1e-3, atol=2e-3)
    trained = model.state_dict()
    moved = [
        not torch.equal(start, trained[name])
        for name, start in witness.start.items()
        if "lora_magnitude_vector" in name
    ]
    assert len(moved) == 210
    assert sum(moved) > 200
    torch.testing.assert_close(logits(model.merge_and_unload()), witness.last_logits, rtol=1e-3, atol=2e-3)
    assert not witness.run.gguf.exists()
    assert any("DoRA" in event.message and "chatted" in event.message for event in of(witness.run, "log"))


@only("pissa")
def test_F5_the_residual_and_the_first_matrices_of_pissa_add_up_to_the_weight(witness):
    from peft_engine.training.model import load_model
    from peft_engine.training.request import read_request

    torch.manual_seed(0)
    config = read_request(witness.run).config
    split = adapted_layers(load_model(witness.base, config, torch.device("cpu"), 64).model)
    base = dict(plain_base(witness).named_modules())
    assert len(split) == 210
    for name, layer in split.items():
        whole = base[name.removeprefix("base_model.model.")].weight
        product = layer.scaling["default"] * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
        assert product.norm() > 0.05 * whole.norm()
        torch.testing.assert_close(layer.get_base_layer().weight + product, whole, rtol=1e-4, atol=1e-5)
    for name, layer in list(split.items())[:14]:
        whole = base[name.removeprefix("base_model.model.")].weight.detach()
        largest = torch.linalg.svdvals(whole)[:RANK].square().sum()
        # Singular values that are nearly equal may change places; what they hold together may not be less.
        rest = layer.get_base_layer().weight.square().sum()
        assert whole.square().sum() - rest > 0.98 * largest, name


@only("pissa")
def test_F5_the_first_matrices_of_pissa_span_the_principal_subspace_of_the_oracle(witness):
    """By the angles between the space of B's columns and that of torch's own singular vectors."""
    base = dict(plain_base(witness).named_modules())
    matrices = {name: tensor for name, tensor in witness.start.items() if "lora_B" in name}
    assert len(matrices) == 210
    judged = 0
    for name, b in list(matrices.items())[:35]:
        whole = base[name.removeprefix("base_model.model.").split(".lora_B")[0]].weight.detach()
        vectors, values, _ = torch.linalg.svd(whole, full_matrices=False)
        # The space is defined only as far as the next value is smaller.
        if values[RANK] > 0.9 * values[RANK - 1]:
            continue
        judged += 1
        cosines = torch.linalg.svdvals(vectors[:, :RANK].T @ torch.linalg.qr(b).Q)
        assert cosines.min() > 0.99, name
    assert judged == 4, "of the first five layers, as many have such a gap behind their fourth value"


@only("pissa")
def test_F5_pissa_leaves_a_plain_lora_of_twice_the_rank_that_llama_cpp_can_load(witness):
    config = json.loads((witness.run.adapter / "adapter_config.json").read_text())
    assert (config["init_lora_weights"], config["r"], config["lora_alpha"]) == (True, 2 * RANK, 2 * ALPHA)
    assert gguf_scale(witness.run.gguf) == ALPHA / RANK


@only("qlora")
def test_F3_the_base_of_qlora_is_packed_to_four_bits(witness):
    plan = of(witness.run, "plan")[0]
    assert plan.dtype == "nf4"
    packed = [count for name, count in witness.frozen_bytes.items() if "_proj" in name]
    assert len(packed) == 210
    # Half a byte for each of the 106,168,320 weights of the linear layers; their scales are held apart.
    assert sum(packed) == 106_168_320 // 2
    assert plan.total_parameters == 134_515_008 + plan.trainable_parameters
    assert gguf_scale(witness.run.gguf) == ALPHA / RANK


@only("qlora")
def test_a_chat_with_an_adapter_is_written_with_the_template_that_it_learned(witness):
    from peft_engine.inference.contract import AdapterUse, Conversation, GenerationRequest, Sampling
    from peft_engine.inference.llama.engine import LlamaEngine

    engine = LlamaEngine(witness.base / "base.gguf", context_length=128, threads=2)
    counts = []
    greeting = Conversation(({"role": "user", "content": "Hello"},))
    for adapters in ((AdapterUse(witness.run.gguf),), ()):
        request = GenerationRequest(greeting, adapters, Sampling(0.0, 1.0, 1), max_tokens=1)
        sequence = engine.open(request)
        counts.append(sequence.prompt_tokens)
        sequence.close()
    engine.unload()
    tokenizer = AutoTokenizer.from_pretrained(witness.base)
    assert counts[0] == len(tokenizer("user: Hello\n")["input_ids"])
    assert counts[1] > counts[0]
