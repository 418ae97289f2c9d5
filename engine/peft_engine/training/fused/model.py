"""Which parts of a model take the fused operations. Whatever is not known here keeps its library's own forward."""

import inspect
from types import MethodType
from typing import Any

import torch
from torch import Tensor
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaMLP, LlamaRMSNorm
from transformers.models.mistral.modeling_mistral import MistralAttention, MistralMLP, MistralRMSNorm
from transformers.models.qwen2.modeling_qwen2 import Qwen2Attention, Qwen2MLP, Qwen2RMSNorm
from transformers.models.qwen3.modeling_qwen3 import Qwen3Attention, Qwen3MLP, Qwen3RMSNorm

from peft_engine.training.allocation import leave_mapped_file
from peft_engine.training.fused.adapter import FusedAdapter, can_fuse
from peft_engine.training.fused.attention import SEGMENTED, attend_within
from peft_engine.training.fused.autocast import product_type
from peft_engine.training.fused.beside import Beside, can_halve
from peft_engine.training.fused.dense import FusedLinear
from peft_engine.training.fused.embedding import FusedEmbedding
from peft_engine.training.fused.loss import LossForward, draws_random_numbers, fuse_loss
from peft_engine.training.fused.matrix import LearnedMatrices
from peft_engine.training.fused.norm import RmsNorm
from peft_engine.training.fused.threads import Threads

_GATED = (LlamaMLP, MistralMLP, Qwen2MLP, Qwen3MLP)
"""Layers that compute down(act(gate(x)) ∘ up(x))."""

_ATTENTIONS = (LlamaAttention, MistralAttention, Qwen2Attention, Qwen3Attention)
"""Layers that turn queries and keys by their positions, after a norm of their own or none."""

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
        elif type(module) in _ATTENTIONS and module.config._attn_implementation == SEGMENTED:
            module.forward = MethodType(_attention, module)
        if type(module) in (*_ATTENTIONS, *_GATED):
            for layer in module.children():
                if _learns(layer):
                    layer.forward = FusedLinear(layer)
    for module in modules:
        if type(module) in _GATED and module.config.hidden_act == "silu" and _is_fused(module.down_proj):
            module.forward = MethodType(_gated, module)
    fuse_loss(model, compute)
    if rounded:
        leave_mapped_file(model)


def train_alone(model: Any, compute: torch.dtype) -> LearnedMatrices:
    """Have a model that one process trains hold its gradients, and compute halves of a batch at the same time.

    Elsewhere gradients are exchanged with other processes, which take them from the weights.

    Args:
        model: One that was fused.
        compute: The type of a matrix product.

    Returns:
        Where the gradients are held.
    """
    threads = Threads() if torch.get_num_threads() > 1 else None
    matrices = LearnedMatrices(threads)
    # What the library of the loop wraps is the same object within.
    forwards = [inspect.unwrap(module.forward) for module in model.modules()]
    layers = [forward for forward in forwards if isinstance(forward, FusedLinear)]
    for layer in layers:
        layer.matrix = matrices.of(layer.layer.weight, compute)
    for forward in forwards:
        if isinstance(forward, FusedEmbedding | LossForward):
            forward.matrix = matrices.of(forward.weight, compute)
    # Without a matrix, each half would round a gradient of its own.
    whole = draws_random_numbers(model) or not can_halve(model) or any(layer.matrix is None for layer in layers)
    if threads is not None and not whole:
        for module in model.modules():
            # bitsandbytes' 8-bit layers move their weight at their first call, which two threads would do twice.
            if hasattr(module, "init_8bit_state") and module.weight.CB is not None:
                module.init_8bit_state()
        for forward in forwards:
            if isinstance(forward, LossForward):
                forward.beside = Beside(model, threads)
    return matrices


def _learns(module: Any) -> bool:
    return type(module) is torch.nn.Linear and module.weight.requires_grad


def _is_fused(module: Any) -> bool:
    return isinstance(module.forward, FusedAdapter | FusedLinear)


def _norm(self: Any, hidden_states: Tensor) -> Tensor:
    # What reads it is a matrix product, for which autocast would round it; rounded here, one copy serves them all.
    dtype = product_type(hidden_states)
    with torch.autocast(hidden_states.device.type, enabled=False):
        out: Tensor = RmsNorm.apply(hidden_states, self.weight, self.variance_epsilon, dtype)  # type: ignore[no-untyped-call]
    return out


def _attention(
    self: Any,
    hidden_states: Tensor,
    position_embeddings: tuple[Tensor, Tensor],
    attention_mask: Tensor | None = None,
    past_key_values: Any = None,
    cu_seq_lens_q: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Any]:
    if past_key_values is not None:
        out, weights = type(self).forward(
            self,
            hidden_states,
            position_embeddings=position_embeddings,
            attention_mask=attention_mask,
            past_key_values=past_key_values,
            cu_seq_lens_q=cu_seq_lens_q,
            **kwargs,
        )
        return out, weights
    heads = (-1, self.head_dim)
    normed = hasattr(self, "q_norm")
    query, key, value = (
        _projected(layer, hidden_states, rounded=not normed)[0].unflatten(-1, heads)
        for layer in (self.q_proj, self.k_proj, self.v_proj)
    )
    if normed:
        query, key = self.q_norm(query), self.k_norm(key)
    cos, sin = position_embeddings
    seen = attend_within(query, key, value, cu_seq_lens_q, scale=self.scaling, turn=(cos[0], sin[0]))
    return self.o_proj(seen.flatten(1).unsqueeze(0)), None


def _projected(layer: Any, x: Tensor, *, rounded: bool) -> Any:
    """Compute a projection, rounded to the type of products where nothing reads it but attention, which would do so."""
    return layer.forward.rounded(x) if rounded and isinstance(layer.forward, FusedAdapter) else layer(x)


def _gated(self: Any, x: Tensor) -> Tensor:
    down, halves = self.down_proj.forward, (self.gate_proj, self.up_proj)
    out: Tensor = down.gated(*(_twice(layer, x) if isinstance(down, FusedAdapter) else layer(x) for layer in halves))
    return out


def _twice(layer: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """Compute a half of a gated activation: what its gradients flow through, and what is computed with."""
    if isinstance(layer.forward, FusedAdapter):
        return layer.forward.twice(x)
    out = layer(x)
    return out, out
