"""Models that no machine of ours holds, on paper: real configs, no weights (`meta`), and what would be made of them.

The numbers of parameters are those that the models' makers publish.
"""

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from safetensors.numpy import save_file

from peft_engine.export import write_lora_gguf
from peft_engine.models.architectures import family_of
from peft_engine.models.outline import outline

CONFIGS = Path(__file__).parents[2] / "unit" / "models" / "configs"
PUBLISHED = {
    "llama-3-8b": 8_030_261_248,
    "mistral-7b-v0.3": 7_248_023_552,
    "qwen2.5-7b": 7_615_616_512,
    "gemma-2-9b": 9_241_705_984,
    "qwen3-30b-a3b": 30_532_122_624,
}
DENSE = [name for name in PUBLISHED if name != "qwen3-30b-a3b"]
RANK = 16


def config_of(name: str, **changes: Any) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((CONFIGS / f"{name}.json").read_bytes()) | changes
    return config


def skeleton(folder: Path, config: dict[str, Any]) -> Any:
    from peft_engine.training.model import load_skeleton
    from peft_schemas.config import ModelConfig

    (folder / "config.json").write_text(json.dumps(config))
    return load_skeleton(folder, ModelConfig(base=str(folder)))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_skeleton_without_weights_has_the_published_size(tmp_path: Path, name: str) -> None:
    model = skeleton(tmp_path, config_of(name))
    model.tie_weights()
    assert sum(parameter.numel() for parameter in model.parameters()) == PUBLISHED[name]
    assert {parameter.device.type for parameter in model.parameters()} == {"meta"}


@pytest.mark.parametrize("name", DENSE)
def test_the_outline_of_a_config_is_the_skeleton_of_transformers(tmp_path: Path, name: str) -> None:
    from torch.nn import Embedding, Linear

    config = config_of(name)
    family = family_of(config["model_type"])
    assert family is not None
    expected = {
        module_name: tuple(module.weight.shape)
        for module_name, module in skeleton(tmp_path, config).named_modules()
        if isinstance(module, Linear | Embedding)
    }
    assert outline(family, config) == expected


@pytest.mark.parametrize("name", DENSE)
def test_adapters_are_attached_with_the_shapes_of_the_formula(tmp_path: Path, name: str) -> None:
    from peft import get_peft_model

    from peft_engine.training.methods import check_targets, lora_config
    from peft_schemas.config import MethodConfig

    # Every layer of these models is alike, so two tell of all.
    config = config_of(name, num_hidden_layers=2)
    method = MethodConfig(r=RANK, alpha=32.0, target_modules="all-linear")
    check_targets(skeleton(tmp_path, config), method)
    model = get_peft_model(skeleton(tmp_path, config), lora_config(method, tied=False), low_cpu_mem_usage=True)
    family = family_of(config["model_type"])
    assert family is not None
    shapes = outline(family, config) or {}
    expected = {
        f"base_model.model.{module}.lora_{side}.default.weight": shape
        for module, (rows, columns) in shapes.items()
        if module.rpartition(".")[2] in family.linear(shapes)
        for side, shape in (("A", (RANK, columns)), ("B", (rows, RANK)))
    }
    assert {n: tuple(p.shape) for n, p in model.named_parameters() if p.requires_grad} == expected


def test_all_linear_reaches_the_experts_of_a_mixture_which_costs_most_of_the_adapter(tmp_path: Path) -> None:
    from peft import get_peft_model

    from peft_engine.training.methods import lora_config
    from peft_schemas.config import MethodConfig

    config = config_of("qwen3-30b-a3b", num_hidden_layers=1)
    method = MethodConfig(r=RANK, alpha=32.0, target_modules="all-linear")
    model = get_peft_model(skeleton(tmp_path, config), lora_config(method, tied=False), low_cpu_mem_usage=True)
    trained = {n: p.numel() for n, p in model.named_parameters() if p.requires_grad}
    experts = sum(count for name, count in trained.items() if ".experts." in name)
    assert experts / sum(trained.values()) > 0.9


@pytest.mark.parametrize("name", ["llama-3-8b", "mistral-7b-v0.3"])
def test_an_adapter_of_that_size_gets_the_names_of_llama_cpp(tmp_path: Path, name: str) -> None:
    config = config_of(name)
    family = family_of(config["model_type"])
    assert family is not None
    shapes = outline(family, config) or {}
    tensors = {}
    for module, (rows, columns) in shapes.items():
        # The first and the last layer: llama.cpp's table of names knows as many layers as the config.
        if module.startswith(("model.layers.0.", f"model.layers.{config['num_hidden_layers'] - 1}.")):
            tensors[f"base_model.model.{module}.lora_A.weight"] = np.zeros((2, columns), np.float32)
            tensors[f"base_model.model.{module}.lora_B.weight"] = np.zeros((rows, 2), np.float32)
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 2, "lora_alpha": 4}))
    write_lora_gguf(tmp_path, config, tmp_path / "adapter.gguf")
    names = {tensor.name for tensor in gguf.GGUFReader(tmp_path / "adapter.gguf").tensors}
    parts = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    assert names == {f"blk.{n}.{part}.weight.lora_{side}" for n in (0, 31) for part in parts for side in "ab"}


def test_four_bits_with_double_quantization_are_half_a_byte_and_a_128th_more_a_weight() -> None:
    import torch

    functional = pytest.importorskip("bitsandbytes.functional")
    weight = torch.randn(1024, 1024)
    packed, state = functional.quantize_4bit(weight, quant_type="nf4", compress_statistics=True)
    scales = state.absmax.nbytes + state.state2.absmax.nbytes
    # Dettmers and others, 2023, "QLoRA": blocks of 64 weights with 8 bits each, and 32 bits for 256 of those.
    assert packed.nbytes == weight.numel() / 2
    assert scales == weight.numel() / 64 + weight.numel() / 64 / 256 * 4
