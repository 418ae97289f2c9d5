"""What autocast would compute in, for operations that round by themselves."""

import torch


def product_type(x: torch.Tensor) -> torch.dtype:
    """Return the type of a matrix product with a tensor: autocast's where it is on, else the tensor's own."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype
