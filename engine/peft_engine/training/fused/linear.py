"""A frozen linear layer with its low-rank update as one operation, forward and backward.

PEFT composes it of four operations, whose results autograd keeps and whose gradients are added up one by one. Here the
update is accumulated inside the matrix product, only the layer's input is kept, and the frozen weight is unpacked or
read in place. For y = x Wᵀ + s (x Aᵀ) Bᵀ, with u = x Aᵀ and an incoming gradient g:

    dB = s gᵀ u,    dA = s (g B)ᵀ x,    dx = g W + s (g B) A.

DoRA (Liu et al., 2024, equation 5, with the norm held constant as in its section 4.3) multiplies y by m / ‖W + s B A‖,
a number a row of the weight.
"""

from copy import copy
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import silu


class FrozenWeight:
    """The weight of a layer that does not learn, as a dense matrix of the type that is computed in."""

    def __init__(self, layer: Any) -> None:
        """Remember where it is.

        Args:
            layer: A `torch.nn.Linear`, or one of bitsandbytes' packed to 4 bits.
        """
        self._layer = layer

    def result_type(self, dtype: torch.dtype) -> torch.dtype:
        """Return the type of the layer's result, given that of its product.

        A packed layer hands on float32, as bitsandbytes has it under autocast. In bfloat16 the sum with the adapter's
        small update was rounded once more, and after three steps the loss was 0.25 away from that of float32.
        """
        return dtype if getattr(self._layer.weight, "quant_state", None) is None else torch.float32

    def dense(self, dtype: torch.dtype) -> Tensor:
        """Return it, [outputs, inputs]; a packed one is unpacked at each call, so that it never stays in memory."""
        weight = self._layer.weight
        state = getattr(weight, "quant_state", None)
        if state is None:
            return weight.detach().to(dtype)  # type: ignore[no-any-return]  # a layer is not typed
        from bitsandbytes.functional import dequantize_4bit

        if state.dtype != dtype:
            # Unpacked to float32 and then rounded it would be the same, for three times the work.
            state = copy(state)
            state.dtype = dtype
        unpacked: Tensor = dequantize_4bit(weight.data, state)
        return unpacked


def row_norms(weight: Tensor, squares: Tensor, a: Tensor, b: Tensor, scale: float) -> Tensor:
    """Return the norm of each row of W + s B A, without making that matrix.

    ‖w + s b A‖² = ‖w‖² + 2 s (w Aᵀ)·b + s² b (A Aᵀ)·b.

    Args:
        weight: W, [outputs, inputs].
        squares: ‖w‖² of each row, [outputs].
        a: [rank, inputs].
        b: [outputs, rank].
        scale: s.
    """
    cross = (weight @ a.t().to(weight.dtype)).to(b.dtype)
    update = b @ (a @ a.t())
    return (squares + scale * (b * (2 * cross + scale * update)).sum(dim=1)).clamp_min(0).sqrt()


class LoraLinear(torch.autograd.Function):
    """y = m ∘ (x Wᵀ + s (x Aᵀ) Bᵀ) + bias, where x may be given as the two halves of a gated activation.

    A result that is wider than its product can be handed on rounded too. Gradients flow through the rounded one alone:
    both layers round them anyway, and through the wide one autograd would have them widened in between.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        gate: Tensor | None,
        a: Tensor,
        b: Tensor,
        magnitude: Tensor | None,
        norm: Tensor | None,
        weight: FrozenWeight,
        bias: Tensor | None,
        scale: float,
        dtype: torch.dtype,
        wide: torch.dtype,
        exact: tuple[Tensor, Tensor] | None = None,
        twice: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Compute the layer.

        Args:
            ctx: Autograd's.
            x: [..., inputs]; the input, or the factor that SiLU(gate) multiplies.
            gate: As x; None where x is the input itself.
            a: [rank, inputs].
            b: [outputs, rank].
            magnitude: DoRA's, [outputs]; None without DoRA.
            norm: What the magnitude is divided by, [outputs].
            weight: W, [outputs, inputs].
            bias: Frozen, [outputs].
            scale: s.
            dtype: What is computed in; x, a and b are rounded to it.
            wide: Of the result, which the product and the update are added up in.
            exact: gate and x before they were rounded; None where they are as they were computed.
            twice: Return the result rounded to `dtype` too, which is narrower than `wide`.

        Returns:
            [..., outputs], of the type `wide`; if twice, the rounded one and behind it this, without gradients.
        """
        if gate is None:
            entered = flat = x.reshape(-1, x.shape[-1]).to(dtype)
            flat_gate = None
        else:
            # Computed with as they came, kept as rounded as a product's other operands.
            opening, opened = exact or (gate, x)
            entered = silu(opening).mul_(opened).reshape(-1, x.shape[-1]).to(dtype)
            flat, flat_gate = (half.reshape(entered.shape).to(dtype) for half in (x, gate))
        low_a, low_b, dense = a.to(dtype), b.to(dtype), weight.dense(dtype)
        down = entered @ low_a.t()
        out = entered @ dense.t()
        out = out.to(wide).addmm_(down.to(wide), low_b.t().to(wide), alpha=scale)
        plain = None
        if magnitude is not None:
            assert norm is not None  # noqa: S101  (a magnitude never comes without it)
            plain = out
            out = out * (magnitude / norm).to(wide)
        if bias is not None:
            out += bias.to(wide)
        ctx.save_for_backward(flat, flat_gate, down, low_a, low_b, magnitude, norm, plain)
        ctx.weight, ctx.scale, ctx.dtype, ctx.shape = weight, scale, dtype, x.shape
        ctx.types = x.dtype, None if gate is None else gate.dtype, a.dtype, b.dtype
        out = out.view(*x.shape[:-1], -1)
        if not twice:
            return out
        ctx.mark_non_differentiable(out)
        ctx.set_materialize_grads(False)
        return out.to(dtype), out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of what learns; the weight and the bias are frozen."""
        flat, gate, down, low_a, low_b, magnitude, norm, plain = ctx.saved_tensors
        dtype, scale = ctx.dtype, ctx.scale
        x_type, gate_type, a_type, b_type = ctx.types
        g = gradients[0].reshape(-1, gradients[0].shape[-1]).to(dtype)
        d_magnitude = None
        if magnitude is not None:
            if ctx.needs_input_grad[4]:
                d_magnitude = (g * plain).sum(dim=0, dtype=torch.float32).to(magnitude.dtype) / norm
            g = g * (magnitude / norm).to(dtype)
        opened = None if gate is None else silu(gate)
        entered = flat if opened is None else opened * flat
        low = g @ (low_b * scale)
        d_a = (low.t() @ entered).to(a_type) if ctx.needs_input_grad[2] else None
        d_b = (g.t() @ down).to(b_type).mul_(scale) if ctx.needs_input_grad[3] else None
        del entered
        d_x = d_gate = None
        if ctx.needs_input_grad[0] or ctx.needs_input_grad[1]:
            d_x = g @ ctx.weight.dense(dtype)
            d_x.addmm_(low, low_a)
            if opened is not None:
                d_gate = torch.ops.aten.silu_backward(d_x * flat, gate).view(ctx.shape).to(gate_type)
                d_x.mul_(opened)
            d_x = d_x.view(ctx.shape).to(x_type)
        return d_x, d_gate, d_a, d_b, d_magnitude, *[None] * 8
