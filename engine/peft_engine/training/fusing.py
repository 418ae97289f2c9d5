"""Which parts of a model take the fused operations. Whatever is not known here keeps its library's own forward."""

from types import MethodType
from typing import Any

import torch
from torch import Tensor
from transformers.models.llama.modeling_llama import LlamaMLP, LlamaRMSNorm
from transformers.models.mistral.modeling_mistral import MistralMLP, MistralRMSNorm
from transformers.models.qwen2.modeling_qwen2 import Qwen2MLP, Qwen2RMSNorm
from transformers.models.qwen3.modeling_qwen3 import Qwen3MLP, Qwen3RMSNorm

from peft_engine.training.autocast import product_type
from peft_engine.training.fused_adapter import FusedAdapter, can_fuse
from peft_engine.training.fused_norm import RmsNorm
from peft_engine.training.loss import fuse_loss

_GATED = (LlamaMLP, MistralMLP, Qwen2MLP, Qwen3MLP)
"""Layers that compute down(act(gate(x)) ∘ up(x))."""

_NORMS = (LlamaRMSNorm, MistralRMSNorm, Qwen2RMSNorm, Qwen3RMSNorm)
"""Layers that compute w ∘ x / sqrt(mean(x²) + ε)."""


def fuse(model: Any, compute: torch.dtype) -> None:
    """Have the parts of a model that are known compute the same in less time and memory.

    A frozen matrix of float32 is rounded to the type of the products once, where autocast would do it at each pass.

    Args:
        model: What is trained, on a CPU: elsewhere the libraries' own kernels were not compared.
        compute: The type of a matrix product.
    """
    modules, rounded = list(model.modules()), False
    for module in modules:
        name = can_fuse(module)
        if name is not None:
            module.forward = FusedAdapter(module, name)
            if module.base_layer.weight.dtype == torch.float32:
                module.base_layer.weight.data = module.base_layer.weight.data.to(compute)
                rounded |= compute != torch.float32
        elif type(module) in _NORMS:
            module.forward = MethodType(_norm, module)
    for module in modules:
        if type(module) in _GATED and module.config.hidden_act == "silu" and _is_fused(module.down_proj):
            module.forward = MethodType(_gated, module)
    fuse_loss(model)
    if rounded:
        for parameter in model.parameters():
            if not parameter.requires_grad:
                # Weights are views of the mapped file, which stays in memory while there is one left.
                parameter.data = parameter.data.clone()


def _is_fused(module: Any) -> bool:
    return isinstance(module.forward, FusedAdapter)


def _norm(self: Any, hidden_states: Tensor) -> Tensor:
    # What reads it is a matrix product, for which autocast would round it; rounded here, one copy serves them all.
    dtype = product_type(hidden_states)
    with torch.autocast(hidden_states.device.type, enabled=False):
        out: Tensor = RmsNorm.apply(hidden_states, self.weight, self.variance_epsilon, dtype)  # type: ignore[no-untyped-call]
    return out


def _gated(self: Any, x: Tensor) -> Tensor:
    out: Tensor = self.down_proj.forward.gated(self.gate_proj(x), self.up_proj(x))
    return out
