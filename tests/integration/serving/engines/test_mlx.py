"""A folder of MLX, from the library to an answer over HTTP; packed weights, archives and families."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openai
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

from peft_daemon.models.changing import add_model
from peft_engine.catalog import find_servable
from peft_engine.inference import loading
from peft_engine.inference.contract import AdapterUse
from peft_engine.inference.loading import load_engine
from peft_engine.inference.mlx import MlxEngine
from peft_engine.inference.mlx.config import read_mlx_config
from peft_engine.models.formats.data import formats_data
from peft_engine.serve_record import ServeRecord
from peft_schemas.errors import WorkbenchError
from tests.integration.serving.engines.asking import answer, first_logprobs, request
from tests.integration.serving.engines.conftest import Forms, Kind
from tests.integration.serving.engines.tiny import write_mlx

pytestmark = pytest.mark.model

EXACT = 1e-3
"""Between log-probabilities of MLX and of PyTorch, both in float32."""

PROMPT = list(range(1000, 1140))
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {
        "num_key_value_heads": 2,
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 5e5,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    },
    "mistral": {"num_key_value_heads": 2, "sliding_window": 200, "rope_parameters": {"rope_theta": 1e6}},
    "qwen2": {"num_key_value_heads": 2, "tie_word_embeddings": True, "rope_parameters": {"rope_theta": 1e6}},
    "qwen3": {"num_key_value_heads": 2, "head_dim": 32, "rope_parameters": {"rope_theta": 1e6}},
}
"""With settings that mlx-lm does not find, or whose defaults it has otherwise, in the files of Transformers 5."""


@pytest.fixture
def folder(tiny_forms: dict[Kind, Forms], tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(tiny_forms["mlx"].base, tmp_path / "small-mlx")


def test_E18_a_folder_is_added_listed_and_chatted_with(folder: Path, own_process: Callable[[], ServeRecord]) -> None:
    added = add_model(folder)
    assert added.facts is not None
    assert (added.id, added.facts.format, added.facts.capabilities) == ("small-mlx", "mlx", ["chat"])

    record = own_process()
    client = openai.OpenAI(base_url=record.url, api_key=record.token, timeout=300, max_retries=0)
    pieces = list(
        client.chat.completions.create(
            model="small-mlx",
            messages=[{"role": "user", "content": "Hello."}],
            temperature=0,
            max_tokens=8,
            stream=True,
            stream_options={"include_usage": True},
        )
    )

    assert "small-mlx" in [model.id for model in client.models.list()]
    assert pieces[-1].usage is not None
    assert pieces[-1].usage.completion_tokens == 8
    assert any(choice.delta.content for piece in pieces for choice in piece.choices)


def test_E18_what_is_needed_is_said_where_MLX_is_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_model(folder)
    model = find_servable("small-mlx")
    monkeypatch.setattr(loading, "find_spec", lambda name: None)
    with pytest.raises(WorkbenchError, match="mlx-lm is not installed") as refused:
        load_engine(model, lambda _: True, threads=1)
    assert refused.value.code == "extra-missing"
    assert "pip install 'peft-workbench[mlx]'" in refused.value.remedy


def test_no_code_is_compiled_into_a_folder_that_others_can_write_to(folder: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    environment = {**os.environ, "TMPDIR": str(shared)}
    subprocess.run(loading.trial_command(folder, "mlx_lm"), check=True, timeout=300, env=environment)
    assert list(shared.rglob("*.so")) == list(shared.rglob("*.cpp")) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_E18_families_are_computed_as_torch_does(tiny_forms: dict[Kind, Forms], tmp_path: Path, family: str) -> None:
    made = _family(tiny_forms["transformers"].base, tmp_path / "torch", family)
    expected = _expected(made)
    before = (made / "config.json").read_bytes()
    found = _found(write_mlx(made, tmp_path / "mlx"))

    assert np.abs(found - expected).max() < EXACT
    assert (tmp_path / "mlx/config.json").read_bytes() == before


def test_every_family_that_is_let_through_was_compared() -> None:
    assert formats_data().mlx_families == list(FAMILIES)


def test_a_window_is_the_longest_context_that_is_promised(tiny_forms: dict[Kind, Forms], tmp_path: Path) -> None:
    made = _family(tiny_forms["transformers"].base, tmp_path / "torch", "mistral")
    engine = MlxEngine(write_mlx(made, tmp_path / "mlx"), context_length=4096)
    engine.unload()
    assert engine.context_length == 200


def test_another_family_is_refused_by_name(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "gemma2"}))
    with pytest.raises(WorkbenchError, match=r"gemma2, is not one of llama") as refused:
        MlxEngine(folder, context_length=64)
    assert refused.value.code == "not-supported"


@pytest.mark.parametrize("bits", [4, 8])
def test_E18_packed_weights_answer_as_what_they_unpack_to(folder: Path, bits: int) -> None:
    unpacked = _pack(folder, bits)
    expected = _expected(folder, unpacked)
    add_model(folder)
    facts = find_servable("small-mlx")

    assert np.abs(_found(folder) - expected).max() < EXACT
    assert (facts.format, facts.quantization) == ("mlx", f"{bits}-bit")


def test_E18_an_archive_answers_as_the_safetensors_do(folder: Path) -> None:
    before = _found(folder)
    tensors = load_file(folder / "model.safetensors")
    np.savez(folder / "weights.npz", **{name: tensor.numpy() for name, tensor in tensors.items()})
    (folder / "model.safetensors").unlink()
    added = add_model(folder)

    assert added.facts is not None
    assert (added.facts.format, added.facts.architecture) == ("mlx", "llama")
    assert np.array_equal(_found(folder), before)


def test_an_adapter_on_an_MLX_model_is_refused(tiny_forms: dict[Kind, Forms]) -> None:
    forms = tiny_forms["mlx"]
    engine = forms.load()
    try:
        with pytest.raises(WorkbenchError, match="no adapter") as refused:
            engine.open(request("Hello.", forms.first))
        assert refused.value.code == "not-supported"
        bare, nothing = (
            answer(engine, request("Hello.", *uses))[0].text for uses in ((), (AdapterUse(forms.first, 0),))
        )
        assert bare == nothing
    finally:
        engine.unload()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("num_hidden_layers", 10**9),
        ("hidden_size", 10**9),
        ("vocab_size", 10**12),
        ("num_attention_heads", 0),
        ("quantization", {"group_size": -1, "bits": 4, "model.layers.0.self_attn.q_proj": {"bits": 10**9}}),
        ("rope_parameters", {"rope_type": "linear", "rope_theta": 1e4, "factor": "x"}),
        ("model_file", "evil.py"),
    ],
    ids=str,
)
def test_a_config_that_lies_runs_nothing_and_ends_in_words(folder: Path, setting: str, value: object) -> None:
    (folder / "evil.py").write_text("import pathlib\npathlib.Path(__file__).with_name('ran').touch()\n")
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps({**config, setting: value}))
    if setting == "model_file":
        MlxEngine(folder, context_length=64).unload()
    else:
        with pytest.raises(WorkbenchError, match="small-mlx") as refused:
            MlxEngine(folder, context_length=64)
        assert refused.value.code == "model-unreadable"
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_E18_a_damaged_folder_is_refused(folder: Path, file: str) -> None:
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WorkbenchError, match=r"small-mlx|model\.safetensors") as refused:
        MlxEngine(folder, context_length=64)
    assert refused.value.code in ("model-incomplete", "model-truncated", "model-unreadable")


def _expected(folder: Path, tensors: dict[str, torch.Tensor] | None = None) -> np.ndarray:
    """Return what PyTorch computes after the prompt, of a folder's weights or of others."""
    if tensors is None:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    else:
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=torch.float32).eval()
        model.load_state_dict(tensors)
    logits: np.ndarray = model(input_ids=torch.tensor([PROMPT])).logits[0, -1].log_softmax(0).detach().numpy()
    return logits


