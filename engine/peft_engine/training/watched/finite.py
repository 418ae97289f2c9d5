"""Whether what was learned is numbers."""

from typing import Any

import torch


def is_finite(model: Any) -> bool:
    """Tell whether every number that learns is finite; reads all of them, so not for every step."""
    return all(bool(torch.isfinite(weight).all()) for weight in model.parameters() if weight.requires_grad)
