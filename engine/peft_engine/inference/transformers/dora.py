"""DoRA without its cost in training: the norms are computed once for each scale.

PEFT computes the norm of every row of W + s·BA again in each pass, because training moves it. Here nothing trains.
"""

from collections.abc import Iterable
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from peft.tuners.lora.dora import DoraLinearLayer
from peft.utils.integrations import dequantize_module_weight


class _Settled(DoraLinearLayer):  # type: ignore[misc]  # PEFT has no types
    """The magnitudes of one linear layer under one adapter."""

    def __init__(self, trained: DoraLinearLayer) -> None:
        super().__init__(trained.fan_in_fan_out)
        self.weight = trained.weight
        self._factors: dict[float, torch.Tensor] = {}

    def forward(
        self,
        x: torch.Tensor,
        *,
        lora_A: Any,
        lora_B: Any,
        scaling: float,
        base_layer: Any,
        base_result: torch.Tensor,
        adapter_name: str,
    ) -> torch.Tensor:
        """Return what is added to the base layer's result (equation 5 of arXiv 2402.09353)."""
        if scaling not in self._factors:
            # One at a time: a slider must not fill the memory.
            self._factors = {scaling: self._factor(base_layer, lora_A, lora_B, scaling, adapter_name)}
        factor = self._factors[scaling]
        without_bias = base_result if base_layer.bias is None else base_result - base_layer.bias
        learned: torch.Tensor = lora_B(lora_A(x))
        return (factor - 1) * without_bias + factor * learned * scaling

    def _factor(self, base_layer: Any, lora_A: Any, lora_B: Any, scaling: float, name: str) -> torch.Tensor:
        """Return magnitude over norm of each output, [1, out]."""
        update = self.get_lora_weight(lora_A=lora_A, lora_B=lora_B, adapter_name=name)
        weight = dequantize_module_weight(base_layer).to(update.dtype)
        norm: torch.Tensor = self.get_weight_norm(weight, update, scaling, adapter_name=name)
        factor: torch.Tensor = self.weight / norm
        return factor.view(1, -1)


def settle(layers: Iterable[LoraLayer], adapter: str) -> None:
    """Replace an adapter's trained magnitudes by ones that know they will not move."""
    for layer in layers:
        vectors = layer.lora_magnitude_vector
        if adapter in vectors and type(vectors[adapter]) is DoraLinearLayer:
            vectors[adapter] = _Settled(vectors[adapter])
