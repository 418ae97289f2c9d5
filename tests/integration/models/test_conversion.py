"""What a conversion makes says what its source says, for every method of training, or there is nothing made at all."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM

from peft_engine.export import conversion, model_gguf
from peft_engine.export.conversion import convert
from peft_engine.models.convertible import ConvertibleFamily, conversion_data
from peft_engine.models.gguf_header import check_gguf
from peft_engine.models.unfinished import place_of_unfinished
from peft_engine.models.validation import find_flaw
from peft_schemas.conversion import ConversionRequest, ConversionResult
from peft_schemas.errors import WorkbenchError
from tests.integration.models.small import write_small_model

LLAMA_3 = {
    "rope_theta": 500_000.0,
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "llama with pieces": ("llama", {"pieces": True}),
    "llama 3": ("llama", {"cut": "llama-bpe", "rope_parameters": LLAMA_3}),
    "llama with a shared table": ("llama", {"cut": "gpt-2", "tie_word_embeddings": True}),
    "mistral": ("mistral", {"sliding_window": None, "pieces": True}),
    "smollm3": ("smollm3", {"num_hidden_layers": 4}),
    "qwen2": ("qwen2", {}),
    "qwen3": ("qwen3", {}),
    "gemma": ("gemma", {"pieces": True}),
    "gemma2": ("gemma2", {"pieces": True, "query_pre_attn_scalar": 64}),
    "gemma3": ("gemma3_text", {"pieces": True, "num_hidden_layers": 6, "query_pre_attn_scalar": 64}),
}
METHODS: dict[str, dict[str, Any]] = {
    "lora": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "pissa": {"init_lora_weights": "pissa"},
    "whole modules": {"modules_to_save": ["lm_head"]},
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_model(tmp_path_factory.mktemp("model") / "base")


def asked(source: Path, output: Path, to: str, adapter: Path | None = None) -> ConversionResult:
    path = None if adapter is None else str(adapter)
    return convert(ConversionRequest(source=str(source), adapter=path, to=to, output=str(output)))


def test_E18_an_archive_of_arrays_becomes_safetensors_bit_by_bit(tmp_path: Path) -> None:
    tensors = {"a.weight": np.random.default_rng(1).normal(size=(3, 5)).astype(np.float16), "b": np.array([np.nan])}
    np.savez(tmp_path / "model.npz", **tensors)
    result = asked(tmp_path / "model.npz", tmp_path / "model.safetensors", "safetensors")

    assert (result.comparison, result.difference) == ("bits", 0)
    written = load_file(tmp_path / "model.safetensors")
    assert {name: (held.dtype, held.shape, held.tobytes()) for name, held in written.items()} == {
        name: (held.dtype, held.shape, held.tobytes()) for name, held in tensors.items()
    }


def test_E18_an_archive_that_lies_leaves_nothing(tmp_path: Path) -> None:
    np.savez(tmp_path / "model.npz", a=np.ones(64, np.float32))
    content = bytearray((tmp_path / "model.npz").read_bytes())
    content[content.index(np.ones(64, np.float32).tobytes())] ^= 1
    (tmp_path / "model.npz").write_bytes(content)
    with pytest.raises(WorkbenchError) as error:
        asked(tmp_path / "model.npz", tmp_path / "model.safetensors", "safetensors")
    assert error.value.code == "model-damaged"
    assert [file.name for file in tmp_path.iterdir()] == ["model.npz"]


def adapter_of(base: Path, folder: Path, method: str) -> Path:
    """An adapter whose every number is random and large enough to change what the model says."""
    from peft_engine.training.pissa import initial_matrices, to_plain_lora

    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    settings = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear", "task_type": "CAUSAL_LM"} | METHODS[method]
    peft = get_peft_model(model, LoraConfig(**settings))
    initial = initial_matrices(peft)
    with torch.no_grad():
        for parameter in peft.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    peft.save_pretrained(folder, save_embedding_layers=False)
    if method == "pissa":
        to_plain_lora(folder, initial)
    return folder


@pytest.mark.parametrize("family", FAMILIES)
def test_P3_each_family_says_the_same_as_gguf(tmp_path: Path, family: str) -> None:
    model_type, changes = FAMILIES[family]
    source = write_small_model(tmp_path / "source", model_type, **changes)
    result = asked(source, tmp_path / "x.gguf", "gguf:f32")
    assert (result.comparison, result.tolerance) == ("logits", 0.01)
    assert 0 < result.difference < 0.005
    assert check_gguf(tmp_path / "x.gguf").architecture == conversion_data().families[model_type].architecture
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "x.gguf"]


@pytest.mark.parametrize("kind", [kind for kind in conversion_data().types if kind != "f32"])
def test_P3_each_type_is_within_its_tolerance_and_as_small_as_it_says(base: Path, tmp_path: Path, kind: str) -> None:
    result = asked(base, tmp_path / "x.gguf", f"gguf:{kind}")
    data = conversion_data().types[kind]
    assert result.difference <= data.tolerance
    whole = (base / "model.safetensors").stat().st_size
    assert result.bytes == (tmp_path / "x.gguf").stat().st_size < 1.35 * whole * data.bits / 32


@pytest.mark.parametrize("method", METHODS)
def test_P3_a_trained_model_is_what_was_trained_whichever_the_method(base: Path, tmp_path: Path, method: str) -> None:
    adapter = adapter_of(base, tmp_path / "adapter", method)
    result = asked(base, tmp_path / "x.gguf", "gguf:f32", adapter)
    assert result.difference < 0.005
    assert asked(base, tmp_path / "merged", "safetensors", adapter).difference < 0.005


@pytest.mark.parametrize("method", ["lora", "rslora", "pissa"])
@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_P3_an_adapter_alone_is_what_was_trained(tmp_path: Path, method: str, family: str) -> None:
    base = write_small_model(tmp_path / "base", family)
    result = asked(base, tmp_path / "a.gguf", "gguf-adapter", adapter_of(base, tmp_path / "adapter", method))
    assert result.difference < 0.005
    assert check_gguf(tmp_path / "a.gguf").values["general.type"] == "adapter"


@pytest.mark.parametrize("method", ["dora", "whole modules"])
def test_an_adapter_that_llama_cpp_does_not_know_is_refused_alone(base: Path, tmp_path: Path, method: str) -> None:
    adapter = adapter_of(base, tmp_path / "adapter", method)
    with pytest.raises(WorkbenchError, match="has no GGUF form") as error:
        asked(base, tmp_path / "a.gguf", "gguf-adapter", adapter)
    assert error.value.code == "conversion-failed"
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_P3_a_result_that_says_something_else_is_deleted(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = ConvertibleFamily(architecture="llama", rotary="halves")
    monkeypatch.setattr(model_gguf, "convertible_family", lambda config: wrong)
    for kind in ("f32", "q4_0"):
        with pytest.raises(WorkbenchError, match="does not say what its source says") as error:
            asked(base, tmp_path / "x.gguf", f"gguf:{kind}")
        assert error.value.code == "conversion-failed"
        assert not list(tmp_path.iterdir())


def test_P3_a_tokenizer_that_cuts_in_an_unknown_way_is_refused(base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "base")
    file = tmp_path / "base/tokenizer.json"
    tokenizer = json.loads(file.read_bytes())
    tokenizer["pre_tokenizer"]["pretokenizers"][0] = {"type": "Punctuation", "behavior": "Isolated"}
    file.write_text(json.dumps(tokenizer))
    with pytest.raises(WorkbenchError, match="cuts texts in a way"):
        asked(tmp_path / "base", tmp_path / "x.gguf", "gguf:f32")


def test_E25_a_gguf_file_is_packed_and_compared_with_itself(base: Path, tmp_path: Path) -> None:
    asked(base, tmp_path / "whole.gguf", "gguf:f16")
    result = asked(tmp_path / "whole.gguf", tmp_path / "small.gguf", "gguf:q8_0")
    assert 0 < result.difference < 0.1
    with pytest.raises(WorkbenchError, match="packed already"):
        asked(tmp_path / "small.gguf", tmp_path / "smaller.gguf", "gguf:q4_0")


def test_E25_pytorch_goes_to_safetensors_to_gguf_and_says_the_same(base: Path, tmp_path: Path) -> None:
    pickled = tmp_path / "pickled"
    shutil.copytree(base, pickled, ignore=shutil.ignore_patterns("*.safetensors"))
    weights = AutoModelForCausalLM.from_pretrained(base).state_dict()
    torch.save(weights, pickled / "pytorch_model.bin")
    result = asked(pickled, tmp_path / "safe", "safetensors")
    assert (result.comparison, result.difference) == ("bits", 0)
    assert find_flaw(tmp_path / "safe") is None
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "safe").state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in weights.items())
    assert asked(pickled, tmp_path / "x.gguf", "gguf:f32").difference < 0.005


def test_E25_a_pickled_model_in_several_files_gets_an_index(base: Path, tmp_path: Path) -> None:
    pickled = tmp_path / "pickled"
    shutil.copytree(base, pickled, ignore=shutil.ignore_patterns("*.safetensors"))
    weights = list(AutoModelForCausalLM.from_pretrained(base).state_dict().items())
    torch.save(dict(weights[:5]), pickled / "pytorch_model-00001-of-00002.bin")
    torch.save(dict(weights[5:]), pickled / "pytorch_model-00002-of-00002.bin", _use_new_zipfile_serialization=False)
    torch.save({"step": 1}, pickled / "training_args.bin")
    asked(pickled, tmp_path / "safe", "safetensors")
    assert find_flaw(tmp_path / "safe") is None
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "safe").state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in weights)


def test_E25_a_pair_that_does_not_exist_is_refused_with_the_reason(base: Path, tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(bytes(100))
    for source, to, reason in (
        (tmp_path / "noise", "gguf:f32", "no model of a format that is known here"),
        (base, "safetensors", "from safetensors to safetensors"),
        (base, "gguf:q9_9", "There is no type q9_9"),
    ):
        with pytest.raises(WorkbenchError, match=reason) as error:
            asked(source, tmp_path / "out", to)
        assert error.value.code == "conversion-failed"


def test_nothing_is_written_over(base: Path, tmp_path: Path) -> None:
    there = tmp_path / "x.gguf"
    there.write_text("mine")
    with pytest.raises(WorkbenchError, match="exists already"):
        asked(base, there, "gguf:f32")
    assert there.read_text() == "mine"


def test_a_disk_without_room_is_seen_before_anything_is_written(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(conversion.shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
    with pytest.raises(WorkbenchError) as error:
        asked(base, tmp_path / "x.gguf", "gguf:q8_0")
    assert error.value.code == "disk-full"
    assert not list(tmp_path.iterdir())


def test_what_a_killed_predecessor_left_is_removed(base: Path, tmp_path: Path) -> None:
    left = place_of_unfinished(tmp_path / "x.gguf")
    left.mkdir()
    (left / "x.gguf").write_bytes(b"half")
    asked(base, tmp_path / "x.gguf", "gguf:f32")
    assert [path.name for path in tmp_path.iterdir()] == ["x.gguf"]
