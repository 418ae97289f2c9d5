"""Liger's kernels for transformers on a CUDA device.

The call was held against the installed packages, but never made: no machine that this was written on has such a device.
"""

import logging
from typing import Any

import torch
from transformers.utils import is_liger_kernel_available

KERNELS = {
    "rope": True,
    "rms_norm": True,
    "swiglu": True,
    "geglu": True,
    # The loss is computed outside of the model, and only where something is learned.
    "cross_entropy": False,
    "fused_linear_cross_entropy": False,
}
"""What is replaced where the kind of model has it; of the rest Liger takes no notice."""


def apply_liger(model: Any, device: torch.device) -> bool:
    """Replace parts of a model by Liger's kernels, where that package is installed and the device can run them.

    Args:
        model: A model of transformers, or PEFT's wrapper of one.
        device: Where the model is.

    Returns:
        Whether Liger was called. Of a kind of model that it does not know, it leaves everything as it is.
    """
    if device.type != "cuda" or not is_liger_kernel_available():
        return False
    from transformers.integrations.liger import apply_liger_kernel

    try:
        apply_liger_kernel(model, KERNELS)
    except ImportError as error:
        # It is not needed, and its absence costs time only.
        logging.getLogger(__name__).warning("Liger is installed but cannot be used: %s", error)
        return False
    return True
