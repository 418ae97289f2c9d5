"""A linear layer that learns: the two halves of a gated activation are made again in its backward pass, not kept."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import silu

from peft_engine.training.fused.autocast import product_type
from peft_engine.training.fused.matrix import LearnedMatrix
from peft_engine.training.fused.pairs import HALF


class TrainedLinear(torch.autograd.Function):
    """y = x Wᵀ + b, where x may be given as the two halves of a gated activation."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        gate: Tensor | None,
        weight: Tensor,
        bias: Tensor | None,
        rounded: Tensor,
        matrix: LearnedMatrix | None,
    ) -> Tensor:
        """Compute the layer.

        Args:
            ctx: Autograd's.
            x: [..., inputs]; the input, or the factor that SiLU(gate) multiplies.
            gate: As x; None where x is the input itself.
            weight: W, [outputs, inputs].
            bias: b, [outputs].
            rounded: W as it is computed with, whose type x and b are rounded to.
            matrix: Takes W's gradient; None to have autograd add it.

        Returns:
            [..., outputs], of the type that is computed in.
        """
        dtype = rounded.dtype
        flat = x.reshape(-1, x.shape[-1]).to(dtype)
        flat_gate = None if gate is None else gate.reshape(-1, gate.shape[-1]).to(dtype)
        entered = flat if flat_gate is None else silu(flat_gate).mul_(flat)
        out = entered @ rounded.t()
        if bias is not None:
            out += bias.to(dtype)
        ctx.save_for_backward(flat, flat_gate, rounded)
        ctx.weight_type, ctx.shape = weight.dtype, x.shape
        ctx.matrix, ctx.half = matrix, HALF.get()
        ctx.types = x.dtype, None if gate is None else gate.dtype, None if bias is None else bias.dtype
        return out.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of what learns."""
        flat, gate, rounded = ctx.saved_tensors
        x_type, gate_type, bias_type = ctx.types
        g = gradients[0].reshape(-1, gradients[0].shape[-1]).to(rounded.dtype)
        opened = None if gate is None else silu(gate)
        entered = flat if opened is None else opened * flat
        d_bias = g.sum(dim=0, dtype=bias_type) if ctx.needs_input_grad[3] else None
        d_x = d_gate = d_weight = None
        if ctx.needs_input_grad[0] or ctx.needs_input_grad[1]:
            d_x = g @ rounded
        # From here on the rounded weight is not needed any more: its gradient may take its place.
        if ctx.matrix is None:
            d_weight = (g.t() @ entered).to(ctx.weight_type) if ctx.needs_input_grad[2] else None
        elif ctx.half is None:
            ctx.matrix.add_product([(g, entered)])
        else:
            ctx.half.give(ctx.matrix, (g, entered))
        del entered
        if d_x is not None:
            if opened is not None:
                d_gate = torch.ops.aten.silu_backward(d_x * flat, gate).view(ctx.shape).to(gate_type)
                d_x.mul_(opened)
            d_x = d_x.view(ctx.shape).to(x_type)
        return d_x, d_gate, d_weight, d_bias, None, None


class FusedLinear:
    """Stands in for the forward method of one linear layer that learns."""

    matrix: LearnedMatrix | None = None
    """Holds the gradient of its weight; None to have autograd add it."""

    def __init__(self, layer: torch.nn.Linear) -> None:
        """Take over a layer."""
        self.layer = layer

    def __call__(self, x: Tensor) -> Tensor:
        """Compute the layer."""
        return self._compute(x, None)

    def gated(self, gate: Tensor, up: Tensor) -> Tensor:
        """Compute the layer of SiLU(gate) ∘ up, which is made again in the backward pass instead of kept."""
        return self._compute(up, gate)

    def _compute(self, x: Tensor, gate: Tensor | None) -> Tensor:
        weight, bias, dtype = self.layer.weight, self.layer.bias, product_type(x)
        matrix = self.matrix if torch.is_grad_enabled() and self.matrix and self.matrix.dtype == dtype else None
        rounded = weight.detach().to(dtype) if matrix is None else matrix.rounded()
        with torch.autocast(x.device.type, enabled=False):
            out: Tensor = TrainedLinear.apply(x, gate, weight, bias, rounded, matrix)  # type: ignore[no-untyped-call]
        return out
