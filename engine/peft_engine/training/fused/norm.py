"""Root mean square normalisation that keeps only its result and one number a token for the backward pass.

The result is kept anyway, by the product that reads it; the input, often twice as wide, is kept for nothing else.
"""

from typing import Any

import torch
from torch import Tensor


class RmsNorm(torch.autograd.Function):
    """y = w ∘ x / sqrt(mean(x²) + ε), computed in float32 (Zhang and Sennrich, 2019)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, epsilon: float, dtype: torch.dtype) -> Tensor:
        """Normalise the last dimension.

        Args:
            ctx: Autograd's.
            x: [..., width].
            weight: w, [width].
            epsilon: ε.
            dtype: Of the result.

        Returns:
            As x.
        """
        wide = x.float()
        inverse = (
            torch.linalg.vector_norm(wide, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(epsilon).rsqrt_()
        )
        out: Tensor = (wide * inverse).to(x.dtype).mul_(weight).to(dtype)
        # Where a weight is zero, the result no longer tells what was multiplied by it.
        ctx.invertible = bool(weight.all())
        ctx.type = x.dtype
        ctx.save_for_backward(out if ctx.invertible else x, weight, inverse)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x and w.

        With n = x / rms = y / w and g the gradient times w, dx = (g - n mean(g n)) / rms. It is made of n and not of
        x, whose products are no numbers any more where a run explodes.
        """
        kept, weight, inverse = ctx.saved_tensors
        normal, incoming = kept.float(), gradients[0].float()
        normal = normal / weight if ctx.invertible else normal * inverse
        d_weight = None
        if ctx.needs_input_grad[1]:
            d_weight = (incoming * normal).flatten(0, -2).sum(dim=0).to(weight.dtype)
        d_x = None
        if ctx.needs_input_grad[0]:
            g = incoming * weight
            shared = torch.linalg.vecdot(g, normal).div_(kept.shape[-1]).unsqueeze(-1)
            d_x = g.addcmul_(normal, shared, value=-1).mul_(inverse).to(ctx.type)
        return d_x, d_weight, None, None
