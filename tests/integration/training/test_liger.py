"""Liger's kernels run on CUDA devices only, so what is called is held against the source of the installed packages."""

import ast
import inspect
import subprocess
from importlib import metadata
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.integrations.liger import apply_liger_kernel

from peft_engine.training.backends.liger import KERNELS, apply_liger

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def patches() -> dict[str, ast.FunctionDef]:
    """The functions of the installed liger-kernel that patch models. It cannot be imported without triton."""
    found = subprocess.run([ROOT / "tools/unsloth-env.sh", "--find"], capture_output=True, text=True)
    if found.returncode:
        pytest.skip("there is no environment with liger-kernel: call tools/unsloth-env.sh, which needs a package index")
    site = next(Path(found.stdout.strip()).parents[1].glob("lib/python*/site-packages"))
    tree = ast.parse((site / "liger_kernel/transformers/monkey_patch.py").read_text())
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def parameters(function: ast.FunctionDef) -> set[str]:
    return {argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)}


def test_the_function_that_transformers_calls_takes_a_model_and_any_switch(patches):
    called = patches["_apply_liger_kernel_to_instance"]
    assert "model" in parameters(called)
    assert called.args.kwarg is not None
    assert "_apply_liger_kernel_to_instance(model=base_model, **kernel_config)" in inspect.getsource(apply_liger_kernel)


@pytest.mark.parametrize("kind", ["llama", "mistral", "qwen2", "qwen3", "gemma2", "phi3"])
def test_every_switch_is_one_that_the_patches_of_common_models_have(patches, kind):
    known = parameters(patches[f"apply_liger_kernel_to_{kind}"])
    assert known >= {"model", "rope", "rms_norm", "cross_entropy", "fused_linear_cross_entropy"}
    assert known & {"swiglu", "geglu"}
    assert known - {"model"} <= set(KERNELS), "all that it would do by itself is decided here"


def test_without_a_cuda_device_nothing_is_touched():
    config = LlamaConfig(vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    model = LlamaForCausalLM(config)
    forward = model.model.layers[0].mlp.forward.__func__
    assert not apply_liger(model, torch.device("cpu"))
    assert model.model.layers[0].mlp.forward.__func__ is forward


def test_an_absent_package_is_no_fault():
    with pytest.raises(metadata.PackageNotFoundError):
        metadata.version("liger-kernel")
    assert not apply_liger(None, torch.device("cuda"))