def _found(folder: Path) -> np.ndarray:
    engine = MlxEngine(folder, context_length=256)
    found = first_logprobs(engine, PROMPT, top=49152)
    engine.unload()
    return np.array([found[token] for token in range(49152)])


def _pack(folder: Path, bits: int) -> dict[str, torch.Tensor]:
    """Pack a folder's weights with MLX's own means, and return what they unpack to."""
    import mlx.core as mx
    from mlx_lm.utils import load_model, quantize_model, save_config, save_model

    model, config = load_model(folder, model_config=read_mlx_config(folder))
    config.pop("quantization")
    model, config = quantize_model(model, config, group_size=32, bits=bits)
    save_model(folder, model)
    written = json.loads((folder / "config.json").read_bytes())
    save_config({**written, "quantization": config["quantization"]}, folder / "config.json")
    packed: dict[str, Any] = mx.load(str(folder / "model.safetensors"))
    unpacked = {}
    for name, tensor in packed.items():
        path, _, kind = name.rpartition(".")
        if f"{path}.scales" not in packed:
            unpacked[name] = tensor
        elif kind == "weight":
            scales, biases = packed[f"{path}.scales"], packed[f"{path}.biases"]
            unpacked[name] = mx.dequantize(tensor, scales, biases, group_size=32, bits=bits)
    return {name: torch.from_numpy(np.array(tensor.astype(mx.float32))) for name, tensor in unpacked.items()}


def _family(base: Path, folder: Path, family: str) -> Path:
    """Write a random model of a family with the tokenizer of the others."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        family,
        vocab_size=49152,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=256,
        initializer_range=0.1,
        eos_token_id=2,
        **FAMILIES[family],
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    for file in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(base / file, folder / file)
    return folder
