"""A linear layer that learns, without a rounded copy of its weight between the forward and the backward pass.

Autocast rounds each weight once and autograd keeps the copy, half as much memory as the weights themselves, until the
backward pass has read it. Here it is rounded again there, which costs less than a twentieth of the product.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import silu

from peft_engine.training.fused.autocast import product_type


class TrainedLinear(torch.autograd.Function):
    """y = x Wᵀ + b, where x may be given as the two halves of a gated activation."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, gate: Tensor | None, weight: Tensor, bias: Tensor | None, dtype: torch.dtype
    ) -> Tensor:
        """Compute the layer.

        Args:
            ctx: Autograd's.
            x: [..., inputs]; the input, or the factor that SiLU(gate) multiplies.
            gate: As x; None where x is the input itself.
            weight: W, [outputs, inputs].
            bias: b, [outputs].
            dtype: What is computed in; x and W are rounded to it.

        Returns:
            [..., outputs], of `dtype`.
        """
        flat = x.reshape(-1, x.shape[-1]).to(dtype)
        flat_gate = None if gate is None else gate.reshape(-1, gate.shape[-1]).to(dtype)
        entered = flat if flat_gate is None else silu(flat_gate).mul_(flat)
        out = entered @ weight.to(dtype).t()
        if bias is not None:
            out += bias.to(dtype)
        ctx.save_for_backward(flat, flat_gate, weight)
        ctx.dtype, ctx.shape = dtype, x.shape
        ctx.types = x.dtype, None if gate is None else gate.dtype, None if bias is None else bias.dtype
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of what learns."""
        flat, gate, weight = ctx.saved_tensors
        x_type, gate_type, bias_type = ctx.types
        g = gradients[0].reshape(-1, gradients[0].shape[-1]).to(ctx.dtype)
        opened = None if gate is None else silu(gate)
        entered = flat if opened is None else opened * flat
        d_weight = (g.t() @ entered).to(weight.dtype) if ctx.needs_input_grad[2] else None
        d_bias = g.sum(dim=0, dtype=bias_type) if ctx.needs_input_grad[3] else None
        del entered
        d_x = d_gate = None
        if ctx.needs_input_grad[0] or ctx.needs_input_grad[1]:
            d_x = g @ weight.to(ctx.dtype)
            if opened is not None:
                d_gate = torch.ops.aten.silu_backward(d_x * flat, gate).view(ctx.shape).to(gate_type)
                d_x.mul_(opened)
            d_x = d_x.view(ctx.shape).to(x_type)
        return d_x, d_gate, d_weight, d_bias, None


class FusedLinear:
    """Stands in for the forward method of one linear layer that learns."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        """Take over a layer."""
        self._layer = layer

    def __call__(self, x: Tensor) -> Tensor:
        """Compute the layer."""
        return self._compute(x, None)

    def gated(self, gate: Tensor, up: Tensor) -> Tensor:
        """Compute the layer of SiLU(gate) ∘ up, which is made again in the backward pass instead of kept."""
        return self._compute(up, gate)

    def _compute(self, x: Tensor, gate: Tensor | None) -> Tensor:
        dtype = product_type(x)
        with torch.autocast(x.device.type, enabled=False):
            out: Tensor = TrainedLinear.apply(x, gate, self._layer.weight, self._layer.bias, dtype)  # type: ignore[no-untyped-call]
        return out
