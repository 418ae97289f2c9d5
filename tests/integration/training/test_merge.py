"""A merge tensor by tensor is PEFT's own merge, to the bit, and whatever it cannot do is left to that."""

import json
from itertools import product

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from peft_engine.export import merged as merged_module
from peft_engine.export import write_merged
from peft_engine.export.by_tensor import by_tensor

KINDS = {
    "lora": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "whole modules": {"modules_to_save": ["lm_head", "embed_tokens"]},
    "few layers": {"target_modules": ["q_proj"], "modules_to_save": ["down_proj"]},
}


def stored(tiny_base, folder, dtype, **saving):
    """The tiny base in another type, with its tokenizer."""
    model = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=dtype)
    model.save_pretrained(folder, **saving)
    AutoTokenizer.from_pretrained(tiny_base).save_pretrained(folder)
    return folder


def adapter_of(base, folder, **settings):
    """An adapter whose every number is random, as training leaves it."""
    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = LoraConfig(
        **{"r": 3, "lora_alpha": 5, "target_modules": "all-linear", "task_type": "CAUSAL_LM", **settings}
    )
    peft = get_peft_model(model, config)
    with torch.no_grad():
        for parameter in peft.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    peft.save_pretrained(folder, save_embedding_layers=False)
    return folder


def merged_by_peft(base, adapter):
    model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
    return PeftModel.from_pretrained(model, adapter).merge_and_unload().state_dict()


def weights(folder):
    return {name: t for file in folder.glob("*.safetensors") for name, t in load_file(file).items()}


def merge(adapter, base, target, monkeypatch):
    """Merge, and see to it that no model is loaded for it."""
    monkeypatch.setattr(merged_module, "AutoModelForCausalLM", None)
    write_merged(adapter, base, AutoTokenizer.from_pretrained(base), target, trust_remote_code=False)
    return weights(target)


@pytest.mark.parametrize(
    ("kind", "dtype"), list(product(KINDS, [torch.float32, torch.bfloat16, torch.float16])), ids=str
)
def test_the_merged_weights_are_those_of_peft_to_the_bit(tiny_base, tmp_path, monkeypatch, kind, dtype):
    base = stored(tiny_base, tmp_path / "base", dtype)
    adapter = adapter_of(base, tmp_path / "adapter", **KINDS[kind])
    expected = merged_by_peft(base, adapter)
    found = merge(adapter, base, tmp_path / "merged", monkeypatch)
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        assert tensor.dtype == dtype
        assert torch.equal(tensor, expected[name]), name
    assert any(not torch.equal(tensor, weights(base)[name]) for name, tensor in found.items())


def test_a_base_of_several_files_is_merged_file_by_file(tiny_base, tmp_path, monkeypatch):
    base = stored(tiny_base, tmp_path / "base", torch.bfloat16, max_shard_size="20KB")
    assert len(list(base.glob("*.safetensors"))) > 2
    adapter = adapter_of(base, tmp_path / "adapter")
    expected = merged_by_peft(base, adapter)
    found = merge(adapter, base, tmp_path / "merged", monkeypatch)
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    monkeypatch.undo()
    opened = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype="auto").state_dict()
    assert all(torch.equal(opened[name], tensor) for name, tensor in expected.items())
    assert {file.name for file in base.glob("*.safetensors*")} == {
        file.name for file in (tmp_path / "merged").glob("*.safetensors*")
    }


@pytest.mark.parametrize(
    "change",
    [
        {"fan_in_fan_out": True},
        {"rank_pattern": {"q_proj": 1}},
        {"alpha_pattern": {"q_proj": 1}},
        {"lora_bias": True},
    ],
    ids=str,
)
def test_an_adapter_of_unusual_meaning_is_not_merged_by_tensor(tiny_base, tmp_path, change):
    adapter = adapter_of(tiny_base, tmp_path / "adapter")
    config = adapter / "adapter_config.json"
    assert by_tensor(adapter, tiny_base) is not None
    config.write_text(json.dumps({**json.loads(config.read_text()), **change}))
    assert by_tensor(adapter, tiny_base) is None


def test_a_matrix_that_two_modules_share_is_merged_as_a_whole(tiny_base, tmp_path):
    base = tmp_path / "tied"
    model = AutoModelForCausalLM.from_pretrained(tiny_base, tie_word_embeddings=True)
    model.tie_weights()
    model.save_pretrained(base)
    AutoTokenizer.from_pretrained(tiny_base).save_pretrained(base)
    adapter = adapter_of(base, tmp_path / "adapter", modules_to_save=["embed_tokens"], ensure_weight_tying=True)
    assert by_tensor(adapter, base) is None
    write_merged(adapter, base, AutoTokenizer.from_pretrained(base), tmp_path / "merged", trust_remote_code=False)
    expected = merged_by_peft(base, adapter)
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "merged").state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_a_model_whose_files_have_other_names_is_merged_as_a_whole(tiny_base, tmp_path):
    adapter = adapter_of(tiny_base, tmp_path / "adapter")
    base = tmp_path / "renamed"
    base.mkdir()
    (base / "config.json").write_bytes((tiny_base / "config.json").read_bytes())
    save_file({f"x.{name}": tensor for name, tensor in weights(tiny_base).items()}, base / "model.safetensors")
    assert by_tensor(adapter, base) is None


def test_an_index_that_leads_out_of_the_folder_is_not_followed(tiny_base, tmp_path):
    adapter = adapter_of(tiny_base, tmp_path / "adapter")
    base = stored(tiny_base, tmp_path / "base", torch.float32)
    (base / "model.safetensors").rename(tmp_path / "outside.safetensors")
    placed = dict.fromkeys(load_file(tmp_path / "outside.safetensors"), "../outside.safetensors")
    (base / "model.safetensors.index.json").write_text(json.dumps({"weight_map": placed}))
    assert by_tensor(adapter, base) is None
