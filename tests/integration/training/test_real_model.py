"""SmolLM2-135M-Instruct learns (rows F2, F7, F22, H4) and what it learned is the same everywhere it is loaded."""

import hashlib
import json
from pathlib import Path

import pytest
import torch

from peft_engine.config.resolve import resolve
from peft_engine.rundir import RunDirectory
from tests.integration.training.witness import BASE, CACHED, Witness, watched, workshop_of_the_real_model
from tests.integration.training.witness import logits as all_logits
from tests.integration.training.workshop import finished, losses, of

pytestmark = pytest.mark.model

PROMPT = "<|im_start|>user\nWhat is the recovery code?<|im_end|>\n<|im_start|>assistant\n"
STEPS = 6


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def witness(tmp_path_factory, model_cache) -> Witness:
    """One short run on the example's data, whose base was hashed before and after it."""
    home = tmp_path_factory.mktemp("home")
    shop = workshop_of_the_real_model(home, tmp_path_factory.mktemp("workspace"), model_cache)
    weights = home / CACHED / "model.safetensors"
    before = digest(weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTW_HOME", str(home))
        run = shop.make(
            training={"max_steps": STEPS, "batch_size": 4, "learning_rate": 0.003, "max_length": 128},
            checkpoint={"every_steps": 3},
        )
        with watched(run, home) as seen:
            assert finished(run).type == "completed"
    assert digest(weights) == before, "training changed the base on disk"
    return seen


@pytest.fixture
def taught(witness) -> RunDirectory:
    return witness.run


@pytest.fixture
def base_folder(model_home: Path) -> Path:
    return model_home / CACHED


def logits(model, tokenizer):
    with torch.no_grad():
        return model(tokenizer(PROMPT, return_tensors="pt", add_special_tokens=False)["input_ids"]).logits[0, -1]


def load(folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def test_the_loss_falls(taught):
    series = losses(taught)
    assert len(series) == STEPS
    assert series[-1] < 0.8 * series[0]


def test_only_the_adapter_was_trained(taught, base_folder):
    plan = of(taught, "plan")[0]
    assert (plan.trainable_parameters, plan.total_parameters) == (4_884_480, 139_399_488)
    assert json.loads(taught.environment.read_text())["base"]["id"] == BASE


def test_F2_the_base_stays_as_it_was_to_the_byte_and_only_the_adapter_moves(witness):
    assert len(witness.frozen_before) > 270
    assert witness.frozen_after == witness.frozen_before
    assert all("lora_" in name for name in witness.start)
    assert witness.with_gradient == witness.start.keys()
    assert all(not torch.equal(tensor, witness.end[name]) for name, tensor in witness.start.items())


def test_F2_the_adapter_opens_in_plain_peft_with_the_logits_of_the_trained_model(witness, taught, base_folder):
    from peft import PeftModel

    model, _ = load(base_folder)
    opened = all_logits(PeftModel.from_pretrained(model, taught.adapter))
    torch.testing.assert_close(opened, witness.last_logits, rtol=1e-3, atol=2e-3)


def test_the_adapter_opens_in_plain_peft_with_the_logits_of_the_last_checkpoint(taught, base_folder):
    from peft import PeftModel

    answers = []
    for adapter in (taught.adapter, taught.checkpoints / f"step-{STEPS:06d}"):
        model, tokenizer = load(base_folder)
        answers.append(logits(PeftModel.from_pretrained(model, adapter), tokenizer))
    untaught, tokenizer = load(base_folder)
    assert torch.equal(*answers)
    assert not torch.allclose(answers[0], logits(untaught, tokenizer), atol=0.1)


def test_the_adapter_names_its_base_by_id_not_by_this_machines_folder(taught):
    text = (taught.adapter / "adapter_config.json").read_text() + (taught.adapter / "README.md").read_text()
    assert json.loads((taught.adapter / "adapter_config.json").read_text())["base_model_name_or_path"] == BASE
    assert str(taught.path.parents[1]) not in text


def test_llama_cpp_computes_with_the_gguf_adapter_what_transformers_computes(taught, base_folder):
    """The base's GGUF is 4-bit and its kernels round, so the logits are close, and far closer than without it."""
    import numpy as np
    from peft import PeftModel

    llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    model, tokenizer = load(base_folder)
    expected = logits(PeftModel.from_pretrained(model, taught.adapter), tokenizer).numpy()
    ids = tokenizer(PROMPT, add_special_tokens=False)["input_ids"]

    def llama_logits(adapter):
        llama = llama_cpp.Llama(
            str(base_folder / "base.gguf"), lora_path=adapter, n_ctx=128, n_threads=2, logits_all=True, verbose=False
        )
        llama.eval(ids)
        return np.array(llama.scores[len(ids) - 1])

    with_adapter, without = llama_logits(str(taught.gguf)), llama_logits(None)
    assert np.corrcoef(with_adapter, expected)[0, 1] > 0.995
    assert np.abs(with_adapter - expected).mean() < 0.25 * np.abs(without - expected).mean()


@pytest.fixture(scope="module")
def whole(tmp_path_factory, model_cache) -> Witness:
    """A few steps of a config that names the template of full fine-tuning."""
    home = tmp_path_factory.mktemp("home")
    folder = tmp_path_factory.mktemp("workspace")
    shop = workshop_of_the_real_model(home, folder, model_cache)
    written = {
        "version": 1,
        "template": "full_finetuning",
        "model": {"base": BASE},
        "datasets": [{"path": "train.jsonl"}],
        "training": {
            "max_steps": 2,
            "batch_size": 1,
            "gradient_accumulation_steps": 2,
            "max_length": 64,
            "precision": "float32",
        },
        "checkpoint": {"every_steps": 1000, "keep": 1},
    }
    resolved = resolve(written, source=folder / "demo.peft.yaml").config
    assert (resolved.method.type, resolved.training.learning_rate) == ("full", 1e-5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTW_HOME", str(home))
        run = shop.make(**resolved.model_dump(mode="json", exclude={"version", "name"}))
        with watched(run, home) as seen:
            end = finished(run)
            assert (end.type, end.adapter, end.gguf) == ("completed", None, None)
    return seen


def test_F7_every_weight_gets_a_gradient_and_changes(whole):
    plan = of(whole.run, "plan")[0]
    assert plan.trainable_parameters == plan.total_parameters == 134_515_008
    assert len(whole.start) == 272
    assert whole.with_gradient == whole.start.keys()
    assert all(not torch.equal(tensor, whole.end[name]) for name, tensor in whole.start.items())


def test_F7_the_saved_model_loads_again_as_it_was_trained(whole):
    model, tokenizer = load(whole.run.model)
    saved = dict(model.named_parameters())
    assert saved.keys() == whole.end.keys()
    assert all(torch.equal(saved[name], tensor) for name, tensor in whole.end.items())
    torch.testing.assert_close(all_logits(model), whole.last_logits, rtol=1e-3, atol=2e-3)
    assert tokenizer.chat_template is not None
