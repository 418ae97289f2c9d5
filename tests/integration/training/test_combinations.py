"""Every accepted pair of method and quantization trains; every other is refused before anything is loaded."""

import json
import shutil
import sys
from itertools import product
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from peft_daemon.language.check import check_text
from peft_daemon.language.context import CheckContext
from peft_engine.facts import HardwareFact
from peft_engine.training.model import load_model
from peft_engine.training.precision import choose_precision, cpu_multiplies_bfloat16
from peft_engine.training.quantization import quantization_config
from peft_schemas.config import MethodType, ModelConfig, Quantization, RunConfig
from peft_schemas.errors import WorkbenchError
from tests.integration.training.workshop import finished, losses, of

PAIRS = list(product(get_args(MethodType), get_args(Quantization)))
REFUSED = {
    *(("qlora", kind) for kind in ("none", "int8")),
    *((method, kind) for method in ("full", "pissa") for kind in ("int8", "nf4", "fp4")),
}
NOT_ON_A_CPU = ("dora", "int8")
CPU = torch.device("cpu")


def settings(tiny_base, **sections):
    model = {"base": str(tiny_base), **sections.pop("model", {})}
    return RunConfig.model_validate({"version": 1, "model": model, "datasets": [{"path": "d.jsonl"}], **sections})


@given(
    kind=st.sampled_from(get_args(Quantization)),
    double=st.booleans(),
    compute=st.sampled_from([torch.float32, torch.bfloat16, torch.float16]),
    unpacked=st.none() | st.lists(st.sampled_from(["lm_head", "embed_tokens"])),
)
def test_A6_the_quantization_of_the_config_is_that_of_transformers_field_by_field(kind, double, compute, unpacked):
    model = ModelConfig(base="org/model", quantization=kind, double_quantization=double)
    made = quantization_config(model, compute, unpacked)
    if kind == "none":
        assert made is None
        return
    assert isinstance(made, BitsAndBytesConfig)
    assert (made.load_in_8bit, made.load_in_4bit) == (kind == "int8", kind != "int8")
    assert made.llm_int8_skip_modules == unpacked
    if kind != "int8":
        assert made.bnb_4bit_quant_type == kind
        assert made.bnb_4bit_use_double_quant == double
        assert made.bnb_4bit_compute_dtype == compute


@pytest.mark.parametrize(("method", "kind"), [pair for pair in PAIRS if pair not in {*REFUSED, NOT_ON_A_CPU}])
def test_A5_an_accepted_pair_trains_and_its_adapter_opens_in_plain_peft(workshop, tiny_base, method, kind):
    run = workshop.make(
        model={"base": workshop.base, "quantization": kind}, method={"type": method, "r": 4}, training={"max_steps": 2}
    )
    assert finished(run).type == "completed"
    assert losses(run)[1] < losses(run)[0]
    assert of(run, "plan")[0].dtype == (kind if kind != "none" else "float32")
    if method != "full":
        from peft import PeftModel

        model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny_base), run.adapter)
        assert type(next(model.base_model.model.model.layers[0].mlp.up_proj.base_layer.parameters())).__name__ == (
            "Parameter"
        )
        assert run.gguf.exists() == (method != "dora")


@pytest.mark.parametrize(("method", "kind"), sorted(REFUSED))
def test_A5_a_pair_that_means_nothing_is_refused(workshop, method, kind):
    end = finished(workshop.make(model={"base": "nobody/nothing", "quantization": kind}, method={"type": method}))
    assert (end.type, end.error.code) == ("failed", "config-invalid")
    assert kind in end.error.message
    assert "torch" not in end.error.message


