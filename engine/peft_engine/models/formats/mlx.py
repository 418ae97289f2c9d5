"""How MLX says in config.json that it has packed a model's weights."""

from collections.abc import Mapping
from typing import Any


def mlx_packing(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what MLX wrote of packed weights: `group_size`, `bits` and layers packed otherwise. It names no method.

    Args:
        config: What config.json holds.
    """
    packed = config.get("quantization")
    return packed if isinstance(packed, dict) and {"group_size", "bits"} <= packed.keys() else None
