"""A layer with PEFT's adapter that computes by the fused operation where it can, else by PEFT's own forward."""

from importlib import util
from typing import Any

import torch
from peft.tuners.lora import Linear as LoraLayer
from peft.tuners.lora.variants import DoraLinearVariant
from torch import Tensor
from torch.nn.functional import silu

from peft_engine.training.fused.autocast import product_type
from peft_engine.training.fused.linear import FrozenWeight, LoraLinear, row_norms


class FusedAdapter:
    """Stands in for the forward method of one adapted layer; the layer keeps its weights, names and state."""

    def __init__(self, layer: Any, name: str) -> None:
        """Take over a layer.

        Args:
            layer: One that `can_fuse` accepts.
            name: Of its adapter.
        """
        self._layer = layer
        self._name = name
        self._plain = layer.forward
        self._weight = FrozenWeight(layer.base_layer)
        self._squares: Tensor | None = None
        if name in layer.lora_variant:
            self._squares = self._weight.dense(torch.float32).square().sum(dim=1)

    def __call__(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Compute the layer as PEFT's forward does."""
        if args or kwargs or not self._applies():
            plain: Tensor = self._plain(x, *args, **kwargs)
            return plain
        out: Tensor = self._compute(x)
        return out

    def rounded(self, x: Tensor) -> Tensor:
        """Compute the layer for a reader that rounds the result to the type of products: here it is rounded at once."""
        if not self._applies():
            plain: Tensor = self._plain(x)
            return plain
        out: Tensor = self._compute(x, wide=product_type(x))
        return out

    def twice(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the layer for `gated`: the result rounded to the type of products, which has gradients, and exact."""
        dtype = product_type(x)
        if not self._applies() or self._weight.result_type(dtype) == dtype:
            plain: Tensor = self(x)
            return plain, plain
        both: tuple[Tensor, Tensor] = self._compute(x, twice=True)
        return both

    def gated(self, gate: tuple[Tensor, Tensor], up: tuple[Tensor, Tensor]) -> Tensor:
        """Compute the layer of SiLU(gate) ∘ up, each as of `twice`; it is made again in the backward pass, not kept."""
        if not self._applies():
            plain: Tensor = self._plain(silu(gate[0]) * up[0])
            return plain
        out: Tensor = self._compute(up[0], gate[0], exact=(gate[1], up[1]))
        return out

    def _applies(self) -> bool:
        """Tell whether the layer is in the state that the fused operation computes; it may change at any time."""
        layer = self._layer
        return not layer.disable_adapters and not layer.merged and layer.active_adapters == [self._name]

    def _compute(
        self,
        x: Tensor,
        gate: Tensor | None = None,
        *,
        wide: torch.dtype | None = None,
        exact: tuple[Tensor, Tensor] | None = None,
        twice: bool = False,
    ) -> Any:
        layer, name = self._layer, self._name
        dtype = product_type(x)
        a, b, scale = layer.lora_A[name].weight, layer.lora_B[name].weight, layer.scaling[name]
        magnitude = norm = None
        # What is rounded, and where, is the operation's own business.
        with torch.autocast(x.device.type, enabled=False):
            if self._squares is not None:
                magnitude = layer.lora_magnitude_vector[name].weight
                with torch.no_grad():
                    norm = row_norms(self._weight.dense(dtype), self._squares, a, b, scale)
            return LoraLinear.apply(
                x,
                gate,
                a,
                b,
                magnitude,
                norm,
                self._weight,
                layer.base_layer.bias,
                scale,
                dtype,
                wide or self._weight.result_type(dtype),
                exact,
                twice,
            )  # type: ignore[no-untyped-call]  # autograd is not typed


def can_fuse(layer: Any) -> str | None:
    """Return the name of a layer's adapter where the fused operation computes what PEFT's forward does, else None.

    That is LoRA or DoRA, without dropout, over a frozen linear layer that is dense or packed to 4 bits.
    """
    if type(layer) not in _adapted() or len(layer.lora_A) != 1:
        return None
    (name,) = layer.lora_A
    base = layer.base_layer
    fits = (
        type(base) in _bases()
        and not any(parameter.requires_grad for parameter in base.parameters())
        and not layer.fan_in_fan_out
        and layer.lora_B[name].bias is None
        and isinstance(layer.lora_dropout[name], torch.nn.Identity)
        and isinstance(layer.lora_variant.get(name), DoraLinearVariant | None)
    )
    return name if fits else None


def _adapted() -> tuple[type, ...]:
    if not _has_bitsandbytes():
        return (LoraLayer,)
    from peft.tuners.lora.bnb import Linear4bit

    return LoraLayer, Linear4bit


def _bases() -> tuple[type, ...]:
    if not _has_bitsandbytes():
        return (torch.nn.Linear,)
    from bitsandbytes.nn.modules import Linear4bit

    return torch.nn.Linear, Linear4bit


def _has_bitsandbytes() -> bool:
    return util.find_spec("bitsandbytes") is not None