@pytest.mark.parametrize(("method", "kind"), PAIRS)
def test_A5_the_check_says_at_the_pair_what_training_would_refuse_and_nothing_else(method, kind):
    text = (
        f"version: 1\nmodel: {{base: org/m, quantization: {kind}}}\nmethod: {{type: {method}}}\n"
        "datasets:\n  - path: org/d\n"
    )
    hardware = HardwareFact("cpu", "a processor", None, 2**40, 2**40, frozenset({"bitsandbytes"}))
    errors = [found for found in check_text(text, CheckContext(hardware=hardware)) if found.severity == "error"]
    assert bool(errors) == ((method, kind) in {*REFUSED, NOT_ON_A_CPU})
    for found in errors:
        assert found.range.start.line in (1, 2)
        assert method in found.message.lower() or kind in found.message


@pytest.mark.parametrize(
    ("sections", "word"),
    [
        ({"method": {"type": "full", "lora_plus_ratio": 16.0}}, "has no adapter"),
        ({"method": {"lora_plus_ratio": 16.0}, "training": {"optimizer": "sgd"}}, "AdamW"),
    ],
)
def test_lora_plus_is_refused_where_it_has_no_meaning(workshop, sections, word):
    end = finished(workshop.make(model={"base": "nobody/nothing"}, **sections))
    assert (end.type, end.error.code) == ("failed", "config-invalid")
    assert word in end.error.message


def test_a_pair_that_a_cpu_cannot_train_is_refused(workshop):
    method, kind = NOT_ON_A_CPU
    end = finished(workshop.make(model={"base": workshop.base, "quantization": kind}, method={"type": method}))
    assert (end.type, end.error.code) == ("failed", "not-supported")
    assert "CPU" in end.error.message


@pytest.mark.parametrize(
    "sections",
    [{"model": {"base": "nobody/nothing", "quantization": "nf4"}}, {"training": {"optimizer": "adamw_8bit"}}],
)
def test_what_needs_bitsandbytes_says_so_where_it_is_missing(workshop, monkeypatch, sections):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    end = finished(workshop.make(**sections))
    assert end.error.code == "extra-missing"
    assert "bitsandbytes" in end.error.message


@pytest.mark.parametrize("kind", ["int8", "nf4", "fp4"])
def test_only_the_layers_of_the_base_are_packed(tiny_base, kind):
    model = load_model(tiny_base, settings(tiny_base, model={"quantization": kind}), CPU, 64).model
    packed = {name for name, p in model.named_parameters() if p.dtype in (torch.int8, torch.uint8)}
    assert len(packed) == 2 * 7
    assert not any("lm_head" in name or "lora" in name for name in packed)


def test_a_module_that_is_trained_in_full_is_not_packed(tiny_base):
    config = settings(
        tiny_base,
        model={"quantization": "nf4"},
        method={"modules_to_save": ["down_proj"], "target_modules": ["q_proj"]},
    )
    model = load_model(tiny_base, config, CPU, 64).model
    assert {p.dtype for name, p in model.named_parameters() if "down_proj" in name} == {torch.float32}
    assert {p.dtype for name, p in model.named_parameters() if "lm_head" in name} == {torch.float32}
    assert any(p.dtype == torch.uint8 for p in model.parameters())


def test_an_evaluation_between_two_steps_does_not_disturb_what_packed_weights_teach(workshop):
    """On a CPU with bfloat16, bitsandbytes would lay the weights out anew, for products that have no gradient."""
    workshop.dataset("held-out.jsonl", count=4)
    packed = {"model": {"base": workshop.base, "quantization": "nf4"}, "training": {"max_steps": 2}}
    evaluated = workshop.make(**packed, evaluation={"datasets": [{"path": "held-out.jsonl"}], "every_steps": 1})
    plain = workshop.make(**packed)
    assert finished(plain).type == finished(evaluated).type == "completed"
    assert losses(evaluated) == losses(plain)


@pytest.mark.parametrize(
    ("written", "computed"),
    [({"dtype": "float32"}, "float32"), ({"dtype": "bfloat16"}, "bfloat16"), ({"dtype": "float16"}, "float16")],
)
def test_packed_weights_are_computed_with_in_the_type_of_the_run(tiny_base, written, computed):
    model = load_model(tiny_base, settings(tiny_base, model={"quantization": "nf4", **written}), CPU, 64).model
    layer = model.base_model.model.model.layers[0].mlp.up_proj.base_layer
    assert layer.compute_dtype == getattr(torch, computed)


@pytest.mark.parametrize(
    ("dtype", "precision", "device", "expected"),
    [
        ("bfloat16", "auto", "cpu", "float32"),
        ("bfloat16", "auto", "cuda", "bfloat16"),
        ("float16", "auto", "cuda", "float16"),
        ("float32", "bfloat16", "cpu", "bfloat16"),
        ("float32", "float16", "cuda", "float16"),
    ],
)
def test_autocast_follows_the_config_and_the_device(tiny_base, dtype, precision, device, expected):
    config = settings(tiny_base, training={"precision": precision})
    assert choose_precision(config, getattr(torch, dtype), torch.device(device)) == expected


@pytest.mark.parametrize("hardware", [True, False])
def test_a_cpu_computes_in_bfloat16_where_that_is_in_hardware_and_no_type_is_written(tiny_base, monkeypatch, hardware):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: hardware)
    assert cpu_multiplies_bfloat16() is hardware
    chosen = choose_precision(settings(tiny_base), torch.float32, CPU)
    assert chosen == ("bfloat16" if hardware else "float32")
    assert choose_precision(settings(tiny_base, model={"dtype": "float32"}), torch.float32, CPU) == "float32"


@pytest.mark.parametrize(
    ("sections", "code"),
    [
        ({"training": {"precision": "float16"}}, "not-supported"),
        ({"training": {"precision": "float32"}, "model": {"dtype": "bfloat16"}}, "config-invalid"),
    ],
)
def test_a_type_that_this_device_or_these_weights_cannot_compute_is_refused(workshop, sections, code):
    sections["model"] = {"base": workshop.base, **sections.get("model", {})}
    end = finished(workshop.make(**sections))
    assert (end.type, end.error.code) == ("failed", code)


def test_weights_that_learn_are_not_held_in_float16_under_its_autocast(tiny_base):
    config = settings(tiny_base, method={"type": "full"})
    with pytest.raises(WorkbenchError, match="float16"):
        choose_precision(config, torch.float16, torch.device("cuda"))


@pytest.mark.parametrize("rank", [1, 4, 9])
def test_F6_the_scale_of_a_layer_is_alpha_over_the_root_of_its_rank(tiny_base, rank):
    config = settings(tiny_base, method={"type": "rslora", "r": rank, "alpha": 6.0})
    model = load_model(tiny_base, config, CPU, 64).model
    scales = {module.scaling["default"] for module in model.modules() if hasattr(module, "lora_A")}
    assert scales == {6 / rank**0.5}


def test_F6_rslora_of_rank_one_is_lora(workshop):
    runs = [workshop.make(method={"type": method, "r": 1}) for method in ("rslora", "lora")]
    assert all(finished(run).type == "completed" for run in runs)
    assert losses(runs[0]) == losses(runs[1])


def test_a_pissa_adapter_of_the_best_checkpoint_is_converted_too(workshop, tiny_base):
    """The chosen weights replace the trained ones before the conversion."""
    run = workshop.make(
        method={"type": "pissa", "r": 4},
        evaluation={"split": 0.25, "every_steps": 1},
        checkpoint={"load_best": True, "every_steps": 100},
    )
    assert finished(run).type == "completed"
    assert json.loads((run.adapter / "adapter_config.json").read_text())["r"] == 8


def test_an_attention_that_a_config_names_is_not_fetched(workshop, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(workshop.base, base)
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "_attn_implementation": "planted/code"}))
    run = workshop.make(model={"base": str(base)}, training={"max_steps": 1})
    assert finished(run).type == "completed"
